/** `node tools/release/keep-bundle.mjs`: keeps the built workflows as those of the last release, for the test of an upgrade. A release does it once it is out. */
import { join } from 'node:path';
import { runUnder } from '../../service/launcher/launcher.mjs';
import { ensureBuilt } from '../setup/build.mjs';
import { ensureSetUp } from '../setup/setup.mjs';

const node = await ensureSetUp();
await ensureBuilt({ node });
process.exitCode = await runUnder({ node, args: [join(import.meta.dirname, 'last-release.ts')] });
