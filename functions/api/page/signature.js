// Why a signature does not verify. Computes here what others may have computed, and compares.
import { compact } from './plain.js';

const TOLERANCE_S = 300;
const [WHOLE, DECODED, BARE] = ['whole', 'decoded', 'bare'];
const [OURS, STANDARD, THEIRS] = [
  'X-Webhook-Signature',
  'webhook-signature',
  'The value your code computed',
];
const AGAIN =
  'body was re-serialised. It was parsed and written again, so its bytes changed. Sign the ' +
  'raw bytes, before anything parses them.';
const EMPTY =
  'the body is empty. Something read the stream before; keep the raw bytes when they arrive.';
// As the envelope is always written (design 4.2).
const AS_SENT = new RegExp(
  '^\\{"event":"[^"]*","product":"[a-z]+","platform_id":"(?:[^"\\\\]|\\\\.)*",' +
    '"timestamp":"[^"]*","data":\\{',
);

const utf8 = (text) => new TextEncoder().encode(text);
const finding = (tone) => (text) => ({ tone, text });
const [ok, bad, warn] = ['ok', 'bad', 'warn'].map(finding);
const fitsOurs = ({ key, content }) => key === WHOLE && content === 'body';
const fitsStandard = ({ key, content }) => key === DECODED && content === 'id.timestamp.body';
const fits = {
  [OURS]: fitsOurs,
  [STANDARD]: fitsStandard,
  [THEIRS]: (one) => fitsOurs(one) || fitsStandard(one),
};

