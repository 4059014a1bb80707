/**
 * Enforces the house rules: no import circle, no full folder, no exported type's name twice, no export that nobody imports, no fragment next to its only user,
 * no invented word in a name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { root } from '../setup/setup.mjs';
import { borderFaults } from './borders.mjs';
import { programFiles, readTree, topRooms } from './imports.mjs';

const mostFiles = 20;
/**
 * A file with fewer lines, whose only user is its neighbour, belongs in that file. Exempt: actions, playbooks and lists of pools, found by file, and the list
 * of packs, which the bundler replaces.
 */
const fewLines = 40;
const standAlone = /^(core\/actions\/|activities\/actions\/|playbooks\/|service\/cell\/pools\/|workflows\/packs\.ts$)/;
/** Folders whose files are data, generated or one per kind. */
const anyNumber = /^(test\/fixtures|bench\/results|docs|deploy)(\/|$)/;

/** Words that nobody would search for, with the field's usual term. No file or exported name may contain them; prose may. */
const ownWords = {
  alive: 'running, heartbeat',
  apart: 'rejected, separate',
  aside: 'overflow, deferred',
  beside: 'before, second, parallel',
  came: 'arrived, recurrence',
  crowd: 'limit, congestion',
  crowded: 'limited, congested',
  deed: 'change, event',
  got: 'answer, response',
  hidable: 'suppressible',
  kept: 'stored, retained, durable, registered',
  knock: 'request',
  lane: 'limiter, queue',
  nursery: 'young generation',
  parcel: 'package',
  quiet: 'idle, silent',
  stranger: 'outsider, unknown sender',
  taken: 'accepted, contained, held',
  told: 'reply, notice',
  wish: 'mode, request',
};

/** Returns the violations below `folder`, one sentence each. */
export function houseFaults(folder, files = readTree(folder)) {
  return [
    ...circleFaults(files),
    ...fragmentFaults(files),
    ...nameFaults(files),
    ...exportFaults(folder, files),
    ...wordFaults(folder),
    ...folderFaults(folder),
  ];
}

/** Finds import circles, types included, with Tarjan's strongly connected components. */
function circleFaults(files) {
  const [index, low, stack, onStack, circles] = [new Map(), new Map(), [], new Set(), []];
  const visit = (file) => {
    index.set(file, index.size);
    low.set(file, index.get(file));
    stack.push(file);
    onStack.add(file);
    for (const next of files.get(file).uses) {
      if (!index.has(next)) visit(next);
      if (onStack.has(next)) low.set(file, Math.min(low.get(file), low.get(next)));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    for (const one of circle) onStack.delete(one);
    if (circle.length > 1) circles.push(circle.reverse());
  };
  for (const file of files.keys()) if (!index.has(file)) visit(file);
  return circles.map((circle) => `circular imports: ${circle.join(' → ')}: move what they share into its own file`);
}

function fragmentFaults(files) {
  const users = new Map();
  for (const [file, { uses }] of files) for (const used of uses) users.set(used, [...(users.get(used) ?? []), file]);
  return [...files]
    .filter(
      ([file, { lines }]) => file.endsWith('.ts') && lines < fewLines && !file.endsWith('.schema.ts') && !standAlone.test(file),
    )
    .filter(([file]) => users.get(file)?.length === 1 && dirname(users.get(file)[0]) === dirname(file))
    .map(
      ([file, { lines }]) =>
        `${file}: ${lines} lines that only its neighbour ${posix.basename(users.get(file)[0])} uses: move them there`,
    );
}

/** If two types share a name, every search finds the wrong one. */
function nameFaults(files) {
  const places = new Map();
  for (const [file, { exports }] of files)
    for (const { name, isType } of exports) if (isType) places.set(name, [...(places.get(name) ?? []), file]);
  return [...places]
    .filter(([, where]) => where.length > 1)
    .map(([name, where]) => `the type ${name} is exported by ${where.join(' and ')}: give each its own name`);
}

/**
 * By name: an export that no other file mentions is imported by none. Files that no import leads to are entry points of a program or a loader, which uses the
 * names it knows.
 */
function exportFaults(folder, files) {
  const writers = new Map();
  for (const room of [...topRooms, 'test', 'bench'])
    for (const file of programFiles(folder, room))
      for (const word of new Set(readFileSync(join(folder, file), 'utf8').match(/[\w$]+/g)))
        writers.set(word, (writers.get(word) ?? 0) + 1);
  const imported = new Set([...files.values()].flatMap(({ uses }) => uses));
  return [...files].flatMap(([file, { exports }]) =>
    exports
      .filter(({ name }) => imported.has(file) && writers.get(name) === 1)
      .map(({ name }) => `${file}: nothing imports ${name}: export only what others need`),
  );
}

const exported = /^export (?:default |declare |abstract |async )*(?:function\*?|const|class|interface|type) (\w+)/gm;

function wordFaults(folder) {
  const faultsOf = (name, where) =>
    name
      .split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/)
      .filter((word) => Object.hasOwn(ownWords, word.toLowerCase()))
      .map((word) => `${where}: ‘${word}’ is our own word: use the usual term (${ownWords[word.toLowerCase()]})`);
  return [...topRooms, 'test', 'bench']
    .flatMap((room) => programFiles(folder, room))
    .filter((file) => !file.startsWith('test/fixtures/'))
    .flatMap((file) => [
      ...faultsOf(posix.basename(file), file),
      ...[...readFileSync(join(folder, file), 'utf8').matchAll(exported)].flatMap(([, name]) =>
        faultsOf(name, `${file}: ${name}`),
      ),
    ]);
}

function folderFaults(folder) {
  const count = (path) => {
    const entries = readdirSync(join(folder, path), { withFileTypes: true });
    const below = entries
      .filter((entry) => entry.isDirectory() && !/^(node_modules|dist|\..*)$/.test(entry.name))
      .flatMap((entry) => count(path === '.' ? entry.name : posix.join(path, entry.name)));
    const files = entries.filter((entry) => entry.isFile() && !/\.d\.[mc]?ts$/.test(entry.name)).length;
    return files > mostFiles && path !== '.' && !anyNumber.test(path)
      ? [`${path}: ${files} files, at most ${mostFiles} allowed: split it into subfolders`, ...below]
      : below;
  };
  return count('.');
}

if (process.argv[1] === import.meta.filename) {
  const folder = process.argv[2] ?? root;
  // Read once for both: parsing all files is most of their cost.
  const tree = readTree(folder);
  const crossings = borderFaults(folder, tree).map(({ file, specifier, reason }) => `${file}: '${specifier}': ${reason}`);
  const faults = [...crossings, ...houseFaults(folder, tree)];
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
