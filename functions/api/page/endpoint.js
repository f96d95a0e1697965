// One endpoint: how it is doing, what can be done with it, and its delivery log.
import { button, el, fill } from './dom.js';
import { endpoints } from './api.js';
import { confirm } from './dialog.js';
import { edit } from './edit.js';
import { bar, isOpen, read, write } from './filters.js';
import { LATEST, isDue, latest, log } from './log.js';
import { notices } from './notices.js';
import { plain } from './plain.js';
import { resendAll } from './recover.js';
import { rotate } from './secrets.js';
import { strip, SHOWN } from './strip.js';
import { teach } from './teach.js';
import { sendTest } from './test_event.js';
import { every } from './when.js';
import { healthChip } from './words.js';
import { subscriptions } from './endpoints.js';

const BUSY_MS = 2_000;
const QUIET_MS = 12_000;
/** After this long without news the log is looked at less often. */
const QUIET_AFTER_MS = 120_000;
/** The endpoint itself is read again at every so-manieth look. */
const LOOKS_PER_READING = 5;

export async function endpointView({ id, query }, signal) {
  let filters = read(query);
  const [found, first] = await Promise.all([endpoints.show(id), latest(id, SHOWN)]);
  let endpoint = found;
  const chip = el('span');
  const name = el('h1', { class: 'mono wrap' });
  const about = el('p', { class: 'muted wrap' });
  const actions = el('div', { class: 'actions' });
  const drawn = strip();
  const recent = new Map();
  let newsAt = Date.now();
  let looks = 0;

  // While a job sends again, and for two looks after it, more than the latest rows change.
  let stale = 0;
  const moved = () => {
    stale = 2;
    newsAt = Date.now();
  };
  const told = notices(signal, { enable: () => enable(), moved, reread: () => look() });
  const place = el('div');
  let leaveLog = new AbortController();
  let table = null;

  /** Shows the log as it is filtered; the rest of the view stays as it is. */
  async function openLog(wanted, page) {
    filters = wanted;
    leaveLog.abort(new DOMException('left', 'AbortError'));
    leaveLog = new AbortController();
    const both = AbortSignal.any([signal, leaveLog.signal]);
    const opened = log(endpoint, filters, both, { empty, changed });
    table = opened;
    fill(place, resendAll(endpoint, filters, told.begun(endpoint)), opened.node);
    await opened.start(page);
  }

  function filterBy(wanted) {
    const address = `#/endpoints/${encodeURIComponent(id)}${write(wanted)}`;
    history.pushState(null, '', address);
    openLog(wanted).catch((problem) => fill(place, el('p', { class: 'problem' }, problem.message)));
  }

  function show() {
    fill(name, el('bdi', {}, plain(endpoint.url)));
    fill(chip, healthChip(endpoint));
    fill(
      about,
      [endpoint.description && plain(endpoint.description), subscriptions(endpoint), endpoint.id]
        .filter(Boolean)
        .join(' · '),
    );
    const isOn = endpoint.status === 'enabled';
    const label = isOn ? 'Disable' : 'Enable';
    if (actions.dataset.shown !== label) {
      actions.dataset.shown = label;
      fill(
        actions,
        button('Send test event', () => sendTest(endpoint).then(look), { class: 'primary' }),
        button('Edit', () => edit(endpoint).then(changeTo)),
        button('Rotate secret', () => rotate(endpoint)),
        isOn ? button('Disable', disable) : button('Enable', enable),
      );
    }
    told.show(endpoint);
  }

  function changeTo(newer) {
    if (!newer?.id) return;
    endpoint = newer;
    show();
  }

  async function enable() {
    const enabled = await endpoints.enable(id);
    changeTo(enabled);
    told.missed(enabled, enabled.missed);
  }

  async function disable() {
    await confirm(
      'Disable this endpoint?',
      [
        'Nothing will be sent to it until it is enabled again. What is waiting ends as failed.',
        'When you enable it, you can have all that it missed sent again.',
      ],
      'Disable',
      async () => changeTo(await endpoints.disable(id)),
      { danger: true },
    );
  }

  /** A success may end a failure: the next look reads the endpoint, too. */
  function changed(delivery) {
    note([delivery]);
    if (endpoint.failing_since && delivery.status === 'succeeded') looks = LOOKS_PER_READING - 1;
  }

  /** Takes note of deliveries as they are now. */
  function note(newer) {
    for (const delivery of newer) {
      if (JSON.stringify(recent.get(delivery.id)) !== JSON.stringify(delivery)) newsAt = Date.now();
      recent.set(delivery.id, delivery);
    }
    const ordered = [...recent.values()]
      .sort((a, b) => (a.created_at < b.created_at ? 1 : -1))
      .slice(0, SHOWN);
    recent.clear();
    for (const delivery of ordered) recent.set(delivery.id, delivery);
    drawn.show(ordered);
    told.look(endpoint, ordered);
  }

  async function look() {
    const older = [...recent.values()].slice(LATEST);
    let page = await latest(id, stale || older.some(isDue) ? SHOWN : LATEST);
    const leavesGap = ({ data, next_cursor: more }) =>
      more && !data.some(({ id: one }) => recent.has(one));
    if (leavesGap(page)) page = await latest(id, SHOWN);
    if (signal.aborted) return;
    const isNewPage = leavesGap(page) && isOpen(filters);
    note(page.data);
    await (isNewPage ? table.restart(page) : table.refresh(page.data));
    if (stale > 0) {
      stale -= 1;
      await table.reread();
    }
    looks += 1;
    if (looks % LOOKS_PER_READING === 0) changeTo(await endpoints.show(id));
  }

  function empty() {
    return el(
      'section',
      { class: 'card' },
      el('h2', {}, 'Nothing was delivered yet'),
      el(
        'p',
        {},
        'The first event of ',
        el('b', {}, subscriptions(endpoint)),
        ' will appear here by itself, with every attempt. ',
        'To see one now, send a test event.',
      ),
      teach(),
    );
  }

  show();
  note(first.data);
  await openLog(filters, first);
  told.resume(endpoint);
  every(() => (Date.now() - newsAt < QUIET_AFTER_MS ? BUSY_MS : QUIET_MS), look, signal);
  return el(
    'div',
    {},
    el('p', { class: 'back' }, el('a', { href: '#/endpoints' }, 'All endpoints')),
    el('div', { class: 'title' }, name, chip),
    about,
    actions,
    told.node,
    drawn.node,
    el('h2', {}, 'Delivery log'),
    bar(filters, filterBy),
    place,
  );
}
