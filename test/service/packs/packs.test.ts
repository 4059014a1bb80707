import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkConfig, loadConfig } from '../../../service/config/load.ts';
import { playbooksOf } from '../../../service/config/packs.ts';
import { rememberObserved } from '../../../service/packs/observed.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { packFaults } from '../../../service/packs/pack-rules.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { firebreakHere } from '../../command-line.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-packs-test-'));
  folders.push(folder);
  return folder;
}
const acme = (changed: Readonly<Record<string, string | undefined>> = {}): string =>
  writePackFolder(join(newFolder(), 'our-playbooks'), { ...acmeFiles, ...changed });

describe('the integrity of a pack', () => {
  test('is that of its code: the same in another folder or with other tests, but not with another line', () => {
    const folder = acme();
    const { integrity } = readPack({ folder });
    expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
    expect(readPack({ folder: acme({ 'test/miner.test.ts': '// another test\n', 'README.md': 'Ours.\n' }) }).integrity).toBe(
      integrity,
    );
    expect(readPack({ folder: acme({ 'saying.ts': 'export const saying = (lease: string) => lease;\n' }) }).integrity).not.toBe(
      integrity,
    );
  });

  test('of a tarball is what npm writes into a lockfile', async () => {
    const folder = acme();
    const { stdout } = await runCommand({ command: 'npm', args: ['pack', '--json', '--ignore-scripts'], cwd: folder });
    const [packed] = JSON.parse(stdout);
    const { integrity, files } = readPack({ tarball: join(folder, packed.filename) });
    expect(integrity).toBe(packed.integrity);
    expect([...files.keys()]).toEqual(['firebreak.pack.ts', 'playbooks/miner.ts', 'saying.ts']);
  });

  test('of an installed package is that of its folder', () => {
    const folder = acme();
    const project = newFolder();
    cpSync(folder, join(project, 'node_modules/@acme/playbooks'), { recursive: true });
    expect(readPack({ npm: '@acme/playbooks', from: join(project) }).integrity).toBe(readPack({ folder }).integrity);
    expect(() => readPack({ npm: '@acme/others', from: project })).toThrow('run npm install @acme/others');
  });
});

describe('what no playbook may contain is reported with its line and what to do', () => {
  test.each([
    [
      'a module of Node',
      "import { readFileSync } from 'node:fs';\nreadFileSync('/etc/passwd');",
      1,
      /'node:fs'.*Import only firebreak\/playbook, firebreak\/actions/,
    ],
    ['an HTTP client', "\nimport axios from 'axios';\naxios.get('/');", 2, /'axios'.*defineAction/],
    ['a dynamic import', "export const late = () => import('node:fs');", 1, /'node:fs'/],
    ['an import computed at run time', 'export const late = (name: string) => import(name);', 1, /computed at run time/],
    ['a file outside', "export { x } from '../../other.ts';", 1, /outside of the pack/],
    ['a file that is not there', "export { x } from './other.ts';", 1, /no file playbooks\/other.ts.*ending/],
    ['a top-level await', '\nexport const found = await Promise.resolve(1);', 2, /await outside a function.*body/],
    ['the network', "export const call = () => fetch('http://x');", 1, /fetch reaches the network.*action/],
    ['the environment', '\n\nexport const group = process.env.GROUP;', 3, /process.*parameter/],
    ['the clock', 'export const now = () => Date.now();', 1, /Date.now.*alert.time/],
    ['the clock in another way', 'export const now = () => new Date();', 1, /new Date\(\).*alert.time/],
    ['randomness', 'export const dice = () => Math.random();', 1, /Math.random.*alert.id/],
    ['the global object', 'export const all = () => globalThis;', 1, /globalThis/],
    [
      'the engine’s internals',
      'export const run = () => __TEMPORAL_ACTIVATOR__.info;',
      1,
      /__TEMPORAL_ACTIVATOR__ belongs to what runs the playbook/,
    ],
    ['invalid TypeScript', 'export const = 5;', 1, /cannot be read/],
    ['an enum', 'export enum Mood { calm }', 1, /no enum/],
  ])('%s', (_, code, line, words) => {
    const faults = packFaults(readPack({ folder: acme({ 'playbooks/bad.ts': `${code}\n` }) }));
    expect(faults).toMatchObject([{ file: 'playbooks/bad.ts', line }]);
    expect(`${faults[0]?.problem}. ${faults[0]?.remedy}`).toMatch(words);
  });

  test('but any types, a date of the alert, and the author’s own names are allowed', () => {
    const code = `import type { Stats } from 'node:fs';
export function fetch(process: { env: string }, stats?: Stats): unknown {
  const { env } = process;
  return [new Date(env), Date.parse(env), Math.max(1, 2), { fetch: 1, process: 2 }, stats, fetch];
}
export const later = async (all: AsyncIterable<number>) => {
  for await (const one of all) await Promise.resolve(one);
};
`;
    expect(packFaults(readPack({ folder: acme({ 'playbooks/fine.ts': code }) }))).toEqual([]);
  });
});

