// Dialogs, and the words for what the API refused.
import { button, busy, el, fill, freshId } from './dom.js';

const CODES = {
  endpoint_disabled: 'The endpoint is disabled. Enable it first, then this works.',
  recovery_in_progress: 'Deliveries of this endpoint are being sent again already.',
  retry_in_progress: 'It is being sent again already.',
  payload_expired: 'The payload is no longer kept, so it cannot be sent again.',
  rotation_in_progress: 'A rotation is under way. Finish it first.',
  rate_limited: 'Too many calls in a minute. Wait a moment and try again.',
};

/** A refusal in words that fit this page. */
export function explain(refusal) {
  if (refusal.status === 405 || refusal.status === 501)
    return 'This installation does not offer that yet.';
  return CODES[refusal.code] ?? refusal.message;
}

/** Opens a dialog; `build(close)` answers its content. Resolves with what `close` was given. */
export function open(title, build, { wide = false } = {}) {
  return new Promise((resolve) => {
    const heading = el('h2', { id: freshId(), tabindex: -1 }, title);
    const box = el('dialog', { 'aria-labelledby': heading.id, class: wide ? 'wide' : '' });
    let answer;
    const close = (value) => {
      answer = value;
      box.close();
    };
    box.addEventListener('close', () => {
      box.remove();
      resolve(answer);
    });
    fill(
      box,
      el(
        'div',
        { class: 'dialog-head' },
        heading,
        button('Close', () => close(), { class: 'quiet' }),
      ),
      build(close),
    );
    document.body.append(box);
    box.showModal();
    (box.querySelector('[autofocus]') ?? heading).focus();
  });
}

/** Explains an action and does it on one more click; a refusal is shown right there. */
export function confirm(title, text, label, work, { danger = false } = {}) {
  return open(title, (close) => {
    const problem = el('p', { class: 'problem', role: 'alert' });
    const act = async () => {
      try {
        close((await work()) ?? true);
      } catch (refusal) {
        fill(problem, explain(refusal));
      }
    };
    return el(
      'div',
      {},
      [text].flat().map((one) => el('p', {}, one)),
      problem,
      el(
        'div',
        { class: 'actions' },
        button(label, act, { class: danger ? 'danger' : 'primary', autofocus: true }),
        button('Leave it as it is', () => close()),
      ),
    );
  });
}

/** A form whose fields show what the API says about them. `save(values)` may be refused. */
export function form(fields, label, save, extra = []) {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const submit = el('button', { type: 'submit', class: 'primary' }, label);
  const node = el(
    'form',
    { novalidate: true },
    fields.map((one) => one.node),
    problem,
    el('div', { class: 'actions' }, submit, extra),
  );
  node.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(submit, async () => {
      for (const one of fields) one.blame('');
      fill(problem);
      try {
        await save();
      } catch (refusal) {
        const guilty = fields.find((one) => one.name === refusal.field);
        if (guilty)
          guilty.blame(
            refusal.message.replace(/^[A-Za-z]+(_[a-z]+)*(?= (is|must) )/, guilty.label ?? '$&'),
          );
        else fill(problem, explain(refusal));
      }
    });
  });
  return node;
}
