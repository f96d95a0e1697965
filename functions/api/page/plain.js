// Foreign text, fit to be looked at: nothing hidden in it, nothing turned around by it.
import { button, el, fill, freshId } from './dom.js';

// Control characters, marks that reverse the direction of text, and characters of no width.
const UNSEEN = new RegExp(
  '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f' +
    '\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ufff9-\\ufffb]',
  'g',
);
const SHOWN_AT_ONCE = 20_000;

/** The text with what cannot be seen spelled out: `‹U+202E›`. */
export function plain(text) {
  const spell = (c) => `‹U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`;
  return text.replace(/\r\n/g, '\n').replace(UNSEEN, spell);
}

/** A box that shows a long text in part until asked for all of it. */
export function textBox(text, label) {
  const box = el('pre', { tabindex: 0, role: 'region', 'aria-label': label, dir: 'ltr' });
  const shown = plain(text);
  if (shown.length <= SHOWN_AT_ONCE) return fill(box, shown || '(empty)');
  const id = freshId();
  box.id = id;
  fill(box, shown.slice(0, SHOWN_AT_ONCE), '…');
  const more = button(
    `Show all ${Math.ceil(shown.length / 1024)} KB`,
    () => {
      fill(box, shown);
      more.remove();
      box.focus();
    },
    { class: 'small', 'aria-controls': id },
  );
  return el('div', {}, box, more);
}

const TOKENS = /"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\],:]/g;

/** JSON, indented, every number and string as it was spelled; null if it is no JSON. */
export function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let depth = 0;
  let before = '';
  const lines = [];
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKENS)) {
    const closes = token === '}' || token === ']';
    if (closes) depth -= 1;
    const opened = before === '{' || before === '[';
    if (closes ? !opened : opened || before === ',') lines.push(line());
    lines.push(token === ':' ? ': ' : token);
    if (token === '{' || token === '[') depth += 1;
    before = token;
  }
  return lines.join('');
}

/** JSON without the space between its parts; null if it is no JSON. */
export function compact(text) {
  return pretty(text) === null ? null : [...text.matchAll(TOKENS)].map(([token]) => token).join('');
}
