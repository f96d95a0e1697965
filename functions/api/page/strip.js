// The last deliveries at a glance: a bar each, oldest left. Height says what colour repeats.
import { el, fill, svg } from './dom.js';
import { moment } from './when.js';
import { count } from './words.js';

export const SHOWN = 100;
const STEP = 8;
const HEIGHT = 32;
// Status -> height of the bar, word in the summary.
const BARS = {
  succeeded: [12, 'delivered'],
  pending: [6, 'sending'],
  retrying: [22, 'retrying'],
  failed: [30, 'failed'],
  skipped: [3, 'not sent'],
};

/** A strip; `show` takes deliveries, newest first. */
export function strip() {
  const drawing = svg('svg', {
    class: 'strip',
    viewBox: `0 0 ${SHOWN * STEP} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
  });
  const summary = el('figcaption', { class: 'muted' });
  const node = el('figure', { hidden: true }, drawing, summary);
  const show = (deliveries) => {
    const shown = deliveries.slice(0, SHOWN);
    node.hidden = shown.length === 0;
    const text = summed(shown);
    drawing.setAttribute('aria-label', text);
    fill(
      drawing,
      shown.map((one, nth) => bar(one, SHOWN - 1 - nth)),
    );
    fill(summary, text);
  };
  return { node, show };
}

function bar({ status, event, created_at: at }, place) {
  const [height, word] = BARS[status] ?? BARS.pending;
  return svg(
    'rect',
    { class: `bar ${status}`, x: place * STEP + 1, y: HEIGHT - height, width: STEP - 2, height },
    svg('title', {}, `${moment(at)} ${event}: ${word}`),
  );
}

function summed(deliveries) {
  const parts = Object.entries(BARS)
    .map(([status, [, word]]) => [deliveries.filter((one) => one.status === status).length, word])
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${number} ${word}`);
  return `Last ${count(deliveries.length, 'delivery', 'deliveries')}: ${parts.join(', ')}`;
}
