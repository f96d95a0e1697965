// Creating and changing an endpoint.
import { button, el, fill, freshId } from './dom.js';
import { endpoints, eventTypes } from './api.js';
import { confirm, form, open } from './dialog.js';
import { eventChoice } from './event_choice.js';
import { welcome } from './secrets.js';
import { isVisitor } from './session.js';

const PRODUCTS = [
  ['', 'Any product'],
  ['migosmtp', 'MigoSMTP'],
  ['telnxo', 'Telnxo'],
  ['rackwave', 'Rackwave'],
];

/** A form for a new endpoint, or for one that is there. Resolves with the endpoint, if changed. */
export async function edit(endpoint, others = []) {
  const types = await eventTypes();
  return open(
    endpoint ? 'Edit endpoint' : 'Create endpoint',
    (close) => {
      const fields = fieldsOf(endpoint ?? {}, types, !endpoint && accounts(others));
      const once = crypto.randomUUID();
      const save = async () => {
        const body = Object.assign({}, ...fields.map((field) => field.value()));
        if (endpoint) return close(await endpoints.change(endpoint.id, body));
        try {
          const { secret, ...made } = await endpoints.create(body, `${once}.${hashOf(body)}`);
          close(made);
          await welcome(secret);
          location.hash = `#/endpoints/${encodeURIComponent(made.id)}`;
        } catch (refusal) {
          if (refusal.field === 'account_id')
            fields.find((field) => field.name === 'account_id').node.hidden = false;
          throw refusal;
        }
        return undefined;
      };
      return form(fields, endpoint ? 'Save' : 'Create endpoint', save, [
        button('Cancel', () => close()),
        endpoint &&
          !isVisitor() &&
          button('Delete endpoint', () => remove(endpoint, close), { class: 'quiet danger-text' }),
      ]);
    },
    { wide: true },
  );
}

function fieldsOf(endpoint, types, account) {
  const rest = [
    choose('product', 'Product', PRODUCTS, endpoint.product, 'Only events of this product.'),
    field('platform_id', 'Platform id', endpoint.platform_id, {
      help: 'Only events of this platform.',
      clears: true,
    }),
    field('max_per_second', 'At most per second', endpoint.max_per_second, {
      type: 'number',
      min: 1,
      max: 10000,
      clears: true,
      help: 'Leave empty for no limit.',
    }),
    headers(endpoint.headers),
  ];
  return [
    account !== false &&
      field('account_id', 'Account', account, { hidden: account === undefined, optional: true }),
    field('url', 'URL', endpoint.url, {
      type: 'url',
      help: 'Public, and https.',
      placeholder: 'https://hooks.example.com/rackwave',
      autofocus: true,
    }),
    eventChoice(endpoint.event_types, types),
    field('alert_email', 'E-mail for alerts', endpoint.alert_email, {
      type: 'email',
      help: 'Told when the endpoint keeps failing, before it is disabled.',
    }),
    field('description', 'Description', endpoint.description, { clears: true }),
    {
      name: '',
      blame: () => {},
      value: () => Object.assign({}, ...rest.map((one) => one.value())),
      node: el(
        'details',
        { open: rest.some((one) => one.isSet) },
        el('summary', {}, 'More settings'),
        rest.map((one) => one.node),
      ),
    },
    ...rest.map((one) => ({ ...one, node: '', value: () => ({}) })),
  ].filter(Boolean);
}

/** Undefined if the key is for one account (as far as can be seen), else a first guess. */
function accounts(others) {
  const all = new Set(others.map((one) => one.account_id));
  return all.size > 1 ? '' : undefined;
}

/** A labelled input with room for help and for what is wrong with it. */
function field(name, label, value, { help, clears, optional, hidden, ...attributes } = {}) {
  const input = el('input', {
    type: 'text',
    value: value ?? '',
    autocapitalize: 'none',
    spellcheck: 'false',
    ...attributes,
  });
  const read = () => {
    const text = input.value.trim();
    if (text === '' && optional) return {};
    if (text === '' && clears) return value === undefined ? {} : { [name]: null };
    return { [name]: attributes.type === 'number' ? Number(text) : text };
  };
  return {
    name,
    label,
    value: read,
    isSet: value !== undefined,
    ...around(label, input, help, hidden),
  };
}

function choose(name, label, options, value = '', help = '') {
  const input = el(
    'select',
    {},
    options.map(([key, word]) => el('option', { value: key, selected: key === value }, word)),
  );
  const read = () => (input.value === value ? {} : { [name]: input.value || null });
  return { name, value: read, isSet: value !== '', ...around(label, input, help) };
}

function headers(names = []) {
  const input = el('textarea', { rows: 3, spellcheck: 'false', placeholder: 'X-Tenant: seven' });
  const none = el('input', { type: 'checkbox' });
  const help = names.length
    ? [
        `Now sent: ${names.join(', ')}. Their values cannot be read again; what you write here ` +
          'takes their place. Another URL needs them anew. ',
        el('label', { class: 'choice' }, none, 'Send none of them'),
      ]
    : 'One a line, name and value. Values cannot be read again.';
  const read = () => {
    if (none.checked) return { headers: {} };
    const lines = input.value.split('\n').filter((line) => line.trim());
    const pair = (line) => [line.split(':')[0].trim(), line.split(':').slice(1).join(':').trim()];
    return lines.length ? { headers: Object.fromEntries(lines.map(pair)) } : {};
  };
  return {
    name: 'headers',
    label: 'Custom headers',
    value: read,
    isSet: names.length > 0,
    ...around('Custom headers', input, help),
  };
}

function around(label, input, help, hidden = false) {
  const [id, helpId, problemId] = [freshId(), freshId(), freshId()];
  const problem = el('p', { id: problemId, class: 'problem' });
  input.id = id;
  input.setAttribute('aria-describedby', `${helpId} ${problemId}`);
  const node = el(
    'div',
    { class: 'field', hidden },
    el('label', { for: id }, label),
    input,
    el('p', { id: helpId, class: 'muted' }, help),
    problem,
  );
  const blame = (text) => {
    fill(problem, text);
    input.toggleAttribute('aria-invalid', Boolean(text));
    if (!text) return;
    input.setAttribute('aria-invalid', 'true');
    input.closest('details')?.setAttribute('open', '');
    input.focus();
  };
  input.addEventListener('input', () => blame(''));
  return { node, blame };
}

/** The same for the same form: a second click after a lost answer registers nothing twice. */
function hashOf(body) {
  let hash = 0;
  for (const c of JSON.stringify(body)) hash = (hash * 31 + c.codePointAt(0)) % 4294967291;
  return hash.toString(36);
}

function remove(endpoint, close) {
  return confirm(
    'Delete this endpoint?',
    'It gets no further events, and its log can no longer be read here. This cannot be undone.',
    'Delete endpoint',
    async () => {
      await endpoints.remove(endpoint.id);
      close();
      location.hash = '#/endpoints';
    },
    { danger: true },
  );
}
