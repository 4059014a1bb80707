/** `npm run release`: sets up and builds if needed, then makes the contents of a release under the right Node. */
import { join } from 'node:path';
import { runUnder } from '../../service/launcher/launcher.mjs';
import { ensureBuilt } from '../setup/build.mjs';
import { ensureSetUp } from '../setup/setup.mjs';

const node = await ensureSetUp();
if (!process.argv.includes('--dry-run')) await ensureBuilt({ node });
process.exitCode = await runUnder({ node, args: [join(import.meta.dirname, 'main.ts'), ...process.argv.slice(2)] });
