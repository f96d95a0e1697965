// What `php -S` does, where no PHP is installed: the real interpreter, compiled to WebAssembly by
// WordPress Playground, run once for each request. tools.py copies this to where that is installed.
//
//   node php_server.mjs <script.php>      with PORT, WEBHOOK_SECRET and WEBHOOK_INBOX set

import { getPHPLoaderModule } from '@php-wasm/node-8-4';
import { PHP, loadPHPRuntime } from '@php-wasm/universal';
import { createServer } from 'node:http';
import { basename, dirname } from 'node:path';

const { PORT, WEBHOOK_SECRET, WEBHOOK_INBOX } = process.env;
const script = process.argv[2];

const runtime = await loadPHPRuntime(await getPHPLoaderModule(), {
  onRuntimeInitialized: ({ FS }) => {
    for (const [root, mount] of [[dirname(script), '/site'], [WEBHOOK_INBOX, '/inbox']]) {
      FS.mkdir(mount);
      FS.mount(FS.filesystems.NODEFS, { root }, mount);
    }
  },
});
const php = new PHP(runtime);

async function respond(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const answer = await php.run({
    scriptPath: `/site/${basename(script)}`,
    relativeUri: request.url,
    method: request.method,
    headers: request.headers,
    body: Buffer.concat(chunks),
    env: { WEBHOOK_SECRET, WEBHOOK_INBOX: '/inbox' },
  });
  if (answer.errors) console.error(answer.errors);
  response.writeHead(answer.httpStatusCode).end(answer.bytes);
}

createServer((request, response) => {
  respond(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
}).listen(PORT, '127.0.0.1');
