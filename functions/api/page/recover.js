// Sending again in bulk: how many there are, how far it is, and a brake.
import { button, el, fill, freshId, say } from './dom.js';
import { endpoints, recoveries } from './api.js';
import { confirm, explain } from './dialog.js';
import { asQuery } from './filters.js';
import { recall, remember } from './session.js';
import { every } from './when.js';
import { count } from './words.js';

const OVER = ['finished', 'cancelled'];

/** How many deliveries a range holds, as a text; null for none, or if the API cannot say. */
export async function howMany(endpoint, range) {
  try {
    const counted = await endpoints.recover(endpoint.id, { ...range, dry_run: true });
    if (counted.total === 0) return null;
    return `${counted.at_least ? 'More than ' : ''}${counted.total.toLocaleString('en')}`;
  } catch {
    return null;
  }
}

/** Starts sending a range again; answers the job. */
export async function recover(endpoint, range) {
  const job = await endpoints.recover(endpoint.id, range);
  remember(`job.${endpoint.id}`, job.id);
  return job;
}

/** The job that this tab started and has not seen the end of. */
export async function underWay(endpoint) {
  const id = recall(`job.${endpoint.id}`);
  if (!id) return null;
  return recoveries.show(id).catch(() => null);
}

/** How far a job is, up to date until its end. */
export function progress(job, endpoint, signal, moved, over) {
  const label = el('p', { id: freshId() });
  const bar = el('progress', { 'aria-labelledby': label.id });
  const cancel = button('Cancel', () =>
    confirm(
      'Stop sending again?',
      'What has been sent stays sent. The rest stays as it is, and can be sent again later.',
      'Stop sending',
      () => recoveries.cancel(job.id).then(look),
    ),
  );
  const node = el('div', { class: 'notice idle' }, label, bar, cancel);
  const stopped = new AbortController();
  let done = job.done;
  signal.addEventListener('abort', () => stopped.abort());

  function show(now) {
    const total = now.total ?? 0;
    const ended = OVER.includes(now.status);
    if (ended || now.done !== done) moved();
    done = now.done;
    if (total) bar.setAttribute('max', total);
    if (now.total !== undefined) bar.setAttribute('value', now.done ?? 0);
    say(label, `${ended ? verdict(now) : 'Sending again'}: ${tally(now)}`);
    if (!ended) return;
    stopped.abort();
    cancel.remove();
    bar.remove();
    remember(`job.${endpoint.id}`, null);
    node.append(button('Dismiss', () => node.remove(), { class: 'quiet' }));
    over(now);
  }
  async function look() {
    show(await recoveries.show(job.id));
  }
  show(job);
  if (!stopped.signal.aborted) every(() => 1000, look, stopped.signal);
  return node;
}

const verdict = ({ status }) => (status === 'cancelled' ? 'Stopped' : 'Sent again');

function tally({ total, done = 0, succeeded = 0, failed = 0 }) {
  const of =
    total === undefined
      ? `${done}`
      : `${done.toLocaleString('en')} of ${total.toLocaleString('en')}`;
  return (
    `${of} done, ${succeeded.toLocaleString('en')} delivered, ` +
    `${failed.toLocaleString('en')} failed.`
  );
}

/** Re-sends all that a log of failed or unsent ones shows, and what is older; else null. */
export function resendAll(endpoint, filters, begun) {
  const { status, from = '1970-01-01T00:00:00Z', to, event } = asQuery(filters);
  if (filters.find || event || !['failed', 'skipped'].includes(filters.show)) return null;
  const label = 'Re-send all';
  const problem = el('p', { class: 'problem', role: 'alert' });
  const ask = button(label, async () => {
    const range = { status, from, to: to ?? new Date().toISOString() };
    fill(problem);
    const many = await howMany(endpoint, range);
    if (!many) return fill(problem, 'Nothing here can be sent again.');
    const text = `${many} in all, those further down included. Each is sent at once.`;
    const job = await confirm(`${label}?`, text, label, () => recover(endpoint, range));
    return job && begun(job);
  });
  return el('div', { class: 'actions resend' }, ask, problem);
}

/** "Re-send missed events", after an endpoint was switched on again. */
export function missed(endpoint, { skipped, failed, from, to, at_least: more }, begun) {
  const all = count(skipped + failed, 'event');
  const range = { from, to };
  return offer(
    `While this endpoint was disabled it missed ${more ? 'more than ' : ''}${all}.`,
    more ? 'Re-send all of them' : `Re-send ${all.replace(' ', ' missed ')}`,
    endpoint,
    range,
    begun,
  );
}

/** "Your endpoint answers again", with what still waits for its next attempt. */
export function answersAgain(endpoint, waiting, range, begun) {
  return offer(
    `Your endpoint answers again. ${waiting} waiting.`,
    'Send now',
    endpoint,
    range,
    begun,
    'ok',
  );
}

function offer(text, label, endpoint, range, begun, tone = 'warn') {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const node = el(
    'div',
    { class: `notice ${tone}` },
    el('p', {}, text),
    button(
      label,
      async () => {
        try {
          const job = await recover(endpoint, range);
          node.remove();
          begun(job);
        } catch (refusal) {
          fill(problem, explain(refusal));
        }
      },
      { class: 'primary' },
    ),
    button('Not now', () => node.remove(), { class: 'quiet' }),
    problem,
  );
  return node;
}
