// Unpacks the browser that @sparticuz/chromium carries, with its libraries and fonts, into TMPDIR.
import { inflate } from './node_modules/@sparticuz/chromium/build/lambdafs.js';

for (const part of ['chromium.br', 'al2023.tar.br', 'fonts.tar.br']) {
  await inflate(
    new URL(`./node_modules/@sparticuz/chromium/bin/${part}`, import.meta.url).pathname,
  );
}
