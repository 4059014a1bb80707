/** Arguments: a FOLDER, and how many MEGABYTES of files to create in it. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const million = 1_000_000;
const [tree = '', megabytes = ''] = process.argv.slice(2);
makeTree(tree, Number(megabytes));

/** Files of 1 MB in folders of 100: half incompressible, half like text. */
function makeTree(tree: string, megabytes: number): void {
  const words =
    randomBytes(4_000)
      .toString('hex')
      .match(/.{1,7}/g) ?? [];
  for (let n = 0; n < megabytes; n += 1) {
    const folder = join(tree, String(Math.floor(n / 100)));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, String(n)), n % 2 === 0 ? randomBytes(million) : textLike(words));
  }
}

function textLike(words: readonly string[]): Buffer {
  const picks = randomBytes(million / 4);
  const parts: string[] = [];
  for (let at = 0; at + 1 < picks.length; at += 2) parts.push(words[picks.readUInt16LE(at) % words.length] ?? '');
  return Buffer.from(parts.join(' ').padEnd(million).slice(0, million));
}
