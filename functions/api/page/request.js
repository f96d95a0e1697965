// What was sent: headers and payload, as they were, to read, copy and send again from a shell.
import { button, copyButton, el, fill } from './dom.js';
import { plain, pretty, textBox } from './plain.js';

/** The request of a delivery, from `GET /v1/deliveries/{id}`. */
export function request(delivery) {
  if (delivery.payload === undefined) {
    return el('p', { class: 'muted' }, 'The payload is no longer kept.');
  }
  return el(
    'div',
    {},
    delivery.url &&
      el(
        'p',
        { class: 'wrap' },
        el('b', {}, 'POST '),
        el('bdi', { class: 'mono' }, plain(delivery.url)),
      ),
    delivery.headers
      ? headers(delivery.headers)
      : el('p', { class: 'muted' }, 'Nothing was sent. This is what it holds:'),
    payload(delivery),
  );
}

function headers(given) {
  const lines = Object.entries(given);
  return el(
    'details',
    {},
    el('summary', {}, `Headers (${lines.length})`),
    el(
      'dl',
      { class: 'headers' },
      lines.map(([name, value]) => [
        el('dt', {}, plain(name)),
        el('dd', {}, el('bdi', {}, plain(value))),
      ]),
    ),
  );
}

function payload({ payload: text, curl }) {
  const indented = pretty(text);
  const shown = el('div');
  const forms = [
    ['Pretty', () => textBox(indented, 'Payload, indented')],
    ['Raw', () => textBox(text, 'Payload, raw')],
  ];
  const choices = forms
    .filter(([name]) => name === 'Raw' || indented !== null)
    .map(([name, make]) => {
      const choice = button(name, () => show(choice, make), { class: 'small' });
      return [choice, make];
    });
  const show = (chosen, make) => {
    for (const [choice] of choices) choice.setAttribute('aria-pressed', choice === chosen);
    fill(shown, make());
  };
  show(...choices[0]);
  return el(
    'section',
    {},
    el(
      'div',
      { class: 'bar-row' },
      el('h4', {}, 'Payload'),
      el(
        'div',
        { class: 'segments', role: 'group', 'aria-label': 'How to show it' },
        choices.map(([choice]) => choice),
      ),
      copyButton('Copy', () => text),
      curl && copyButton('Copy as curl', () => curl),
    ),
    indented === null && el('p', { class: 'hint' }, 'This is not valid JSON.'),
    shown,
  );
}
