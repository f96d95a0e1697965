// Times as people say them, and the one clock that all countdowns on the page follow.
import { el, say } from './dom.js';

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });
const SHORT = new Intl.DateTimeFormat(undefined, { timeStyle: 'short', hourCycle: 'h23' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

/** `09:39` today, `7 Jun, 09:39` on other days, or if the day is asked for. */
export function moment(iso, { seconds = false, day = false, now = new Date() } = {}) {
  const at = new Date(iso);
  const time = (seconds ? TIME : SHORT).format(at);
  return !day && at.toDateString() === now.toDateString() ? time : `${DAY.format(at)}, ${time}`;
}

/** A time in the reader's zone; pointing at it shows the exact one in UTC. */
export function time(iso, options) {
  return el('time', { datetime: iso, title: iso }, moment(iso, options));
}

/** `4 min 12 s`, `2 h 10 min`, `3 days 4 h`: the two largest parts. */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(s / 86400), s >= 172800 ? 'days' : 'day'],
    [Math.floor(s / 3600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'min'],
    [s % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

/** `850 ms`, `3.2 s`. */
export function duration(ms) {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const ticking = new Map();

/** A text that is said anew every second, for as long as the node is on the page. */
export function ticker(text, attributes = {}) {
  const node = el('span', attributes, text());
  ticking.set(node, text);
  return node;
}

setInterval(() => {
  for (const [node, text] of ticking) {
    if (node.isConnected) {
      node.seen = true;
      say(node, text());
    } else if (node.seen) ticking.delete(node);
  }
}, 1000);

/** `in 4 min 12 s`, second by second; `due` once it is over. */
export function countdown(iso, due = 'now') {
  const left = () => new Date(iso) - Date.now();
  return ticker(() => (left() > 0 ? `in ${span(left())}` : due), { title: iso, class: 'count' });
}

/** Does something again and again while the view is there and somebody looks at it. */
export function every(ms, work, signal) {
  let timer;
  let failures = 0;
  const plan = () => {
    clearTimeout(timer);
    if (!signal.aborted && !document.hidden) timer = setTimeout(run, ms() * 2 ** failures);
  };
  const run = async () => {
    try {
      await work();
      failures = 0;
    } catch {
      failures = Math.min(failures + 1, 5);
    }
    plan();
  };
  const look = () => (document.hidden ? clearTimeout(timer) : run());
  document.addEventListener('visibilitychange', look, { signal });
  signal.addEventListener('abort', () => clearTimeout(timer));
  plan();
}

/** Waits, or stops waiting when the view goes away. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
