// Which events an endpoint gets: all, or some; also such as are in no catalogue.
import { el, fill, freshId } from './dom.js';

/** A field of the form in `edit.js`. */
export function eventChoice(chosen = ['*'], types = []) {
  const name = freshId();
  const everything = chosen.includes('*');
  const known = types.map((type) => type.event);
  const all = radio(name, 'All events', everything);
  const some = radio(name, 'Only these', !everything);
  const boxes = types.map((type) => {
    const box = el('input', {
      type: 'checkbox',
      value: type.event,
      checked: chosen.includes(type.event),
    });
    return {
      box,
      node: el('label', { class: 'choice' }, box, el('span', { class: 'mono' }, type.event)),
    };
  });
  const others = el('input', {
    type: 'text',
    id: freshId(),
    spellcheck: 'false',
    autocapitalize: 'none',
    placeholder: 'email.*, sms.failed',
    value: chosen.filter((type) => type !== '*' && !known.includes(type)).join(', '),
  });
  const detail = el(
    'div',
    { class: 'choices' },
    boxes.map((one) => one.node),
    el('label', { for: others.id }, 'Others, or whole families'),
    others,
  );
  const problem = el('p', { class: 'problem', role: 'alert' });
  const follow = () => {
    detail.hidden = all.input.checked;
  };
  all.input.addEventListener('change', follow);
  some.input.addEventListener('change', follow);
  follow();
  const value = () => {
    if (all.input.checked) return { event_types: ['*'] };
    const listed = others.value.split(/[\s,]+/).filter(Boolean);
    return {
      event_types: [
        ...boxes.filter(({ box }) => box.checked).map(({ box }) => box.value),
        ...listed,
      ],
    };
  };
  return {
    name: 'event_types',
    label: 'The list of events',
    value,
    blame: (text) => fill(problem, text),
    node: el(
      'fieldset',
      { oninput: () => fill(problem) },
      el('legend', {}, 'Events'),
      all.node,
      some.node,
      detail,
      problem,
    ),
  };
}

function radio(name, text, checked) {
  const input = el('input', { type: 'radio', name, checked });
  return { input, node: el('label', { class: 'choice' }, input, text) };
}
