// The calls this page makes (design 4.3). Addresses are relative to wherever the page is.
import { currentKey, signOut } from './session.js';

/** What the API said no with; `code` is for us, the message for people. */
export class Refusal extends Error {
  constructor(status, body) {
    super(sentence(body?.message) || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.error ?? '';
    this.field = body?.field;
  }
}

function sentence(text) {
  return text && `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

async function call(method, path, body, headers = {}) {
  const options = { method, headers: { Authorization: `Bearer ${currentKey()}`, ...headers } };
  options.referrerPolicy = 'no-referrer';
  options.credentials = 'omit';
  if (body) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(new URL(`v1/${path}`, document.baseURI), options);
  } catch {
    throw new Refusal(0, {
      error: 'offline',
      message: 'No connection to the server. Trying again helps',
    });
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    /* a gateway's own page: the status says enough */
  }
  if (response.ok) return answer;
  const refusal = new Refusal(response.status, answer);
  if (response.status === 401)
    signOut('This key or link does not work: it is wrong, expired or revoked.');
  throw refusal;
}

const get = (path, query) => call('GET', path + search(query));
const post = (path, body = {}) => call('POST', path, body);
const of = (kind, id, below = '') => `${kind}/${encodeURIComponent(id)}${below}`;

function search(query = {}) {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== '') pairs.append(name, one);
  }
  return pairs.size ? `?${pairs}` : '';
}

export const endpoints = {
  list: (query) => get('endpoints', query),
  show: (id) => get(of('endpoints', id)),
  create: (body, once) => call('POST', 'endpoints', body, { 'X-Idempotency-Key': once }),
  change: (id, body) => call('PATCH', of('endpoints', id), body),
  remove: (id) => call('DELETE', of('endpoints', id)),
  enable: (id) => post(of('endpoints', id, '/enable')),
  disable: (id) => post(of('endpoints', id, '/disable')),
  rotate: (id) => post(of('endpoints', id, '/rotate-secret')),
  finish: (id) => post(of('endpoints', id, '/rotate-secret/finish')),
  test: (id, event) => post(of('endpoints', id, '/test'), { event }),
  deliveries: (id, query) => get(of('endpoints', id, '/deliveries'), query),
  recover: (id, body) => post(of('endpoints', id, '/recover'), body),
};
export const deliveries = {
  show: (id) => get(of('deliveries', id)),
  retry: (id) => post(of('deliveries', id, '/retry')),
};
export const events = {
  show: (id) => get(of('events', id)),
  find: (query) => get('events', query),
};
export const recoveries = {
  show: (id) => get(of('recoveries', id)),
  cancel: (id) => post(of('recoveries', id, '/cancel')),
};

let types;
/** The published kinds of events; read once. */
export function eventTypes() {
  types ??= get('event-types').then(
    (page) => page.data,
    () => (types = undefined) ?? [],
  );
  return types;
}
