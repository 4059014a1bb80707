/** Runs the tutorial block by block, as somebody would who has only the package: in an empty folder, without a registry. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { installFirebreak, packedFirebreak } from '../package.ts';
import { blocksOf, type PageBlock } from '../page-blocks.ts';

interface Section {
  readonly title: string;
  readonly blocks: readonly PageBlock[];
}

const sections: readonly Section[] = readFileSync(join(projectRoot(), 'docs', 'tutorial.md'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((text) => ({
    title: text.split('\n', 1)[0] ?? '',
    blocks: blocksOf(text),
  }));

let folder: string;
let tarball: string;
beforeAll(async () => {
  ({ tarball } = await packedFirebreak());
  folder = mkdtempSync(join(tmpdir(), 'firebreak-tutorial-'));
  copyFileSync(tarball, join(folder, basename(tarball)));
  cwd = folder;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The reader's current folder. */
let cwd: string;

/** Runs a line. Returns its output and exit code. */
async function type(line: string): Promise<{ readonly code: number | null; readonly text: string }> {
  if (line.startsWith('cd ')) {
    cwd = resolve(cwd, line.slice(3));
    return { code: existsSync(cwd) ? 0 : 1, text: '' };
  }
  if (line.startsWith('npm install')) {
    // What npm would fetch from a registry is installed already; what it should take from this folder must be here.
    const [named] = line.match(/\S+\.tgz$/) ?? [];
    const { devDependencies }: { readonly devDependencies?: Readonly<Record<string, string>> } =
      named === undefined ? JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8')) : {};
    const from = named ?? devDependencies?.firebreak?.replace(/^file:/, '') ?? '';
    const isThere = from.endsWith('.tgz') && existsSync(resolve(cwd, from));
    if (isThere) await installFirebreak(cwd, resolve(cwd, from));
    return { code: isThere ? 0 : 1, text: isThere ? '' : `there is no ${from}` };
  }
  const { code, stdout, stderr } = await runCommand({
    command: 'bash',
    args: ['-c', line],
    cwd,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, npm_config_offline: 'true', NO_COLOR: '1' },
  });
  return { code, text: stdout + stderr };
}

function write({ kind, lines }: PageBlock): void {
  const [head = '', ...rest] = lines;
  const file = /^\/\/ (\S+)$/.exec(head)?.[1];
  if (file === undefined) throw new Error(`a block of ${kind} does not say which file it is: ${head}`);
  mkdirSync(dirname(join(cwd, file)), { recursive: true });
  writeFileSync(join(cwd, file), `${(kind === 'json' ? rest : lines).join('\n')}\n`);
}

describe('the tutorial', () => {
  test.each(sections.map((section) => [section.title, section] as const))('%s', async (_, { blocks }) => {
    let printed = '';
    for (const block of blocks) {
      const [language, mode] = block.kind.split(' ');
      // The tutorial itself says that this needs a running Firebreak.
      if (mode === 'elsewhere') continue;
      if (language === 'sh') {
        printed = '';
        for (const line of block.lines) {
          const { code, text } = await type(line);
          printed += text;
          expect({ line, failed: code !== 0, text }).toEqual({ line, failed: mode === 'fails', text });
        }
      } else if (language === 'text') for (const line of block.lines) expect(printed).toContain(line);
      else write(block);
    }
  });
});
