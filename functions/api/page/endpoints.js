// All endpoints, with how they are doing at a glance.
import { button, el, fill } from './dom.js';
import { endpoints } from './api.js';
import { edit } from './edit.js';
import { plain } from './plain.js';
import { mayCreate } from './session.js';
import { strip, SHOWN } from './strip.js';
import { teach } from './teach.js';
import { every } from './when.js';
import { count, health, healthChip } from './words.js';

/** A card that is scrolled to and fro is not read each time. */
const AT_MOST_EVERY_MS = 20_000;

/** The list. */
export async function endpointsView(_, signal) {
  const cards = el('ul', { class: 'cards' });
  const more = button('Show more', () => read(cursor), { hidden: true });
  const found = new Map();
  let cursor = null;

  async function read(from = null) {
    const page = await endpoints.list({ limit: 100, cursor: from ?? undefined });
    // What fails comes first.
    const rank = (one) => (one.failing_since ? 0 : 1);
    page.data.sort((a, b) => rank(a) - rank(b)).forEach(put);
    if (from || !cursor) cursor = page.next_cursor;
    more.hidden = !cursor;
    fill(nothing, found.size === 0 && empty());
    summary.textContent = found.size ? summed([...found.values()].map((one) => one.endpoint)) : '';
  }

  function put(endpoint) {
    const known = found.get(endpoint.id);
    if (known) {
      known.endpoint = endpoint;
      return known.show(endpoint);
    }
    const made = card(endpoint, signal);
    found.set(endpoint.id, { ...made, endpoint });
    return cards.append(made.node);
  }

  const create = () =>
    edit(
      null,
      [...found.values()].map((one) => one.endpoint),
    );
  const nothing = el('div');
  const summary = el('p', { class: 'muted' });
  const empty = () =>
    el(
      'section',
      { class: 'card' },
      el('h2', {}, 'No endpoints yet'),
      el(
        'p',
        {},
        'An endpoint is an HTTPS address of yours. We POST every event you subscribe to, ' +
          'signed, and keep a record of each attempt.',
      ),
      mayCreate() &&
        el(
          'div',
          { class: 'actions' },
          button('Create your first endpoint', create, { class: 'primary' }),
        ),
      teach(),
    );

  await read();
  every(
    () => 30_000,
    () => read(),
    signal,
  );
  return el(
    'div',
    {},
    el(
      'div',
      { class: 'title' },
      el('div', {}, el('h1', {}, 'Endpoints'), summary),
      mayCreate() && button('Create endpoint', create),
    ),
    nothing,
    cards,
    more,
  );
}

function summed(all) {
  const failing = all.filter((one) => one.failing_since && one.status === 'enabled').length;
  const disabled = all.filter((one) => one.status === 'disabled').length;
  return [
    count(all.length, 'endpoint'),
    failing && `${failing} failing`,
    disabled && `${disabled} disabled`,
  ]
    .filter(Boolean)
    .join(', ');
}

function card(first, signal) {
  const chip = el('span');
  const why = el('p', { class: 'muted' });
  const name = el('a', { href: `#/endpoints/${encodeURIComponent(first.id)}`, class: 'mono wrap' });
  const about = el('p', { class: 'muted wrap' });
  const drawn = strip();
  const node = el(
    'li',
    { class: 'card' },
    el('div', { class: 'title' }, el('h2', {}, name), chip),
    about,
    why,
    drawn.node,
  );
  const show = (endpoint) => {
    fill(name, el('bdi', {}, plain(endpoint.url)));
    fill(chip, healthChip(endpoint));
    fill(
      about,
      [
        endpoint.description && plain(endpoint.description),
        subscriptions(endpoint),
        endpoint.account_id,
      ]
        .filter(Boolean)
        .join(' · '),
    );
    fill(why, health(endpoint).why);
    draw();
  };
  const draw = whileSeen(node, signal, async () =>
    drawn.show((await endpoints.deliveries(first.id, { limit: SHOWN })).data),
  );
  show(first);
  return { node, show };
}

/** `All events of telnxo, platform p1`, or which. */
export function subscriptions({ event_types: types, product, platform_id: platform }) {
  const of = [product, platform && `platform ${plain(platform)}`].filter(Boolean).join(', ');
  const which = types.includes('*') ? 'All events' : types.map(plain).join(', ');
  return of ? `${which} of ${of}` : which;
}

/** Reads only for what somebody looks at: as it comes into sight, and then when asked to. */
function whileSeen(node, signal, work) {
  let isSeen = false;
  let next = 0;
  const draw = () => {
    if (!isSeen || signal.aborted || Date.now() < next) return;
    next = Date.now() + AT_MOST_EVERY_MS;
    work().catch(() => {});
  };
  const observer = new IntersectionObserver((seen) => {
    isSeen = seen.at(-1).isIntersecting;
    draw();
  });
  observer.observe(node);
  signal.addEventListener('abort', () => observer.disconnect());
  return draw;
}
