// The signature checker: paste what arrived, learn why it does not verify. Nothing is sent.
import { busy, el, fill, freshId, icon } from './dom.js';
import { deliveries } from './api.js';
import { currentKey } from './session.js';
import { diagnose, parseHeaders } from './signature.js';
import { teach } from './teach.js';

const MARKS = { ok: 'check', bad: 'cross', warn: 'warn' };

/** The checker; given a delivery, it also compares with what was sent. */
export async function checkView({ id }) {
  const sent = id && currentKey() ? ((await deliveries.show(id)).payload ?? null) : null;
  const body = area('Body, as your server received it', 8);
  const headers = area(
    'Headers',
    5,
    'X-Webhook-Signature: sha256=…\nX-Webhook-Timestamp: …\nwebhook-id: ' +
      'evt_…\nwebhook-timestamp: …\nwebhook-signature: v1,…',
  );
  const secret = line('Signing secret', 'password', 'whsec_…');
  const own = line('What your code computed (if you like)', 'text', 'sha256=…');
  const findings = el('ul', { class: 'findings' });
  const result = el('div', { role: 'status' }, findings);
  const check = el('button', { type: 'submit', class: 'primary' }, 'Check');
  const run = () =>
    busy(check, async () => {
      const found = await diagnose({
        body: body.input.value,
        headers: parseHeaders(headers.input.value),
        secret: secret.input.value,
        own: own.input.value,
        sent,
      });
      fill(
        findings,
        found.map(({ tone, text }) =>
          el(
            'li',
            { class: `notice ${tone}` },
            icon(MARKS[tone]),
            el('bdi', { class: 'wrap' }, text),
          ),
        ),
      );
    });
  return el(
    'div',
    {},
    el('h1', {}, 'Signature checker'),
    el(
      'p',
      {},
      'Paste a request that your receiver refused. ',
      el('b', {}, 'Nothing leaves this page'),
      ': it computes in your browser.',
    ),
    sent !== null &&
      el('p', { class: 'notice idle' }, 'The body is compared with what this delivery sent.'),
    el(
      'form',
      {
        class: 'card',
        autocomplete: 'off',
        onsubmit: (event) => {
          event.preventDefault();
          run();
        },
      },
      body.node,
      headers.node,
      secret.node,
      own.node,
      el('div', { class: 'actions' }, check),
      result,
    ),
    teach('h2'),
  );
}

function area(label, rows, placeholder) {
  return labelled(
    label,
    el('textarea', {
      rows,
      placeholder,
      spellcheck: 'false',
      autocapitalize: 'none',
      class: 'mono',
    }),
  );
}

function line(label, type, placeholder) {
  return labelled(
    label,
    el('input', { type, placeholder, autocomplete: 'off', spellcheck: 'false', class: 'mono' }),
  );
}

function labelled(label, input) {
  input.id = freshId();
  return {
    input,
    node: el('div', { class: 'field' }, el('label', { for: input.id }, label), input),
  };
}
