// Signing secrets: shown once, rotated without a gap.
import { button, copyButton, el, fill } from './dom.js';
import { endpoints } from './api.js';
import { confirm, explain, open } from './dialog.js';
import { teach } from './teach.js';
import { time } from './when.js';

/** Shows a secret, which cannot be read again. */
export function showSecret(secret, title, ...more) {
  return open(
    title,
    (close) =>
      el(
        'div',
        {},
        el(
          'p',
          {},
          "Put it into your receiver's configuration now. ",
          el('b', {}, 'It is shown only this once.'),
        ),
        el(
          'div',
          { class: 'secret' },
          el('code', { class: 'mono wrap' }, secret),
          copyButton('Copy', () => secret, { autofocus: true }),
        ),
        more,
        el(
          'div',
          { class: 'actions' },
          button('I have stored it', () => close(), { class: 'primary' }),
        ),
      ),
    { wide: true },
  );
}

/** After registration: the secret, and what to do with it. */
export const welcome = (secret) => showSecret(secret, 'Your signing secret', teach());

/** Rotates, or finishes the rotation that is under way. */
export async function rotate(endpoint) {
  await open('Rotate the signing secret', (close) => {
    const problem = el('p', { class: 'problem', role: 'alert' });
    const begin = async () => {
      try {
        const { secret, previous_valid_until: until } = await endpoints.rotate(endpoint.id);
        close();
        showSecret(secret, 'Your new signing secret', overlap(until));
      } catch (refusal) {
        fill(problem, explain(refusal));
      }
    };
    return el(
      'div',
      {},
      el(
        'p',
        {},
        'You get a new secret. For 24 hours ',
        el('code', {}, 'webhook-signature'),
        ' carries both, and ',
        el('code', {}, 'X-Webhook-Signature'),
        ' stays on the old one, so nothing is refused while you change over.',
      ),
      el(
        'p',
        {},
        'Once every receiver has the new secret, finish the rotation here. The old one is ' +
          'gone then.',
      ),
      problem,
      el(
        'div',
        { class: 'actions' },
        button('Make a new secret', begin, { class: 'primary' }),
        button('Finish a rotation', () => finish(endpoint, close)),
      ),
    );
  });
}

function overlap(until) {
  return el(
    'p',
    {},
    'The old secret keeps working until ',
    time(until),
    ', or until you choose Rotate secret, Finish a rotation.',
  );
}

function finish(endpoint, close) {
  return confirm(
    'Finish the rotation?',
    'From now on only the new secret signs. Receivers that still have the old one will refuse.',
    'Finish',
    async () => {
      await endpoints.finish(endpoint.id);
      close();
    },
    { danger: true },
  );
}
