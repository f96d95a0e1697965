import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const secret = process.env.WEBHOOK_SECRET; // all of it, whsec_ included
const inbox = process.env.WEBHOOK_INBOX; // a directory; better, a table with webhook-id as its key
if (!secret || !inbox) throw new Error('no WEBHOOK_SECRET or WEBHOOK_INBOX');
mkdirSync(inbox, { recursive: true });

function receive(headers, body) {
  const signature = 'sha256=' + createHmac('sha256', secret).update(body).digest('hex');
  const [a, b] = [signature, headers['x-webhook-signature'] ?? ''].map((s) => Buffer.from(s));
  if (a.length !== b.length || !timingSafeEqual(a, b)) return [401, 'bad signature'];
  const age = Date.now() / 1000 - Number(headers['x-webhook-timestamp']);
  if (!(Math.abs(age) <= 300)) return [401, 'stale timestamp'];
  const id = headers['webhook-id'] ?? '';
  if (!/^evt_[A-Za-z0-9_]{1,64}$/.test(id)) return [400, 'no webhook-id'];
  const file = `${inbox}/${id}.json`;
  if (existsSync(file)) return [200, 'duplicate'];
  const part = `${file}.${randomUUID()}`;
  writeFileSync(part, body);
  renameSync(part, file); // kept whole or not at all; work on it after the answer
  return [200, 'stored'];
}

createServer((request, response) => {
  const chunks = []; // raw bytes
  let size = 0;
  request.on('data', (chunk) => {
    size += chunk.length;
    if (size > 1 << 20) return request.destroy();
    chunks.push(chunk);
  });
  request.on('end', () => {
    let answer = [500, 'not stored']; // will be sent again
    try { answer = receive(request.headers, Buffer.concat(chunks)); } catch (e) { console.log(e); }
    response.writeHead(answer[0]).end(answer[1]);
  });
}).listen(process.env.PORT, '127.0.0.1');
