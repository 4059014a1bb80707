/** What `bin/firebreak.mjs` runs in a checkout: sets it up on first use, builds it when the sources changed, and names what to go on with. */
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureSetUp } from './setup.mjs';

/** The Node of this checkout, and its built command line. Throws with the remedy. */
export async function prepare([command, subcommand]) {
  const node = await ensureSetUp({ startsCluster: command === 'demo' || (command === 'dev' && subcommand === 'up') });
  return { node, cli: join(await ensureBuilt({ node }), 'service', 'cli.js') };
}
