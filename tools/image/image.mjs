/** `npm run image`: sets up and builds if needed, then makes the image under the right Node. */
import { join } from 'node:path';
import { runUnder } from '../../service/launcher/launcher.mjs';
import { ensureBuilt } from '../setup/build.mjs';
import { ensureSetUp } from '../setup/setup.mjs';

const node = await ensureSetUp();
await ensureBuilt({ node });
process.exitCode = await runUnder({ node, args: [join(import.meta.dirname, 'main.ts'), ...process.argv.slice(2)] });