const minimal = `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01] }], groups: { oncall: [ada], leads: [ada] } }
`;

function checked(more: object) {
  const folder = newFolder();
  const path = join(folder, 'firebreak.yaml');
  writeFileSync(
    path,
    `${minimal}${Object.entries(more)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
      .join('\n')}\n`,
  );
  return checkConfig({ path, env: {} });
}

function problemsOf(more: object): readonly string[] {
  const found = checked(more);
  return found.ok ? [] : found.problems.map(({ path, problem, remedy }) => `${path}: ${problem}. ${remedy}`);
}

describe('a configuration with a pack', () => {
  const folder = acme();
  const { integrity } = readPack({ folder });
  const packs = [{ folder, integrity }];

  test('has its playbooks under the pack’s name, along with the shipped ones', () => {
    const found = checked({ packs, playbooks: { params: { 'acme/miner': { lease: '8h', group: 'leads' } } } });
    if (!found.ok) throw new Error(JSON.stringify(found.problems));
    const ids = playbooksOf(found.config).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['acme/miner', 'firebreak/contain-dropped-binary']));
    expect(found.config.packs).toMatchObject([{ name: 'acme', version: '1.0.0', integrity }]);
    expect(playbooksOf(found.config).at(-1)).toMatchObject({
      title: 'Cut off a pod that mines',
      params: { lease: { kind: 'duration', default: '4h' } },
      uses: { quarantinePod: { effect: 'reversible', reach: 'pod' } },
    });
  });

  test('is refused if the pack is not pinned, or is not what is pinned; the message says what it is', () => {
    expect(problemsOf({ packs: [{ folder }] })).toEqual([
      expect.stringMatching(/^packs\[0\]\.integrity: the pack is not pinned.*sha512-/),
    ]);
    const other = `sha512-${'A'.repeat(86)}==`;
    expect(problemsOf({ packs: [{ folder, integrity: other }] })).toEqual([
      expect.stringContaining(
        `packs[0].integrity: the pack differs from the pinned one. Review what has changed. If it is intended, set integrity: ${integrity}`,
      ),
    ]);
  });

  test.each([
    [
      'an unknown playbook',
      { 'acme/minor': { lease: '8h' } },
      'playbooks.params.acme/minor: there is no playbook acme/minor. Did you mean acme/miner?',
    ],
    [
      'an unknown parameter',
      { 'acme/miner': { leese: '8h' } },
      'playbooks.params.acme/miner.leese: acme/miner has no parameter leese. Did you mean lease?',
    ],
    [
      'a value of the wrong kind',
      { 'acme/miner': { lease: '8 hours' } },
      'playbooks.params.acme/miner.lease: "8 hours" is not a valid duration value. write a duration such as 30s, 15m, 4h or 2d.',
    ],
    [
      'an unknown group',
      { 'acme/miner': { group: 'oncal' } },
      'playbooks.params.acme/miner.group: the roster has no group oncal. Did you mean oncall?',
    ],
  ])('is refused with %s among the parameters', (_, params, message) => {
    expect(problemsOf({ packs, playbooks: { params } })).toEqual([message]);
  });

  test('is refused if a pack breaks the rules, with the place in its source', () => {
    const bad = acme({
      'playbooks/miner.ts': acmeFiles['playbooks/miner.ts']?.replace('note(saying', 'Date.now();\n    note(saying'),
    });
    expect(problemsOf({ packs: [{ folder: bad, integrity: readPack({ folder: bad }).integrity }] })).toEqual([
      expect.stringMatching(/^packs\[0\]: playbooks\/miner\.ts:14: Date\.now reads the clock/),
    ]);
  });

  test.each([
    ['an invalid name', "name: 'acme'", "name: 'Acme!'", /cannot be named “Acme!”/],
    [
      'the name of the shipped pack',
      "name: 'acme'",
      "name: 'firebreak'",
      /a pack cannot be named firebreak: that is the name of the shipped pack/,
    ],
    ['a version that could not be published', "version: '1.0.0'", "version: 'v1'", /version: use three numbers, such as 1\.2\.0/],
    ['no pack', 'export default definePack', 'export const pack = definePack', /export default definePack/],
    [
      'a parameter that it does not have',
      'playbooks: [miner]',
      'playbooks: [miner], params: { miner: { limit: 5 } }',
      /has no parameter limit/,
    ],
    [
      'a schedule that was never checked',
      'playbooks: [miner]',
      "playbooks: [{ ...miner, on: { ...miner.on, schedule: { every: '1s' } } }]",
      /acme\/miner: its schedule: every cannot be "1s"/,
    ],
  ])('is refused with %s', (_, from, to, words) => {
    const bad = acme({ 'firebreak.pack.ts': acmeFiles['firebreak.pack.ts']?.replace(from, to) });
    expect(problemsOf({ packs: [{ folder: bad, integrity: readPack({ folder: bad }).integrity }] })).toEqual([
      expect.stringMatching(words),
    ]);
  });

  test('is refused with a pack whose modules access files, even in a way that no rule detects', () => {
    const sly = acme({
      'saying.ts':
        "const secret = 'constructor';\nexport const saying = (lease: string): string => (() => lease)[secret as 'name'] as string;\nconst code = (saying as never as Record<string, (text: string) => () => unknown>)[secret];\nif (code) code('return process.getBuiltinModule(\"fs\").readFileSync(\"/etc/hostname\")')();\n",
    });
    expect(problemsOf({ packs: [{ folder: sly, integrity: readPack({ folder: sly }).integrity }] })).toEqual([
      expect.stringMatching(/saying\.ts:4: EvalError: Code generation from strings disallowed/),
    ]);
  });

  test('takes the defaults that the pack sets', () => {
    const own = acme({
      'firebreak.pack.ts': acmeFiles['firebreak.pack.ts']?.replace(
        'playbooks: [miner]',
        "playbooks: [miner], params: { miner: { lease: '30m' } }",
      ),
    });
    const found = checked({ packs: [{ folder: own, integrity: readPack({ folder: own }).integrity }] });
    expect(found.ok && playbooksOf(found.config).at(-1)).toMatchObject({
      params: { lease: { default: '30m' }, group: { default: 'oncall' } },
    });
    expect(readFileSync(join(own, 'firebreak.pack.ts'), 'utf8')).toContain('30m');
  });
});

