#!/usr/bin/env node
/**
 * The command line as a program. Plain JavaScript, and `cli.ts` is a link to it: a Node that is too old cannot read TypeScript, but it follows the link, so it
 * can say what it needs.
 */
import { nodeProblem } from './launcher/launcher.mjs';

// In place of Node's own listener, which opens an inspector: it may have been started without `noInspector`.
process.on('SIGUSR1', () => {});

const problem = nodeProblem();
if (problem === undefined) {
  const { main } = await import('./commands/main.ts');
  await main(process.argv.slice(2));
} else {
  // Only a checkout has its own Node: a package is JavaScript throughout, and was started by that file.
  const isCheckout = import.meta.url.endsWith('.mjs');
  const remedy = isCheckout ? ' Or start bin/firebreak.mjs, which uses the Node that this checkout has installed.' : '';
  process.stderr.write(`${problem}${remedy}\n`);
  process.exitCode = 1;
}
