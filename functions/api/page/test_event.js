// A test event: sent at once, its outcome shown, nothing kept.
import { button, busy, el, fill } from './dom.js';
import { endpoints, eventTypes } from './api.js';
import { attempt } from './attempts.js';
import { explain, open } from './dialog.js';

export function sendTest(endpoint) {
  return open('Send a test event', (close) => {
    const choice = el('select', { id: 'test-event', autofocus: true });
    const result = el('div', { role: 'status' });
    eventTypes().then((types) => {
      const names = types.map((type) => type.event).filter((name) => subscribes(endpoint, name));
      const own = endpoint.event_types.filter(
        (name) => !name.includes('*') && !names.includes(name),
      );
      fill(
        choice,
        [...names, ...own].map((name) =>
          el('option', { selected: name === 'email.delivered' }, name),
        ),
      );
    });
    const send = el('button', { type: 'submit', class: 'primary' }, 'Send');
    const submit = (event) => {
      event.preventDefault();
      busy(send, async () => {
        fill(result, el('p', {}, 'Sending … an answer may take up to 30 seconds.'));
        try {
          const made = await endpoints.test(endpoint.id, choice.value);
          fill(result, el('ol', { class: 'timeline' }, attempt(made.attempt ?? made)));
        } catch (refusal) {
          fill(result, el('p', { class: 'problem' }, explain(refusal)));
        }
      });
    };
    return el(
      'form',
      { onsubmit: submit },
      el(
        'p',
        {},
        'It is signed like every event and marked with ',
        el('code', {}, 'X-Webhook-Test: true'),
        '. It does not appear in the log.',
      ),
      el('label', { for: 'test-event' }, 'Event'),
      choice,
      result,
      el(
        'div',
        { class: 'actions' },
        send,
        button('Done', () => close()),
      ),
    );
  });
}

function subscribes({ event_types: types }, name) {
  return types.some(
    (type) =>
      type === '*' || type === name || (type.endsWith('.*') && name.startsWith(type.slice(0, -1))),
  );
}
