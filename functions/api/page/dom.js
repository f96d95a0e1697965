// Making elements. Text only ever becomes text: nothing a stranger sent can become markup.

/** An element with attributes (functions are listeners) and children (nodes, texts, lists). */
export function el(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function svg(name, attributes = {}, ...children) {
  return furnish(
    document.createElementNS('http://www.w3.org/2000/svg', name),
    attributes,
    children,
  );
}

function furnish(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...present(children));
  return node;
}

/** Puts other children in the place of those that are there. */
export function fill(node, ...children) {
  node.replaceChildren(...present(children));
  return node;
}

/** Without what is absent, so that `condition && child` can be written. */
function present(children) {
  return children
    .flat(2)
    .filter((child) => child !== undefined && child !== null && child !== false);
}

/** Sets a text, and leaves the node alone if it says so already. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Tells those who listen to the page rather than look at it. */
export function announce(text) {
  say(document.getElementById('announcer'), text);
}

const ICONS = {
  check: 'M3 8.5l3.5 3.5L13 4.5',
  cross: 'M4 4l8 8M12 4l-8 8',
  again: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3',
  clock: 'M8 4.5V8l2.5 1.5M8 2a6 6 0 1 0 .01 0',
  skip: 'M4 8h8M8 2a6 6 0 1 0 .01 0',
  warn: 'M8 2.5l6 11H2zM8 7v3M8 11.6v.4',
  stop: 'M4 4h8v8H4z',
  more: 'M6 4l4 4-4 4',
};

/** A drawing that only repeats what is written beside it. */
export function icon(name) {
  return svg(
    'svg',
    { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    svg('path', { d: ICONS[name] }),
  );
}

let made = 0;
/** An id that nothing else on the page has. */
export function freshId() {
  made += 1;
  return `n${made}`;
}

/** A button; `work` may take its time, during which the button cannot be pressed again. */
export function button(label, work, attributes = {}) {
  const node = el('button', { type: 'button', ...attributes }, label);
  node.addEventListener('click', () => busy(node, work));
  return node;
}

/** Runs `work` once at a time, with the button saying that something is under way. */
export async function busy(node, work) {
  if (node.getAttribute('aria-disabled') === 'true') return;
  // Not `disabled`, which would take the focus away from whoever pressed it.
  node.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } finally {
    node.removeAttribute('aria-disabled');
  }
}

/** Copies a text, also where the clipboard is closed to us (in a frame). */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = el('textarea', { class: 'unseen', 'aria-hidden': 'true' });
    box.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(box);
    box.select();
    document.execCommand('copy');
    box.remove();
  }
  announce('Copied');
}

/** A button that copies what `text()` says, and says so. */
export function copyButton(label, text, attributes = {}) {
  const node = button(
    label,
    async () => {
      await copy(await text());
      say(node, 'Copied');
      setTimeout(() => say(node, label), 1500);
    },
    { class: 'small', ...attributes },
  );
  return node;
}
