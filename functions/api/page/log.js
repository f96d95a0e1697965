// The delivery log of an endpoint: newest first, kept up to date, read on as far as one scrolls.
import { announce, button, el, fill } from './dom.js';
import { deliveries, endpoints } from './api.js';
import { asQuery, isOpen, takes } from './filters.js';
import { find } from './find.js';
import { row } from './row.js';
import { count } from './words.js';

export const LATEST = 20;
const LOOKED_AFTER = 5;
/** So far back a job's work is followed: pages, and rows in each. */
const [PAGES, ROWS] = [5, 100];

/** The log. `empty()` is what to show where there is nothing at all. */
export function log(endpoint, filters, signal, { empty, changed }) {
  const rows = new Map();
  const list = el('ol', { class: 'log' });
  const note = el('p', { class: 'muted', role: 'status' });
  const older = button('Show older deliveries', () => readOn(), { class: 'older', hidden: true });
  const nothing = el('div');
  let cursor = null;
  const end = new IntersectionObserver(
    (seen) => seen.some((one) => one.isIntersecting) && !older.hidden && older.click(),
    { rootMargin: '200px' },
  );

  function put(delivery) {
    const known = rows.get(delivery.id);
    if (known) return known.update(delivery);
    const made = row(delivery, signal, { changed });
    const after = [...list.children].find(({ dataset }) =>
      isOlder(rows.get(dataset.id).delivery, delivery),
    );
    list.insertBefore(made.node, after ?? null);
    rows.set(delivery.id, made);
    return undefined;
  }

  async function readOn(first = null) {
    older.textContent = 'Reading …';
    if (!rows.size) fill(note, 'Reading …');
    const page =
      first ??
      (await endpoints.deliveries(endpoint.id, {
        ...asQuery(filters),
        cursor: cursor ?? undefined,
      }));
    cursor = page.next_cursor;
    page.data.forEach(put);
    older.hidden = !cursor;
    older.textContent = 'Show older deliveries';
    // Looked at anew: the end may still be in sight. Where nothing fits, a person decides to go on.
    end.unobserve(older);
    if (page.data.length) end.observe(older);
    tell();
  }

  function tell() {
    const none = rows.size === 0 && !cursor;
    const looked = cursor ? 'Nothing fits so far; older deliveries may.' : 'Nothing here fits.';
    fill(note, rows.size === 0 && !isOpen(filters) ? looked : '');
    fill(nothing, none && isOpen(filters) && empty());
  }

  /** Shows what is asked for: the first page, or what was found. */
  async function start(first) {
    if (!filters.find) return readOn(isOpen(filters) ? first : null);
    fill(note, 'Looking …');
    const found = await find(filters.find, endpoint).catch((refusal) =>
      refusal.status === 404 ? [] : Promise.reject(refusal),
    );
    found.forEach(put);
    fill(
      note,
      found.length
        ? `${count(found.length, 'delivery', 'deliveries')} of this event to this endpoint.`
        : 'No delivery of that event to this endpoint. Ids are kept for 30 days; check the ' +
            'other endpoints, too.',
    );
    return undefined;
  }

  /** Begins anew with a page, where more has come than was read. */
  function restart(page) {
    rows.clear();
    list.replaceChildren();
    return readOn(page);
  }

  /** Takes in the latest deliveries, and looks after rows whose next attempt is due. */
  async function refresh(latest) {
    const ids = new Set(latest.map((delivery) => delivery.id));
    const fresh = latest.filter(
      (delivery) => !rows.has(delivery.id) && !filters.find && takes(filters, delivery),
    );
    latest.filter((delivery) => rows.has(delivery.id)).forEach(put);
    fresh.forEach(put);
    if (fresh.length) {
      announce(`${count(fresh.length, 'new delivery', 'new deliveries')}`);
      tell();
    }
    const due = [...rows.values()]
      .map((one) => one.delivery)
      .filter((one) => !ids.has(one.id) && isDue(one));
    for (const one of due.slice(0, LOOKED_AFTER)) put(await deliveries.show(one.id));
  }

  /** Reads again what is shown and may have been sent meanwhile by a job. */
  async function reread() {
    const wanted = new Set(
      [...rows].filter(([, one]) => one.delivery.status !== 'succeeded').map(([id]) => id),
    );
    // Whatever their state is by now.
    const query = filters.find ? {} : { ...asQuery(filters), status: [] };
    let from = null;
    for (let nth = 0; nth < PAGES && wanted.size && !signal.aborted; nth += 1) {
      const page = await endpoints.deliveries(endpoint.id, {
        ...query,
        limit: ROWS,
        cursor: from ?? undefined,
      });
      if (signal.aborted) return;
      page.data.filter(({ id }) => wanted.delete(id) && rows.has(id)).forEach(put);
      from = page.next_cursor;
      if (!from) return;
    }
  }

  return { node: el('div', {}, note, list, nothing, older), start, restart, refresh, reread };
}

/** The latest deliveries, whatever the filters: for the strip and for what is new. */
export function latest(endpointId, limit = LATEST) {
  return endpoints.deliveries(endpointId, { limit });
}

function isOlder(one, other) {
  return (
    one.created_at < other.created_at || (one.created_at === other.created_at && one.id < other.id)
  );
}

/** Whether a delivery may have moved on by now. */
export function isDue({ status, next_attempt_at: at, gives_up_at: end }) {
  if (status === 'pending') return true;
  return status === 'retrying' && new Date(at ?? end) < Date.now();
}
