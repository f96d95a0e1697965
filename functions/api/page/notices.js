// What the owner of an endpoint should know right now, above its log.
import { button, el, fill } from './dom.js';
import { answersAgain, howMany, missed, progress, underWay } from './recover.js';
import { health } from './words.js';

/** No delivery waits longer than this (design 3.4), with time to spare for a backlog of ours. */
const OPEN_AT_MOST_MS = 8 * 86_400_000;

/** The place for notices. `enable()` switches the endpoint on. */
export function notices(signal, { enable, moved, reread }) {
  const standing = el('div');
  const [again, meanwhile, progressing] = [el('div'), el('div'), el('div')];
  let offered = null;
  let job = null;

  function begun(endpoint) {
    return (started) => {
      job = started;
      fill(
        progressing,
        progress(started, endpoint, signal, moved, () => {
          job = null;
          offered = null;
          reread();
        }),
      );
    };
  }

  return {
    node: el('div', { class: 'notices' }, standing, progressing, meanwhile, again),

    begun,

    /** State that lasts. */
    show(endpoint) {
      const { why, tone } = health(endpoint);
      fill(
        standing,
        why &&
          el(
            'div',
            { class: `notice ${tone}` },
            el('p', {}, why),
            endpoint.status === 'disabled' && button('Enable', enable, { class: 'primary' }),
          ),
      );
    },

    /** After enabling: what came meanwhile. */
    missed(endpoint, what) {
      if (what && what.skipped + what.failed > 0)
        fill(meanwhile, missed(endpoint, what, begun(endpoint)));
    },

    /** Picks up a job that was under way when the page was left. */
    async resume(endpoint) {
      const found = await underWay(endpoint);
      if (found) begun(endpoint)(found);
    },

    /** Offers to send what waits, as soon as a later attempt was answered well. */
    async look(endpoint, recent) {
      if (job || endpoint.status !== 'enabled') return;
      const good = latestSuccess(recent);
      const waits = recent.some(
        (one) => one.status === 'retrying' && one.attempts.length && one.attempts.at(-1).at < good,
      );
      if (!waits) {
        if (offered) fill(again);
        offered = null;
        return;
      }
      if (offered) return;
      offered = true;
      const now = Date.now();
      const range = {
        from: new Date(now - OPEN_AT_MOST_MS).toISOString(),
        to: new Date(now).toISOString(),
        status: ['retrying'],
      };
      const waiting = await howMany(endpoint, range);
      if (waiting) fill(again, answersAgain(endpoint, waiting, range, begun(endpoint)));
    },
  };
}

function latestSuccess(recent) {
  const times = recent
    .flatMap((one) => one.attempts)
    .filter((one) => one.outcome === 'succeeded')
    .map((one) => one.at);
  return times.sort().at(-1) ?? '';
}
