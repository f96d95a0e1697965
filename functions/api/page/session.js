// Whose page it is: a key that lives as long as the tab, and goes nowhere but into a header.

const NAME = 'webhooks.key';
const ONLY = 'only';
let key = null;
const leaving = new Set();

/** Takes a portal link's token out of the address, before anything else can see or keep it. */
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.replace(/^#\/?/, ''));
  const token = location.hash.startsWith('#/') ? null : given.get('token');
  if (token) {
    const endpoint = given.get('endpoint') ?? given.get('endpoint_id');
    const place = endpoint ? `#/endpoints/${encodeURIComponent(endpoint)}` : '#/endpoints';
    history.replaceState(null, '', location.pathname + location.search + place);
    signIn(token);
    remember(ONLY, endpoint);
  }
  return Boolean(token);
}

/** Keeps a key for this tab. */
export function signIn(token) {
  key = token.trim();
  keep('setItem', NAME, key);
}

/** Forgets it, and everything else that was kept. */
export function signOut(reason = '') {
  key = null;
  keep('clear');
  for (const tell of leaving) tell(reason);
}

export function onSignOut(tell) {
  leaving.add(tell);
}

/** The key, or nothing. */
export function currentKey() {
  key ??= keep('getItem', NAME);
  return key;
}

/** Whether somebody came by a portal link, which deletes nothing. */
export const isVisitor = () => Boolean(currentKey()?.startsWith('rwp_'));

/** Whether endpoints can be created: not by a link for one endpoint. */
export const mayCreate = () => !(isVisitor() && recall(ONLY));

/** Small things to remember until the tab is closed, such as a job that is under way. */
export function remember(name, value) {
  if (value === null) keep('removeItem', `webhooks.${name}`);
  else keep('setItem', `webhooks.${name}`, JSON.stringify(value));
}

export function recall(name) {
  try {
    return JSON.parse(keep('getItem', `webhooks.${name}`) ?? 'null');
  } catch {
    return null;
  }
}

/** A browser may refuse storage in a frame; then the key lives in this variable alone. */
function keep(method, ...values) {
  try {
    return sessionStorage[method](...values);
  } catch {
    return null;
  }
}
