// Asks the receivers' libraries of npm, unmodified and called as their manuals say. tools.py
// copies this to where they are installed. Cases as JSON on stdin, verdicts as JSON on stdout;
// run.py says what they should be.

import * as octokit from '@octokit/webhooks-methods';
import { readFileSync } from 'node:fs';
import * as standardwebhooks from 'standardwebhooks';
import * as svix from 'svix';

const standard = ({ Webhook, WebhookVerificationError }) => ({
  verify: (body, { standard_secret: secret, headers }) => new Webhook(secret).verify(body, headers),
  refusal: (error) => error instanceof WebhookVerificationError,
});

class Refused extends Error {}

const libraries = {
  standardwebhooks: standard(standardwebhooks),
  svix: standard(svix),
  '@octokit/webhooks-methods': {
    verify: async (body, { rackwave_secret: secret, rackwave_signature: signature }) => {
      if (!(await octokit.verify(secret, body.toString(), signature))) throw new Refused();
    },
    refusal: (error) => error instanceof Refused,
  },
};

async function verdict({ verify, refusal }, given) {
  try {
    await verify(Buffer.from(given.body_base64, 'base64'), given);
    return 'accepted';
  } catch (error) {
    return refusal(error) ? 'refused' : `broken: ${error}`;
  }
}

function version(name) {
  const manifest = `${import.meta.dirname}/node_modules/${name}/package.json`;
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

const cases = JSON.parse(readFileSync(0, 'utf8'));
const answer = {};
for (const [name, library] of Object.entries(libraries)) {
  const verdicts = await Promise.all(cases.map((one) => verdict(library, one)));
  answer[name] = { version: version(name), verdicts };
}
process.stdout.write(JSON.stringify(answer));
