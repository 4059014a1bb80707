/** `node tools/release/keep-bundle.mjs`: stores the built workflows as those of the last release, for the upgrade test. A release runs it once it is out. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runUnder } from '../../service/launcher/launcher.mjs';
import { ensureBuilt } from '../setup/build.mjs';
import { ensureSetUp } from '../setup/setup.mjs';

const usage = `node tools/release/keep-bundle.mjs
  Writes the workflows that are built now, and the fingerprints of the migrations, into test/fixtures/releases in place of those of the last release.
  --help  shows this, and writes nothing
`;

/** Changes nothing if it gets an unknown argument. */
function read(args) {
  try {
    return parseArgs({ args, options: { help: { type: 'boolean', short: 'h', default: false } } }).values;
  } catch (error) {
    process.stderr.write(`${error.message}\n${usage}`);
    return undefined;
  }
}

const values = read(process.argv.slice(2));
if (values === undefined) {
  process.exitCode = 2;
} else if (values.help) {
  process.stdout.write(usage);
} else {
  const node = await ensureSetUp();
  await ensureBuilt({ node });
  process.exitCode = await runUnder({ node, args: [join(import.meta.dirname, 'last-release.ts')] });
}
