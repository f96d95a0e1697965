// Finds the deliveries of an event by any of its ids.
import { deliveries, events } from './api.js';

const PRODUCTS = ['migosmtp', 'telnxo', 'rackwave'];

/** Deliveries to this endpoint of the event with this id: ours, its source's, or a delivery's. */
export async function find(id, endpoint) {
  const found = await lookUp(id, endpoint);
  return found.filter((delivery) => delivery.endpoint_id === endpoint.id);
}

async function lookUp(id, endpoint) {
  if (id.startsWith('dlv_')) return [await deliveries.show(id)].filter(Boolean);
  const own = /^evt_(test_)?[0-9a-f]{32}$/.test(id) ? await absent(events.show(id)) : null;
  if (own) return own.deliveries;
  const products = endpoint.product ? [endpoint.product] : PRODUCTS;
  const asked = products.map((product) =>
    absent(events.find({ account_id: endpoint.account_id, product, source_id: id })),
  );
  return (await Promise.all(asked))
    .flatMap((page) => page?.data ?? [])
    .flatMap((event) => event.deliveries);
}

/** Null for what is not there or not for this key to see. */
async function absent(asked) {
  try {
    return await asked;
  } catch (refusal) {
    if (refusal.status === 404 || refusal.status === 403) return null;
    throw refusal;
  }
}
