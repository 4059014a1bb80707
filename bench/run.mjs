/** `npm run bench [-- NAME…]`: sets up and builds if needed, then measures under the right Node. */
import { join } from 'node:path';
import { runUnder } from '../service/launcher/launcher.mjs';
import { ensureBuilt } from '../tools/setup/build.mjs';
import { ensureSetUp } from '../tools/setup/setup.mjs';

const args = process.argv.slice(2);
const node = await ensureSetUp();
if (!args.includes('--help') && !args.includes('-h')) await ensureBuilt({ node });
process.exitCode = await runUnder({ node, args: [join(import.meta.dirname, 'run.ts'), ...args] });