/** Headers as pasted: `Name: value` lines, curl's -H, or a JSON object. Names in lower case. */
export function parseHeaders(text) {
  const lines = text.split('\n').map((line) => line.replace(/^\s*(-H\s+)?["']?|["'\\,\s]+$/g, ''));
  const pairs = lines
    .map((line) => line.match(/^([A-Za-z0-9_-]+)["']?\s*:\s*["']?(.*)$/))
    .filter(Boolean);
  return Object.fromEntries(pairs.map(([, name, value]) => [name.toLowerCase(), value.trim()]));
}

/** Findings, `{ tone, text }`: first about each signature, then what else may be wrong. */
export async function diagnose({
  body,
  headers,
  secret,
  own = '',
  sent = null,
  now = Date.now() / 1000,
}) {
  const tidy = secret.trim().replace(/^["']|["']$/g, '');
  const at = headers['webhook-timestamp'] ?? headers['x-webhook-timestamp'] ?? '';
  const table = await compute(variants(body, sent), tidy, headers['webhook-id'] ?? '', at);
  const given = [
    [OURS, [headers['x-webhook-signature']]],
    [STANDARD, (headers['webhook-signature'] ?? '').split(' ')],
    [THEIRS, [own.trim()]],
  ];
  const verdicts = given
    .filter(([, values]) => values[0])
    .map(([name, values]) => judge(name, values, table));
  const [ours, standard] = verdicts;
  if (standard?.name === STANDARD && standard.good && ours.unknown) {
    ours.text =
      `${OURS} is made with another secret: during a rotation it stays on the old ` +
      `one, while ${STANDARD} carries both.`;
  }
  if (ours?.name === OURS && ours.good && standard?.name === STANDARD && standard.unknown) {
    standard.text =
      `${STANDARD} does not verify, though secret and body are right. It also signs webhook-id ` +
      'and webhook-timestamp: one is missing, changed, or of another request.';
  }
  const isRight = verdicts.some(({ name, good }) => good && name !== THEIRS);
  return [
    secret !== tidy &&
      warn('The secret has spaces or quotes around it. Your code must not use them.'),
    !/^whsec_([A-Za-z0-9+/]{32}){1,2}$/.test(tidy) &&
      warn('This does not look like a signing secret: it is whsec_ and 32 more characters.'),
    !verdicts.length && bad(`There is no signature: paste the ${OURS} or ${STANDARD} header, too.`),
    ...verdicts.map(({ good, text }) => (good ? ok : bad)(text)),
    ...(verdicts.some((one) => one.unknown) && !isRight ? guesses(body, sent, table) : []),
    ...clock(headers, now),
  ].filter(Boolean);
}

/** What a value is, if it is anything that could have been computed from what was given. */
function judge(name, values, table) {
  const hexes = values.map(toHex).filter(Boolean);
  const found = table.filter(({ hex }) => hexes.includes(hex));
  if (found.some((one) => !one.change && fits[name](one)))
    return { name, good: true, text: `${name} verifies.` };
  const recipe = found.find(fits[name]) ?? found[0];
  const why = recipe ? `: ${reasons(recipe, name).join(' ')}` : '.';
  if (!hexes.length)
    return {
      name,
      text: `${name} is no signature: it must be sha256= and 64 hex digits, or v1, and base64.`,
    };
  return { name, unknown: !recipe, text: `${name} does not verify${why}` };
}

function reasons({ key, content, change }, name) {
  const signedBody = content === 'body';
  return [
    change,
    key === DECODED &&
      (name === OURS || (name === THEIRS && signedBody)) &&
      `secret decoded but ${name === OURS ? 'this header' : OURS} uses the whole string, ` +
        `whsec_ included.`,
    key === WHOLE &&
      name === STANDARD &&
      `the whole secret was the key, but ${STANDARD} uses the bytes decoded from base64 ` +
        `after whsec_.`,
    key === BARE &&
      `the key was the secret without whsec_, as text. ${OURS} uses the whole string; ` +
        `${STANDARD} decodes the rest from base64.`,
    key === DECODED &&
      signedBody &&
      name !== OURS &&
      `Only the body was signed; ${STANDARD} signs id.timestamp.body.`,
    key === WHOLE && !signedBody && `${content} was signed; ${OURS} signs the body alone.`,
    content === 'timestamp.body' && 'timestamp.body was signed, as other services do.',
  ].filter(Boolean);
}

/** Every signature somebody might have computed, with how. */
async function compute(bodies, secret, id, at) {
  const rest = secret.replace(/^whsec_/, '');
  const keys = [
    [WHOLE, utf8(secret)],
    [DECODED, fromBase64(rest)],
    [BARE, utf8(rest)],
  ].filter(([, bytes]) => bytes?.length);
  const all = [];
  for (const [name, bytes] of keys) {
    const key = await crypto.subtle.importKey(
      'raw',
      bytes,
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign'],
    );
    for (const [change, text] of bodies) {
      for (const [content, signed] of [
        ['body', text],
        ['id.timestamp.body', `${id}.${at}.${text}`],
        ['timestamp.body', `${at}.${text}`],
      ]) {
        const mac = await crypto.subtle.sign('HMAC', key, utf8(signed));
        all.push({ key: name, change, content, hex: hexOf(new Uint8Array(mac)) });
      }
    }
  }
  return all;
}

/** The body as pasted, and as it may have been before somebody changed it; with the change. */
function variants(body, sent) {
  const small = compact(body);
  const all = [
    ['', body],
    ['there is a line break too many at the end of the body.', body.replace(/[\r\n]+$/, '')],
    [EMPTY, ''],
    ['line breaks in the body were changed (CRLF to LF).', body.replace(/\r?\n/g, '\r\n')],
    ...[sent, small, ...(small ? spellings(small) : [])]
      .filter(Boolean)
      .map((text) => [AGAIN, text]),
  ];
  return all.filter(([, text], nth) => all.findIndex(([, other]) => other === text) === nth);
}

/** Other spellings of the same JSON: escaped slashes or letters, fields in our order. */
function spellings(text) {
  const decode = (t) =>
    t.replace(/\\u([0-9a-f]{4})/gi, (all, hex) =>
      parseInt(hex, 16) < 128 ? all : String.fromCharCode(parseInt(hex, 16)),
    );
  const encode = (t) =>
    t.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const slashed = text.replace(/(?<!\\)\//g, '\\/');
  const unslashed = text.replace(/\\\//g, '/');
  const { event, product, platform_id, timestamp, data } = JSON.parse(text) ?? {};
  return [
    unslashed,
    decode(text),
    decode(unslashed),
    encode(text),
    slashed,
    encode(slashed),
    JSON.stringify({ event, product, platform_id, timestamp, data }),
  ];
}

/** What it may be, where nothing fits. */
function guesses(body, sent, table) {
  if (!body.trim()) return [bad(EMPTY.replace('t', 'T'))];
  const expected = table.find((one) => !one.change && fitsOurs(one))?.hex;
  const isCut = compact(body) === null;
  const looksSent = sent === null ? !isCut && AS_SENT.test(body) : sent === body;
  return [
    looksSent &&
      warn(
        'The body looks as we send it. So the secret is probably another one: of another ' +
          'endpoint, or from before a rotation.',
      ),
    isCut && bad('The body is not JSON any more: it was cut off, or changed, on its way.'),
    !looksSent && sent !== null && bad(differs(body, sent)),
    !looksSent &&
      sent === null &&
      !isCut &&
      bad(
        'The body was re-serialised, or is not ours: as we send it, it begins ' +
          '{"event":"…","product":"…" with no spaces between.',
      ),
    expected && warn(`With this secret and body, ${OURS} would be sha256=${expected}`),
  ];
}

function differs(body, sent) {
  let at = 0;
  while (at < sent.length && sent[at] === body[at]) at += 1;
  const piece = (text) => JSON.stringify(text.slice(at, at + 20));
  return (
    `The body is not the one we sent. From character ${at + 1} on, we sent ` +
    `${piece(sent)}, this has ${piece(body)}.`
  );
}

function clock(headers, now) {
  const [ours, standard] = [headers['x-webhook-timestamp'], headers['webhook-timestamp']];
  if (ours && standard && ours !== standard)
    return [bad('The two timestamps differ: the headers are of two requests.')];
  const off = Math.round(now - Number(ours ?? standard));
  if (Number.isNaN(off)) return [];
  if (Math.abs(off) <= TOLERANCE_S)
    return [ok("The timestamp is within 5 minutes of this computer's clock.")];
  const minutes = `${Math.round(Math.abs(off) / 60)} minutes`;
  return [
    warn(
      `Clock ${minutes} off: signed ${minutes} ${off > 0 ? 'before' : 'after'} this ` +
        `computer's time. If the request has only just come, set the clock; receivers refuse ` +
        `more than 5 minutes.`,
    ),
  ];
}

function toHex(value) {
  const bare = value.replace(/^(sha256=|v1,)/, '');
  if (/^[0-9a-f]{64}$/i.test(bare)) return bare.toLowerCase();
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

const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
