// One delivery in the log: a line that says how it stands, and everything about it on a click.
import { announce, button, el, fill, freshId, icon, say } from './dom.js';
import { deliveries } from './api.js';
import { fillTimeline } from './attempts.js';
import { explain } from './dialog.js';
import { plain } from './plain.js';
import { request } from './request.js';
import { retry } from './retry.js';
import { time } from './when.js';
import { next, outcome, state } from './words.js';

/** A row; `update` shows a newer state in place, so that nobody loses focus or place. */
export function row(delivery, signal, { open = false, changed = () => {} } = {}) {
  let current = delivery;
  let fetched = null;
  const id = freshId();
  const cells = {
    state: el('span', { class: 'c-state' }),
    tries: el('span', { class: 'c-tries' }),
    last: el('span', { class: 'c-last' }),
    next: el('p', { class: 'c-next' }),
    result: el('p', { class: 'c-result', role: 'status' }),
  };
  const at = time(delivery.created_at, { seconds: true });
  const toggle = el(
    'button',
    { type: 'button', class: 'toggle', 'aria-expanded': 'false', 'aria-controls': id },
    icon('more'),
    at,
    el('bdi', { class: 'c-event' }, plain(delivery.event)),
    cells.state,
    cells.last,
    cells.tries,
  );
  const again = button('Retry Now', retryNow, { class: 'again' });
  const body = el('div', { id, class: 'expanded', hidden: true });
  const node = el(
    'li',
    { class: 'row', 'data-id': delivery.id },
    el('div', { class: 'line' }, toggle, again),
    cells.next,
    cells.result,
    body,
  );
  const timelineList = el('ol', { class: 'timeline', reversed: true });

  toggle.addEventListener('click', () => (body.hidden ? expand() : collapse()));

  function update(newer) {
    if (JSON.stringify(newer) === JSON.stringify(current) && node.dataset.status) return;
    const isNew = !node.dataset.status;
    current = newer;
    node.dataset.status = newer.status;
    const last = newer.attempts.at(-1);
    fill(cells.state, state(newer));
    say(cells.last, last ? outcome(last) : '');
    say(
      cells.tries,
      newer.attempts.length
        ? `${newer.attempts.length} ${newer.attempts.length === 1 ? 'attempt' : 'attempts'}`
        : '',
    );
    fill(cells.next, next(newer) ?? '');
    again.setAttribute('aria-label', `Retry Now: ${newer.event} of ${at.textContent}`);
    again.hidden = newer.status === 'succeeded' && body.hidden;
    if (!body.hidden) showAttempts();
    if (!isNew) changed(newer);
  }

  function collapse() {
    body.hidden = true;
    toggle.setAttribute('aria-expanded', 'false');
    again.hidden = current.status === 'succeeded';
  }

  function expand() {
    body.hidden = false;
    again.hidden = false;
    toggle.setAttribute('aria-expanded', 'true');
    const sent = el('div', {}, el('p', { class: 'muted' }, 'Reading …'));
    fill(
      body,
      el('section', {}, el('h3', {}, 'What happened'), timelineList),
      el('section', {}, el('h3', {}, 'What was sent'), sent, identity()),
    );
    showAttempts();
    return load(sent);
  }

  function showAttempts() {
    if (current.attempts.length) fillTimeline(timelineList, current.attempts);
    else {
      fill(
        timelineList,
        el(
          'li',
          { class: 'muted' },
          current.status === 'skipped'
            ? 'Nothing was sent, because the endpoint was disabled at that moment. Retry ' +
                'Now sends it once the endpoint is enabled.'
            : 'No attempt was made.',
        ),
      );
    }
  }

  async function load(sent) {
    try {
      fetched ??= await deliveries.show(current.id);
      fill(
        sent,
        request(fetched),
        el(
          'p',
          {},
          el(
            'a',
            { href: `#/check/${encodeURIComponent(current.id)}` },
            'Signature refused? Check it',
          ),
        ),
      );
    } catch (refusal) {
      fill(sent, el('p', { class: 'problem' }, refusal.message));
    }
  }

  function identity() {
    const line = (name, value) =>
      value && [el('dt', {}, name), el('dd', {}, el('bdi', {}, plain(value)))];
    return el(
      'dl',
      { class: 'headers' },
      line('Event id', current.event_id),
      line("Its source's id", current.source_id),
      line('Delivery id', current.id),
    );
  }

  async function retryNow() {
    say(cells.result, 'Sending …');
    node.classList.add('sending');
    try {
      const answered = await retry(current, signal);
      fetched = null;
      if (answered) {
        const last = answered.attempts.at(-1);
        update(answered);
        const good = last.outcome === 'succeeded';
        cells.result.className = `c-result ${good ? 'ok' : 'bad'}`;
        say(
          cells.result,
          good
            ? `Retry Now: ${outcome(last)}. Delivered.`
            : `Retry Now: ${outcome(last)}. ` +
                `${answered.next_attempt_at ? 'The schedule goes on as before.' : ''}`,
        );
      } else say(cells.result, 'Still under way. The row will show how it ends.');
    } catch (refusal) {
      if (signal.aborted) return;
      cells.result.className = 'c-result bad';
      say(cells.result, explain(refusal));
    } finally {
      node.classList.remove('sending');
      announce(cells.result.textContent);
    }
  }

  update(delivery);
  if (open) expand();
  return {
    node,
    update,
    retryNow,
    get delivery() {
      return current;
    },
  };
}
