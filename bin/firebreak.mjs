#!/usr/bin/env node
/** The launcher: sets a checkout up on first use, builds it when the sources changed, and goes on under the right Node. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt } from '../tools/setup/build.mjs';
import { serviceEnvironment, serviceNodeFlags } from '../tools/setup/node-flags.mjs';
import { ensureSetUp, runUnder } from '../tools/setup/setup.mjs';

const program = await prepare().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
// The service is a process of its own, with its memory bounded.
const isService = process.argv[2] === 'run';
if (program.node === process.execPath && !isService) {
  process.argv[1] = program.cli;
  await import(pathToFileURL(program.cli).href);
} else {
  process.exitCode = await runUnder({
    node: program.node,
    args: [...(isService ? serviceNodeFlags : []), program.cli, ...process.argv.slice(2)],
    env: { ...(isService ? serviceEnvironment : {}), ...process.env },
  });
}

async function prepare() {
  const [command, subcommand] = process.argv.slice(2);
  const node = await ensureSetUp({ startsCluster: command === 'demo' || (command === 'dev' && subcommand === 'up') });
  return { node, cli: join(await ensureBuilt({ node }), 'service', 'cli.js') };
}
