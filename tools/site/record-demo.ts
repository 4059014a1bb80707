/** Records the demo as `docs/images/demo.cast`, and makes its picture. With `--picture` only makes the picture, from the existing recording. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { terminalPicture } from './terminal-picture.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const castFile = join(root, 'docs/images/demo.cast');
const columns = 104;

if (!process.argv.includes('--picture')) writeFileSync(castFile, await record());
writeFileSync(
  join(root, 'docs/images/demo.svg'),
  terminalPicture(readFileSync(castFile, 'utf8'), 'Firebreak’s demo in a terminal'),
);

async function record(): Promise<string> {
  const began = performance.now();
  const events: (readonly [number, 'o', string])[] = [[0, 'o', '$ npm run demo -- --yes\n']];
  const demo = spawn(process.execPath, [join(root, 'bin/firebreak.mjs'), 'demo', '--yes'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  demo.stdout.setEncoding('utf8');
  demo.stdout.on('data', (text: string) => events.push([Number(((performance.now() - began) / 1_000).toFixed(2)), 'o', text]));
  const [code] = await once(demo, 'close');
  if (code !== 0) throw new Error(`the demo ended with ${code}`);
  return `${[{ version: 2, width: columns, height: 26 }, ...events].map((line) => JSON.stringify(line)).join('\n')}\n`;
}
