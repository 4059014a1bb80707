/** Prints a pack's own description as JSON: see `runPackProgram`. Without MAIN it prepares, and reads MAIN as a line: see `DescribingAhead`. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { loadDoors, loadedPack, printToStandardError } from './loaded-pack.ts';

const [folder = '', given] = process.argv.slice(2);
printToStandardError();
const main = given ?? (await told());
if (main !== undefined) process.stdout.write(JSON.stringify((await loadedPack(folder, main)) ?? null));

/** Undefined if the parent has ended. */
async function told(): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin });
  const heard = Promise.race([once(lines, 'line'), once(lines, 'close')]);
  await loadDoors();
  const [line]: readonly unknown[] = await heard;
  lines.close();
  process.stdin.destroy();
  return typeof line === 'string' ? line : undefined;
}
