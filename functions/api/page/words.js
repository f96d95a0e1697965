// States and outcomes in people's words. Each has an icon and a word; colour only repeats it.
import { el, icon } from './dom.js';
import { countdown, moment } from './when.js';

const STATES = {
  pending: ['clock', 'Sending', 'busy'],
  retrying: ['again', 'Retrying', 'warn'],
  succeeded: ['check', 'Delivered', 'ok'],
  failed: ['cross', 'Permanently failed', 'bad'],
  skipped: ['skip', 'Not sent: endpoint was disabled', 'idle'],
};

/** A delivery's state as icon and words. */
export function state(delivery) {
  const [drawing, word, tone] = STATES[delivery.status] ?? ['clock', delivery.status, 'idle'];
  return el('span', { class: `state ${tone}` }, icon(drawing), word);
}

/** What happens next, or why nothing does; nothing for what was delivered. */
export function next(delivery) {
  switch (delivery.status) {
    case 'pending':
      return delivery.next_attempt_at
        ? ['First attempt ', countdown(delivery.next_attempt_at)]
        : null;
    case 'retrying':
      return delivery.next_attempt_at
        ? ['Next attempt ', countdown(delivery.next_attempt_at, 'is being made')]
        : [noneLeft(delivery)];
    case 'failed':
      return [ended(delivery)];
    default:
      return null;
  }
}

function noneLeft(delivery) {
  return (
    `No attempts left; marked failed at ${moment(delivery.gives_up_at)}. Retry Now ` +
    `still works.`
  );
}

function ended({ reason, attempts }) {
  switch (reason) {
    case 'exhausted':
      return (
        `All ${attempts.filter((one) => one.trigger === 'schedule').length} attempts ` +
        `failed. Retry Now still works.`
      );
    case 'endpoint_disabled':
      return 'The endpoint was disabled before it answered.';
    case 'endpoint_deleted':
      return 'The endpoint was deleted.';
    case 'cancelled':
      return 'Cancelled by hand.';
    default:
      return '';
  }
}

const OUTCOMES = {
  succeeded: 'OK',
  http_status: 'Refused',
  timeout: 'Timed out',
  connection_refused: 'Connection refused',
  connection_reset: 'Connection broken off',
  dns: 'Name not found',
  tls: 'TLS problem',
  network_unreachable: 'Network unreachable',
  blocked_address: 'Address not allowed',
  protocol_error: 'Not an HTTP answer',
};

/** What an attempt met, in a few words: `503 · Server error`. */
export function outcome(attempt) {
  const { outcome: kind, http_status: status } = attempt;
  if (kind === 'succeeded') return `${status ?? ''} OK`.trim();
  if (kind === 'http_status') return `${status} ${statusClass(status)}`;
  return OUTCOMES[kind] ?? kind;
}

function statusClass(status) {
  if (status >= 500) return 'Server error';
  if (status === 429) return 'Too many requests';
  if (status === 401 || status === 403) return 'Not let in';
  if (status === 404) return 'No such path';
  if (status >= 400) return 'Refused';
  if (status >= 300) return 'Redirect';
  return 'Unexpected answer';
}

const TRIGGERS = { manual: 'Retry Now', recover: 'Re-sent', test: 'Test', schedule: '' };
export const trigger = (attempt) => TRIGGERS[attempt.trigger] ?? attempt.trigger;

/** Where to look, for someone who would rather be asleep. */
export function advice(attempt) {
  const status = attempt.http_status;
  switch (attempt.outcome) {
    case 'http_status':
      return forStatus(status, attempt.at);
    case 'timeout':
      return 'Answer 2xx as soon as the event is stored, and do the work afterwards.';
    case 'tls':
      return 'We only send to certificates of public authorities, valid for the host in the URL.';
    case 'succeeded':
      return '';
    default:
      return attempt.error
        ? ''
        : "Check that the address in the endpoint's URL is right and reachable.";
  }
}

function forStatus(status, at) {
  if (status === 401 || status === 403) {
    return (
      'Your server did not accept who we are. If it verifies signatures, try the ' +
      'signature checker.'
    );
  }
  if (status === 404 || status === 405)
    return "Check the path in the endpoint's URL: it must take POST.";
  if (status === 413)
    return 'Events can be up to 256 KiB; raise the limit of your server or proxy.';
  if (status === 429) return 'Set "At most per second" on the endpoint, and we go slower.';
  if (status >= 500)
    return (
      `Your server failed while handling it. Look into its log at ` +
      `${moment(at, { seconds: true })}.`
    );
  if (status >= 300 && status < 400)
    return 'Redirects are not followed: put the final address into the endpoint.';
  return 'Only 200 to 299 count as received.';
}

/** How an endpoint is doing: icon, word, tone and a line that explains. */
export function health(endpoint) {
  if (endpoint.status === 'disabled') {
    const since = endpoint.disabled_at ? ` since ${moment(endpoint.disabled_at)}` : '';
    return endpoint.disabled_reason === 'failing'
      ? {
          tone: 'bad',
          mark: 'stop',
          word: 'Disabled',
          why: `Switched off${since}: every attempt had failed for days.`,
        }
      : { tone: 'idle', mark: 'stop', word: 'Disabled', why: `Switched off by hand${since}.` };
  }
  if (endpoint.failing_since) {
    const then = endpoint.disable_due_at
      ? ` It will be disabled on ${moment(endpoint.disable_due_at, { day: true })} unless ` +
        `an attempt succeeds.`
      : '';
    return {
      tone: 'warn',
      mark: 'warn',
      word: 'Failing',
      why: `Failing since ${moment(endpoint.failing_since)}.${then}`,
    };
  }
  return { tone: 'ok', mark: 'check', word: 'Enabled', why: '' };
}

/** The chip that says it. */
export function healthChip(endpoint) {
  const { tone, mark, word } = health(endpoint);
  return el('span', { class: `state ${tone}` }, icon(mark), word);
}

/** `1 event`, `1,240 events`. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}
