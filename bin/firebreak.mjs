#!/usr/bin/env node
/** The launcher: goes on under the right Node with what is built. A checkout is set up and built first; an installed package is both. */
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

// In place of Node's own listener, which opens an inspector to every process of this user. A flag in the first line would end a Node that does not know it.
process.on('SIGUSR1', () => {});

const ofCheckout = new URL('../tools/setup/launch.mjs', import.meta.url);
const built = new URL('../dist/service/', import.meta.url);

const program = await prepare().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
// The service is a process of its own, with its memory bounded.
const isService = process.argv[2] === 'run';
// So is what reads all records, of which there may be millions.
const isAudit = process.argv[2] === 'audit' && process.argv[3] === 'verify';
if (program.node === process.execPath && !isService && !isAudit) {
  process.argv[1] = program.cli;
  await import(pathToFileURL(program.cli).href);
} else {
  const { runUnder } = await import(new URL('launcher.mjs', program.launcher).href);
  const { auditNodeFlags, serviceEnvironment, serviceNodeFlags } = await import(new URL('node-flags.mjs', program.launcher).href);
  process.exitCode = await runUnder({
    node: program.node,
    args: [...(isService ? serviceNodeFlags : isAudit ? auditNodeFlags : []), program.cli, ...process.argv.slice(2)],
    env: { ...(isService || isAudit ? serviceEnvironment : {}), ...process.env },
  });
}

async function prepare() {
  if (!existsSync(ofCheckout))
    return { node: process.execPath, cli: fileURLToPath(new URL('cli.js', built)), launcher: new URL('launcher/', built) };
  const launch = await import(ofCheckout.href);
  return { ...(await launch.prepare(process.argv.slice(2))), launcher: new URL('../service/launcher/', import.meta.url) };
}
