/** Run by `bin/firebreak.mjs` in a checkout: sets it up on first use, builds it if the sources changed, and returns what to continue with. */
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureSetUp, root } from './setup.mjs';

/** Commands that are in no build: they run directly from the sources. */
const tools = ['demo', 'dev'];

/** Returns the Node of this checkout, and its command line, built unless it is one of the tools. Throws with the remedy. */
export async function prepare([command, subcommand]) {
  const node = await ensureSetUp({ startsCluster: command === 'demo' || (command === 'dev' && subcommand === 'up') });
  const built = await ensureBuilt({ node });
  return { node, cli: tools.includes(command) ? join(root, 'service', 'cli.ts') : join(built, 'service', 'cli.js') };
}
