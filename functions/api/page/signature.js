// Why a signature does not verify. Computes here what others may have computed, and compares.
import { compact } from './plain.js';

export const TOLERANCE_S = 300;
const WHOLE = 'whole';
const DECODED = 'decoded';
const BARE = 'bare';

/** Headers as pasted: `Name: value` lines, curl's -H, or a JSON object. Names in lower case. */
export function parseHeaders(text) {
  const lines = text.split('\n').map((line) => line.replace(/^\s*(-H\s+)?["']?|["'\\,\s]+$/g, ''));
  const pairs = lines.map((line) => line.match(/^([A-Za-z0-9_-]+)["']?\s*:\s*["']?(.*)$/)).filter(Boolean);
  return Object.fromEntries(pairs.map(([, name, value]) => [name.toLowerCase(), value.trim()]));
}

/** Findings, the decisive first: `{ tone: 'ok' | 'bad' | 'warn', text }`. */
export async function diagnose({ body, headers, secret, own = '', sent = null, now = Date.now() / 1000 }) {
  const given = { id: headers['webhook-id'] ?? '', at: headers['webhook-timestamp'] ?? headers['x-webhook-timestamp'] ?? '' };
  const tidy = secret.trim().replace(/^["']|["']$/g, '');
  const table = await compute(variants(body, sent), keys(tidy), given);
  const rackwave = headers['x-webhook-signature'];
  const standard = headers['webhook-signature']?.split(' ').filter((one) => one.startsWith('v1,'));
  const findings = [];
  if (secret !== tidy) findings.push(warn('The secret has spaces or quotes around it. Your code must not use them.'));
  if (!/^whsec_[A-Za-z0-9+/]{32}([A-Za-z0-9+/]{32})?$/.test(tidy)) {
    findings.push(warn('This does not look like a signing secret: it is whsec_ and 32 more characters.'));
  }
  const names = { rackwave: 'X-Webhook-Signature', standard: 'webhook-signature' };
  const verdicts = [];
  if (rackwave) verdicts.push(judge(names.rackwave, [rackwave], table, isRackwave));
  if (standard?.length) verdicts.push(judge(names.standard, standard, table, isStandard));
  if (own.trim()) verdicts.push(judge('The value your code computed', [own.trim()], table, (one) => isRackwave(one) || isStandard(one)));
  if (!verdicts.length) findings.push(bad('There is no signature: paste the X-Webhook-Signature or webhook-signature header, too.'));
  const [first, second] = verdicts;
  if (rackwave && second?.good && !first.good && !first.recipe) {
    verdicts[0] = { ...first, text: `${names.rackwave} is made with another secret: during a rotation it stays on the old one, while webhook-signature carries both.` };
  }
  findings.push(...verdicts.map(({ good, text }) => ({ tone: good ? 'ok' : 'bad', text })));
  if (verdicts.some(({ good, recipe }) => !good && !recipe)) findings.push(...guesses(body, sent, tidy, table));
  findings.push(...clock(headers, now));
  return findings;
}

const bad = (text) => ({ tone: 'bad', text });
const warn = (text) => ({ tone: 'warn', text });
const isRackwave = (one) => one.key === WHOLE && one.content === 'body';
const isStandard = (one) => one.key === DECODED && one.content === 'id.timestamp.body';

/** What a value is, if it is anything that could have been computed from what was given. */
function judge(name, values, table, expected) {
  const found = values.map((value) => table.filter((one) => one.hex === toHex(value))).find((list) => list.length) ?? [];
  const right = found.find((one) => one.body === null && expected(one));
  if (right) return { good: true, recipe: right, text: `${name} verifies.` };
  const recipe = found.find(expected) ?? found[0];
  if (recipe) return { good: false, recipe, text: `${name} does not verify: ${reasons(recipe, name, expected).join(' ')}` };
  if (!values.some((value) => toHex(value))) return { good: false, text: `${name} is no signature: it must be sha256= and 64 hex digits, or v1, and base64.` };
  return { good: false, text: `${name} does not verify.` };
}

function reasons(recipe, name, expected) {
  const found = [];
  if (recipe.body !== null) found.push(recipe.body);
  if (expected({ ...recipe, body: null })) return found;
  const isOurs = name === 'X-Webhook-Signature';
  if (recipe.key === DECODED && isOurs) found.push('secret decoded but this header uses the whole string, whsec_ included.');
  if (recipe.key === WHOLE && !isOurs) found.push('the whole secret was used as the key, but webhook-signature uses the bytes decoded from base64 after whsec_.');
  if (recipe.key === BARE) found.push('the key was the secret without whsec_, as text. X-Webhook-Signature uses the whole string; webhook-signature decodes the rest from base64.');
  if (recipe.content === 'body' && recipe.key === DECODED) found.push('Only the body was signed; webhook-signature signs id.timestamp.body.');
  if (recipe.content !== 'body' && recipe.key === WHOLE) found.push(`${recipe.content} was signed; X-Webhook-Signature signs the body alone.`);
  if (recipe.content === 'timestamp.body') found.push('timestamp.body was signed, as other services do.');
  return found;
}

/** Every signature somebody might have computed, with how. */
async function compute(bodies, keysByName, { id, at }) {
  const utf8 = new TextEncoder();
  const all = [];
  for (const [name, bytes] of keysByName) {
    if (!bytes.length) continue;
    const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    for (const [reason, text] of bodies) {
      const contents = { body: text, 'id.timestamp.body': `${id}.${at}.${text}`, 'timestamp.body': `${at}.${text}` };
      for (const [content, signed] of Object.entries(contents)) {
        const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8.encode(signed)));
        all.push({ key: name, body: reason, content, hex: hexOf(mac) });
      }
    }
  }
  return all;
}

function keys(secret) {
  const utf8 = new TextEncoder();
  const rest = secret.replace(/^whsec_/, '');
  return [[WHOLE, utf8.encode(secret)], [DECODED, fromBase64(rest) ?? new Uint8Array()], [BARE, utf8.encode(rest)]];
}

/** The body as pasted, and as it may have been before somebody changed it; with the reason. */
function variants(body, sent) {
  const again = 'body was re-serialised. It was parsed and written again, so its bytes changed. Sign the raw bytes, before anything parses them.';
  const small = compact(body);
  const rewritten = small === null ? [] : [small, ...spellings(small), inOrder(small)];
  const all = [[null, body], ['there is a line break too many at the end of the body.', body.replace(/[\r\n]+$/, '')],
    ['line breaks in the body were changed (CRLF to LF).', body.replace(/\r?\n/g, '\r\n')], [again, sent ?? body],
    ...rewritten.filter(Boolean).map((text) => [again, text])];
  return all.filter(([, text], nth) => all.findIndex(([, other]) => other === text) === nth);
}

/** Other spellings of the same JSON: escaped slashes (PHP), escaped letters (PHP, Python). */
function spellings(text) {
  const decode = (t) => t.replace(/\\u([0-9a-fA-F]{4})/g, (all, hex) => (parseInt(hex, 16) < 128 ? all : String.fromCharCode(parseInt(hex, 16))));
  const encode = (t) => t.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const slashed = text.replace(/(?<!\\)\//g, '\\/');
  const unslashed = text.replace(/\\\//g, '/');
  return [unslashed, decode(text), decode(unslashed), encode(text), slashed, encode(slashed)];
}

/** With the envelope's fields in the order in which they are sent. */
function inOrder(text) {
  const value = JSON.parse(text);
  if (!value || typeof value !== 'object') return null;
  const { event, product, platform_id: platform, timestamp, data } = value;
  return JSON.stringify({ event, product, platform_id: platform, timestamp, data });
}

const AS_SENT = /^\{"event":"[^"]*","product":"[a-z]+","platform_id":"(?:[^"\\]|\\.)*","timestamp":"[^"]*","data":\{/;

/** What it may be, where nothing fits. */
function guesses(body, sent, secret, table) {
  const expected = table.find((one) => one.body === null && isRackwave(one))?.hex;
  const found = [];
  if (sent !== null && sent !== body) found.push(bad(differs(body, sent)));
  else if (!AS_SENT.test(body)) {
    found.push(bad('The body was re-serialised, or is not ours: as we send it, it begins {"event":"…","product":"…" with no spaces between.'));
  } else found.push(warn('The body looks as we send it. So the secret is probably another one: of another endpoint, or from before a rotation.'));
  if (expected && secret) found.push(warn(`With this secret and body, X-Webhook-Signature would be sha256=${expected}`));
  return found;
}

function differs(body, sent) {
  const at = [...sent].findIndex((c, nth) => c !== [...body.slice(0, nth + 2)][nth]);
  const place = at < 0 ? sent.length : at;
  return `The body is not the one we sent. From character ${place + 1} on, we sent ${JSON.stringify(sent.slice(place, place + 20))}, this has ${JSON.stringify(body.slice(place, place + 20))}.`;
}

function clock(headers, now) {
  const [ours, standard] = [headers['x-webhook-timestamp'], headers['webhook-timestamp']];
  if (ours && standard && ours !== standard) return [bad('The two timestamps differ: the headers are of two requests.')];
  const at = Number(ours ?? standard);
  if (!at) return [];
  const off = Math.round(now - at);
  if (Math.abs(off) <= TOLERANCE_S) return [{ tone: 'ok', text: 'The timestamp is within 5 minutes of this computer\'s clock.' }];
  const minutes = Math.round(Math.abs(off) / 60);
  return [warn(`Clock ${minutes} minutes off: signed ${minutes} minutes ${off > 0 ? 'before' : 'after'} this computer's time. If the request has only just come, set the clock; receivers refuse more than 5 minutes.`)];
}

function toHex(value) {
  const bare = value.replace(/^(sha256=|v1,)/, '').trim();
  if (/^[0-9a-fA-F]{64}$/.test(bare)) return bare.toLowerCase();
  const bytes = fromBase64(bare);
  return bytes?.length === 32 ? hexOf(bytes) : null;
}

function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

const hexOf = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
