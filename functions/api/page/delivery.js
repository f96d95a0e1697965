// One delivery on a page of its own: where links in mails and chats lead.
import { el } from './dom.js';
import { deliveries } from './api.js';
import { row } from './row.js';
import { every } from './when.js';

export async function deliveryView({ id }, signal) {
  const delivery = await deliveries.show(id);
  const { node, update } = row(delivery, signal, { open: true });
  every(
    () => 3000,
    async () => update(await deliveries.show(id)),
    signal,
  );
  return el(
    'div',
    {},
    el(
      'p',
      { class: 'back' },
      el(
        'a',
        { href: `#/endpoints/${encodeURIComponent(delivery.endpoint_id)}` },
        'All deliveries of this endpoint',
      ),
    ),
    el('h1', {}, 'Delivery'),
    el('ol', { class: 'log' }, node),
  );
}