describe('the command line', () => {
  const folder = acme();
  const { integrity } = readPack({ folder });
  const path = join(newFolder(), 'firebreak.yaml');
  writeFileSync(path, `${minimal}packs: ${JSON.stringify([{ folder, integrity }])}\n`);
  const cli = (...args: readonly string[]) => firebreakHere([...args, '--config', path], { folder });

  test('lists and shows the playbooks of the configured packs, with their parameters', async () => {
    expect((await cli('playbooks', 'list')).stdout).toMatch(/^acme\/miner +high +\S/m);
    expect((await cli('playbooks', 'show', 'acme/miner')).stdout).toMatch(
      /^parameters +lease \(duration, "4h" if nothing is set\); group \(group, "oncall" if nothing is set\)$/m,
    );
  });

  test('shows which version of its pack a playbook belongs to', async () => {
    expect((await cli('playbooks', 'show', 'acme/miner')).stdout).toMatch(/^version +acme@1\.0\.0$/m);
    expect(JSON.parse((await cli('playbooks', 'show', 'acme/miner', '--json')).stdout)).toMatchObject({ version: '1.0.0' });
    expect((await cli('playbooks', 'show', 'firebreak/contain-dropped-binary')).stdout).not.toMatch(/^version/m);
  });

  test('shows what observed versions would have done with a playbook, as far as this cell has seen', async () => {
    expect((await cli('playbooks', 'show', 'acme/miner')).stdout).not.toContain('OBSERVED');
    const { stateDir } = loadConfig({ path, env: {} });
    const seen = { at: '2026-11-27T12:00:00.000Z', incident: 'i', rule: 'Detect crypto miners', asks: [] };
    const next = { pack: 'acme', release: '1.1.0' };
    rememberObserved(stateDir, next, { ...seen, playbook: 'acme/miner', outcome: 'quarantinePod; noted' });
    rememberObserved(stateDir, next, { ...seen, playbook: 'acme/other', outcome: 'nothing is done' });
    const { stdout } = await cli('playbooks', 'show', 'acme/miner');
    expect(stdout).toMatch(/^acme@1\.1\.0 +2026-11-27T12:00:00\.000Z +Detect crypto miners +quarantinePod; noted$/m);
    expect(stdout).not.toContain('nothing is done');
    expect(JSON.parse((await cli('playbooks', 'show', 'acme/miner', '--json')).stdout)).toMatchObject({
      observed: [{ version: 'acme@1.1.0', outcome: 'quarantinePod; noted' }],
    });
    // A playbook that is in no running version.
    expect((await cli('playbooks', 'show', 'acme/other')).stdout).toMatch(
      /^acme\/other does not run: it is in a version of its pack that was observed\.\n\n.*\nacme@1\.1\.0 .* nothing is done$/m,
    );
  });

  test('shows a pack of the configuration by name, place and pin, not by its content', async () => {
    const { stdout } = await cli('config', 'check', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      config: { packs: [{ name: 'acme', version: '1.0.0', folder, integrity, playbooks: ['acme/miner'] }] },
    });
  });

  test('writes the manifests for its rights', async () => {
    const { status, stdout } = await cli('rbac', 'manifests', '--playbooks', 'acme/miner');
    expect(status).toBe(0);
    expect(stdout).toContain('networkpolicies');
  });
});
