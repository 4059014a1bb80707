/** What `bin/firebreak.mjs` runs in a checkout: sets it up on first use, builds it when the sources changed, and names what to go on with. */
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureSetUp, root } from './setup.mjs';

/** What is in no build: it is run as the sources stand. */
const tools = ['demo', 'dev'];

/** The Node of this checkout, and its command line, built but for the tools. Throws with the remedy. */
export async function prepare([command, subcommand]) {
  const node = await ensureSetUp({ startsCluster: command === 'demo' || (command === 'dev' && subcommand === 'up') });
  const built = await ensureBuilt({ node });
  return { node, cli: tools.includes(command) ? join(root, 'service', 'cli.ts') : join(built, 'service', 'cli.js') };
}
