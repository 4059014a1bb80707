/** Which test files a change can reach, for `npm run test:changed`. Plain JavaScript, like run.mjs. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';

const code = /\.[mc]?[jt]sx?$/;
/** Whatever starts the built program, or packs or shows it, uses all of this without importing it. */
const product = /^(activities|authoring|bin|console|core|integrations|playbooks|service|testing|workflows)\//;
const buildsProduct = ['tools/setup/build.mjs', 'tools/setup/bundle.mjs', 'tools/setup/console.mjs', 'bin/firebreak.mjs'];

/** Files that differ from `since`, with those that git does not know yet. Throws if there is no such commit. */
export function changedFiles({ root, since }) {
  const git = (...args) => {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    if (status !== 0)
      throw new Error(`git ${args.join(' ')}: ${stderr.trim()}: name a commit, as in npm run test:changed -- main`);
    return stdout.split('\n').filter((line) => line !== '');
  };
  return [...git('diff', '--name-only', since, '--'), ...git('ls-files', '--others', '--exclude-standard')];
}

/** The test files of `root` that can be affected by the changed files. */
export function reachedTests({ root, changed }) {
  const files = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
    .stdout.split('\n')
    .filter((file) => code.test(file) && existsSync(join(root, file)));
  const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
  const users = new Map();
  for (const [file, text] of texts) for (const used of importsIn(file, text)) users.set(used, [...(users.get(used) ?? []), file]);
  // What is not code is read by whoever writes its name.
  const data = changed.filter((file) => !code.test(file)).map((file) => basename(file));
  const begin = [
    ...changed.filter((file) => code.test(file)),
    ...[...texts].filter(([, text]) => data.some((name) => text.includes(name))).map(([file]) => file),
    ...(changed.some((file) => product.test(file)) ? buildsProduct : []),
  ];
  const reached = new Set();
  for (const next = [...begin]; next.length > 0; ) {
    const file = next.pop();
    if (reached.has(file)) continue;
    reached.add(file);
    next.push(...(users.get(file) ?? []));
  }
  return new Set([...reached].filter((file) => file.startsWith('test/') && file.endsWith('.test.ts')));
}

/** By their text: parsing all files takes longer than most tests. */
function importsIn(file, text) {
  const found = text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*|new URL\(\s*)'(\.[^']+)'/g);
  return [...found].map(([, path]) => posix.join(dirname(file), path));
}
