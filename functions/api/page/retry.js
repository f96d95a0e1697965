// Retry Now: asks for it, then waits until the attempt is on record.
import { deliveries } from './api.js';
import { pause } from './when.js';

// A little over the longest time an endpoint has to answer.
const PATIENCE_MS = 45_000;

/** The delivery with the new attempt; null if it is still under way after a while. */
export async function retry(delivery, signal) {
  const known = delivery.attempts.at(-1)?.number ?? 0;
  await deliveries.retry(delivery.id);
  const until = Date.now() + PATIENCE_MS;
  for (let wait = 300; Date.now() < until; wait = Math.min(wait * 1.4, 3000)) {
    await pause(wait, signal);
    const now = await deliveries.show(delivery.id);
    const made = now.attempts.some((one) => one.trigger === 'manual' && one.number > known);
    if (made) return now;
  }
  return null;
}
