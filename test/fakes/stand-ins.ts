/** The stand-in for Slack and, if wanted, those for GitHub and an identity provider, in a separate process: `node stand-ins.ts SETTINGS.json`. */
import { readFileSync } from 'node:fs';
import type { StandInSettings } from '../../tools/demo/settings.ts';
import { startGithubFake } from './github/server.ts';
import { startSlackEmulator } from './slack/index.ts';

const [file = ''] = process.argv.slice(2);
const { slack, github, identity }: Pick<StandInSettings, 'slack' | 'identity'> & Partial<StandInSettings> = JSON.parse(
  readFileSync(file, 'utf8'),
);
await Promise.all([startSlackEmulator(slack), github && startGithubFake({ ...github, private: true, push: true })]);
if (identity) {
  const { startIdentityProvider } = await import('./oidc/provider.ts');
  const { port, clientId, redirectUri, people } = identity;
  await startIdentityProvider({ port, clientId, redirectUri: () => redirectUri, people });
}
