// Where the page begins: which view an address means, and signing in.
import { button, el, fill } from './dom.js';
import { checkView } from './check.js';
import { deliveryView } from './delivery.js';
import { endpointView } from './endpoint.js';
import { endpointsView } from './endpoints.js';
import { currentKey, onSignOut, signIn, signOut, takeFromAddress } from './session.js';

const VIEWS = [
  [/^\/endpoints$/, 'Endpoints', endpointsView],
  [/^\/endpoints\/([^/]+)$/, 'Delivery log', endpointView],
  [/^\/deliveries\/([^/]+)$/, 'Delivery', deliveryView],
  [/^\/check(?:\/([^/]+))?$/, 'Signature checker', checkView],
];
const main = document.getElementById('main');
let leave = new AbortController();

/** Shows what the address says, and leads keyboards and screen readers there. */
async function show(focus = true) {
  leave.abort(new DOMException('left', 'AbortError'));
  leave = new AbortController();
  const { signal } = leave;
  const [path, query = ''] = location.hash.slice(1).split('?');
  const [pattern, title, view] = VIEWS.find(([known]) => known.test(path)) ?? VIEWS[0];
  navigation(path);
  document.title = `${title} · Webhooks`;
  // The checker asks nobody anything, and is there for everybody.
  if (!currentKey() && view !== checkView) return fill(main, signInView());
  const id = path.match(pattern)?.[1];
  // What is still shown belongs to the view before: not to be pressed any more.
  main.setAttribute('aria-busy', 'true');
  try {
    const node = await view(
      { id: id && decodeURIComponent(id), query: new URLSearchParams(query) },
      signal,
    );
    if (signal.aborted) return undefined;
    fill(main, node);
    if (focus) main.focus({ preventScroll: false });
    main.removeAttribute('aria-busy');
  } catch (problem) {
    if (!signal.aborted && currentKey()) fill(main, trouble(problem));
    if (!signal.aborted) main.removeAttribute('aria-busy');
  }
  return undefined;
}

function navigation(path) {
  const link = (address, text) =>
    el(
      'a',
      { href: `#${address}`, 'aria-current': path.startsWith(address) ? 'page' : null },
      text,
    );
  fill(
    document.getElementById('nav'),
    currentKey() && link('/endpoints', 'Endpoints'),
    link('/check', 'Signature checker'),
    currentKey() && button('Sign out', () => signOut(), { class: 'quiet' }),
  );
}

function trouble(problem) {
  const gone = problem.status === 404;
  return el(
    'section',
    { class: 'card' },
    el('h1', {}, gone ? 'Not here' : 'That did not work'),
    el('p', {}, gone ? 'There is no such thing, or this key does not open it.' : problem.message),
    el(
      'div',
      { class: 'actions' },
      button('Try again', () => show()),
      el('a', { href: '#/endpoints' }, 'All endpoints'),
    ),
  );
}

function signInView(reason = '') {
  const input = el('input', {
    type: 'password',
    id: 'key',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    'aria-describedby': 'key-help key-problem',
  });
  const enter = (event) => {
    event.preventDefault();
    if (!input.value.trim()) return;
    signIn(input.value);
    show();
  };
  return el(
    'section',
    { class: 'card narrow' },
    el('h1', {}, 'See what happened to your webhooks'),
    el('p', {}, 'Open this page from your dashboard, or sign in with an API key.'),
    el(
      'form',
      { onsubmit: enter },
      el('label', { for: 'key' }, 'API key'),
      input,
      el(
        'p',
        { id: 'key-help', class: 'muted' },
        'Kept for this tab only. It leaves the page in no other way than with its own calls.',
      ),
      el('p', { id: 'key-problem', class: 'problem', role: 'alert' }, reason),
      el('button', { type: 'submit', class: 'primary' }, 'Sign in'),
    ),
  );
}

onSignOut((reason) => {
  main.removeAttribute('aria-busy');
  leave.abort(new DOMException('signed out', 'AbortError'));
  document.querySelectorAll('dialog').forEach((dialog) => dialog.close());
  navigation('');
  fill(main, signInView(reason));
});
document.documentElement.classList.toggle('framed', window.self !== window.top);
takeFromAddress();
window.addEventListener('hashchange', () => {
  takeFromAddress();
  show();
});
show(false);
