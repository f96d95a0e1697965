// The attempts of a delivery as a timeline.
import { el, fill, icon } from './dom.js';
import { plain, textBox } from './plain.js';
import { duration, time } from './when.js';
import { advice, outcome, trigger } from './words.js';

/** All attempts, the latest first: that is the one to look at. */
export function timeline(attempts) {
  const list = el('ol', { class: 'timeline', reversed: true });
  return fillTimeline(list, attempts);
}

export function fillTimeline(list, attempts) {
  return fill(
    list,
    [...attempts].reverse().map((one, nth) => attempt(one, nth === 0)),
  );
}

/** One attempt: what came back, in plain words, how long it took, and the answer's beginning. */
export function attempt(one, isLatest = true) {
  const good = one.outcome === 'succeeded';
  const by = trigger(one);
  const hint = isLatest ? advice(one) : '';
  return el(
    'li',
    { class: good ? 'ok' : 'bad' },
    el(
      'div',
      { class: 'attempt' },
      el(
        'span',
        { class: `state ${good ? 'ok' : 'bad'}` },
        icon(good ? 'check' : 'cross'),
        outcome(one),
      ),
      by && el('span', { class: 'tag' }, by),
      el(
        'span',
        { class: 'muted' },
        `Attempt ${one.number} · `,
        time(one.at, { seconds: true }),
        ` · ${duration(one.duration_ms)}`,
      ),
    ),
    one.error && el('p', {}, el('bdi', {}, plain(sentence(one.error)))),
    hint && el('p', { class: 'hint' }, hint),
    one.response_body
      ? el(
          'details',
          { open: isLatest && !good },
          el('summary', {}, "Your server's answer"),
          textBox(one.response_body, `Answer to attempt ${one.number}`),
        )
      : one.http_status && el('p', { class: 'muted' }, 'The answer had no body.'),
  );
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
