// What of the log is shown. The choice stands in the address, fit to be sent to a colleague.
import { el, freshId } from './dom.js';
import { eventTypes } from './api.js';

const STATUSES = {
  all: ['All', []],
  failed: ['Failed', ['retrying', 'failed']],
  delivered: ['Delivered', ['succeeded']],
  skipped: ['Not sent', ['skipped']],
};
const WITHIN = {
  '': 'Any time',
  1: 'Last hour',
  24: 'Last 24 hours',
  168: 'Last 7 days',
  between: 'Between …',
};

/** The filters in an address's query. */
export function read(query) {
  return {
    show: 'all',
    event: '',
    within: '',
    from: '',
    to: '',
    find: '',
    ...Object.fromEntries(query),
  };
}

/** The query of an address, without what says nothing. */
export function write(filters) {
  const said = Object.entries(filters).filter(
    ([name, value]) => value && !(name === 'show' && value === 'all'),
  );
  return said.length ? `?${new URLSearchParams(said)}` : '';
}

export const isOpen = (filters) => write(filters) === '';

/** The filters as the API takes them. */
export function asQuery(filters, now = Date.now()) {
  const hours = Number(filters.within);
  const local = (text) => (text ? new Date(text).toISOString() : undefined);
  const between = filters.within === 'between';
  return {
    status: statuses(filters),
    event: filters.event,
    from: hours
      ? new Date(now - hours * 3_600_000).toISOString()
      : between
        ? local(filters.from)
        : undefined,
    to: between ? local(filters.to) : undefined,
  };
}

const statuses = (filters) => (STATUSES[filters.show] ?? STATUSES.all)[1];

/** Whether a delivery that has just appeared belongs into what is shown. */
export function takes(filters, delivery) {
  const { status, event, from, to } = asQuery(filters);
  return (
    (!status.length || status.includes(delivery.status)) &&
    (!event || event === delivery.event) &&
    (!from || delivery.created_at >= from) &&
    (!to || delivery.created_at < to)
  );
}

/** The bar of filters; `go(filters)` shows the log anew. It stays, and so does the focus. */
export function bar(first, go) {
  let filters = first;
  const change = (some) => {
    filters = { ...filters, find: '', ...some };
    show();
    go(filters);
  };
  const tabs = Object.entries(STATUSES).map(([name, [word]]) => [
    name,
    el('button', { type: 'button', class: 'small', onclick: () => change({ show: name }) }, word),
  ]);
  const names = el('datalist', { id: freshId() });
  eventTypes().then((types) =>
    names.append(...types.map((type) => el('option', { value: type.event }))),
  );
  const words = { type: 'text', autocapitalize: 'none', spellcheck: 'false' };
  const event = el('input', { ...words, list: names.id, placeholder: 'Any event' });
  event.addEventListener('change', () => change({ event: event.value.trim() }));
  const within = el(
    'select',
    {},
    Object.entries(WITHIN).map(([value, word]) => el('option', { value }, word)),
  );
  within.addEventListener('change', () => change({ within: within.value }));
  const [from, to] = ['from', 'to'].map((name) => {
    const input = el('input', { type: 'datetime-local' });
    input.addEventListener('change', () => change({ [name]: input.value }));
    return input;
  });
  const find = el('input', { ...words, type: 'search', placeholder: 'evt_… or your own id' });
  const between = [labelled('From', from), labelled('To', to)];

  function show() {
    for (const [name, tab] of tabs) {
      tab.setAttribute('aria-pressed', filters.show === name && !filters.find);
    }
    for (const node of between) node.hidden = filters.within !== 'between';
    [event.value, within.value, from.value] = [filters.event, filters.within, filters.from];
    [to.value, find.value] = [filters.to, filters.find];
  }

  show();
  const submit = (submitted) => {
    submitted.preventDefault();
    change({ find: find.value.trim() });
  };
  return el(
    'div',
    { class: 'filters', role: 'search', 'aria-label': 'Delivery log' },
    el(
      'div',
      { class: 'segments', role: 'group', 'aria-label': 'Status' },
      tabs.map(([, tab]) => tab),
    ),
    labelled('Event', event),
    names,
    labelled('Time', within),
    between,
    el(
      'form',
      { onsubmit: submit },
      labelled('Find by event id', find),
      el('button', { type: 'submit' }, 'Find'),
    ),
  );
}

function labelled(text, input) {
  input.id = freshId();
  return el('div', { class: 'inline' }, el('label', { for: input.id }, text), input);
}
