// How to verify what arrives, in three languages. The receivers are files that our tests run.
import { copyButton, el, fill } from './dom.js';

const LANGUAGES = [
  ['PHP', 'receiver.php'],
  ['Python', 'receiver.py'],
  ['Node', 'receiver.mjs'],
];

/** Three rules and a complete receiver for each language, under a heading that fits the page. */
export function teach(heading = 'h3') {
  return el(
    'section',
    { class: 'teach' },
    el(heading, {}, 'Verify what arrives'),
    el(
      'ol',
      {},
      el(
        'li',
        {},
        'Keep the raw bytes of the body. JSON that was parsed and written again has another ' +
          'signature.',
      ),
      el(
        'li',
        {},
        'Compute the HMAC-SHA256 of them with the whole secret, ',
        el('code', {}, 'whsec_'),
        ' included, and compare its hex with ',
        el('code', {}, 'X-Webhook-Signature'),
        ' after ',
        el('code', {}, 'sha256='),
        '.',
      ),
      el(
        'li',
        {},
        'Store the event, answer 200 at once, and work on it afterwards. The same ',
        el('code', {}, 'webhook-id'),
        ' can come twice.',
      ),
    ),
    el('p', {}, 'A complete receiver that needs nothing but the language:'),
    LANGUAGES.map(([name, file]) => language(name, file)),
  );
}

function language(name, file) {
  const place = el('div', {}, 'Reading …');
  const node = el('details', { name: 'language' }, el('summary', {}, name), place);
  node.addEventListener('toggle', async () => {
    if (!node.open || place.firstElementChild) return;
    try {
      const answer = await fetch(new URL(`receivers/${file}`, import.meta.url));
      const code = await answer.text();
      fill(
        place,
        copyButton('Copy', () => code),
        el('pre', { tabindex: 0, role: 'region', 'aria-label': `Receiver in ${name}` }, code),
      );
    } catch {
      fill(place, 'It could not be read. Open this again.');
    }
  });
  return node;
}
