import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { keepAsAccepted, ReadyForSaves, requireLocal, savedPacks } from '../../../service/commands/watched-packs.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { describePack } from '../../../service/packs/describe.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { workflowBuild } from '../../../service/temporal/bundle/pack-build.ts';
import { WarmBundler } from '../../../service/temporal/bundle/warm-bundler.ts';
import { firebreakHere } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';
import { bundlePath } from '../../workflows/bundle.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-watched-'));
const ready = new ReadyForSaves();
afterAll(() => {
  ready.close();
  rmSync(folder, { recursive: true, force: true });
});

const path = join(folder, 'firebreak.yaml');
function configWith(server: string, address = '127.0.0.1:7233') {
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(
    kubeconfig,
    stringify({
      'current-context': 'one',
      contexts: [{ name: 'one', context: { cluster: 'one', user: 'one' } }],
      clusters: [{ name: 'one', cluster: { server } }],
      users: [{ name: 'one', user: { token: 'none' } }],
    }),
  );
  writeFileSync(
    path,
    stringify({
      cluster: 'dev',
      stateDir: 'state',
      temporal: { address },
      kubernetes: { kubeconfig },
      intake: { tokens: [{ name: 'falco', token: { env: 'TOKEN' } }] },
      roster: { people: [{ id: 'ada', name: 'Ada' }], groups: { oncall: ['ada'], leads: ['ada'] } },
    }),
  );
  return { path, env: {}, watched: [] as readonly string[] };
}

test.each([
  ['https://127.0.0.1:6443', '127.0.0.1:7233', undefined],
  ['https://[::1]:6443', 'localhost:7233', undefined],
  ['https://10.0.0.1:6443', '127.0.0.1:7233', /the cluster is at 10\.0\.0\.1:6443/],
  ['https://127.0.0.1:6443', 'temporal.example:7233', /Temporal is at temporal\.example:7233/],
  ['https://localhost.example', '127.0.0.1.example:7233', /Temporal is at .*, and the cluster is at/],
])('unpinned packs with %s and %s run only if both are on this machine', async (server, address, refused) => {
  const looked = requireLocal(loadConfig(configWith(server, address)));
  if (refused) await expect(looked).rejects.toThrow(refused);
  else await looked;
});

test('a saved pack is tried once; a mistake is reported with its place, and a working version is built', async () => {
  const pack = writePackFolder(join(folder, 'acme'));
  const source = { ...configWith('https://127.0.0.1:6443'), watched: [pack] };
  const running = loadConfig(source);
  expect(running.packs.map(({ name }) => name)).toEqual(['acme']);
  expect(() => loadConfig({ ...source, watched: [join(folder, 'other')] })).toThrow('there is no folder');
  const said: string[] = [];
  const log = {
    error: ({ problem }: { readonly problem: string }) => void said.push(problem),
    info: (_fields: object, message: string) => void said.push(message),
  };
  const built: string[] = [];
  const stop = new AbortController();
  const saved = savedPacks({
    source,
    running,
    ready,
    build: async ({ packs }) => {
      built.push(...packs.map(({ integrity }) => integrity));
      return { id: 'f'.repeat(16), path: 'none' };
    },
    adopt: async () => false,
    log,
    signal: stop.signal,
  });
  writePackFolder(pack, { 'saying.ts': 'export const saying = (): number => Date.now();\n' });
  const mistake = 'saying.ts:1: Date.now reads the clock, which differs at each replay';
  await eventually('the mistake', () => said.includes(mistake));
  writePackFolder(pack, { 'saying.ts': acmeFiles['saying.ts'] });
  await eventually('what runs', () => said.at(-1) === 'the pack matches the running code again');
  expect(said).toHaveLength(2);
  writePackFolder(pack, {
    'test/other.test.ts': '// no part of it\n',
    'saying.ts': 'export const saying = (): string => "x";\n',
  });
  expect(await saved).toBe(true);
  expect(built.at(-1)).toBe(loadConfig(source).packs[0]?.integrity);
  expect(built).not.toContain(running.packs[0]?.integrity);

  const ended = savedPacks({ source, running: loadConfig(source), ready, adopt: async () => false, log, signal: stop.signal });
  stop.abort();
  expect(await ended).toBe(false);
});

test('a changed playbook body starts next to the running code; a changed envelope restarts the service', async () => {
  const pack = writePackFolder(join(folder, 'in-place'));
  const source = { ...configWith('https://127.0.0.1:6443'), watched: [pack] };
  const said: string[] = [];
  const hear = (_fields: object, message: string) => void said.push(message);
  const stop = new AbortController();
  const adopted: string[] = [];
  const watch = () =>
    savedPacks({
      source,
      running: loadConfig(source),
      ready,
      build: async ({ packs: [one] }) => ({ id: one?.integrity ?? '', path: 'none' }),
      adopt: async ({ id }) => adopted.push(id) > 0,
      log: { error: hear, info: hear },
      signal: stop.signal,
    });
  const saved = watch();
  const integrity = () => loadConfig(source).packs[0]?.integrity ?? '';
  const save = async (text: string): Promise<string> => {
    writePackFolder(pack, { 'saying.ts': `export const saying = (): string => '${text}';\n` });
    const now = integrity();
    await eventually(text, () => adopted.at(-1) === now);
    return now;
  };
  const first = await save('one');
  const second = await save('two');
  expect(adopted).toEqual([first, second]);
  await eventually('what commands go by', () => loadConfig({ path, env: {} }).packs[0]?.integrity === second);
  await eventually('the word', () => said.filter((one) => one.startsWith('the saved code is live')).length === 2);
  // What ran before is a change again, and not what runs now.
  await save('one');
  expect(adopted.at(-1)).toBe(first);
  const miner = acmeFiles['playbooks/miner.ts'] ?? '';
  writePackFolder(pack, { 'playbooks/miner.ts': miner.replace("minSeverity: 'high'", "minSeverity: 'critical'") });
  expect(await saved).toBe(true);
  expect(adopted).toHaveLength(3);
});

test('commands use the version of a watched pack that the service accepted, pinned or not, whatever is saved; a service never does', async () => {
  const pack = writePackFolder(join(folder, 'taken'));
  const first = readPack({ folder: pack }).integrity;
  const of = (entry: object | undefined, stateDir: string) => {
    const source = configWith('https://127.0.0.1:6443');
    const file = join(folder, `${stateDir}.yaml`);
    const written: object = parse(readFileSync(source.path, 'utf8'));
    const params = { 'acme/miner': { lease: '3h' } };
    writeFileSync(file, stringify({ ...written, stateDir, ...(entry && { packs: [entry] }), playbooks: { params } }));
    return { path: file, env: {} };
  };
  for (const [entry, stateDir] of [
    [{ folder: pack, integrity: first }, 'pinned'],
    [{ folder: pack }, 'unpinned'],
    [undefined, 'unlisted'],
  ] as const) {
    writePackFolder(pack, { 'saying.ts': acmeFiles['saying.ts'] });
    const command = of(entry, stateDir);
    const list = () => firebreakHere(['playbooks', 'list', '--config', command.path], { folder });
    const watching = { ...command, watched: [pack] };
    writePackFolder(pack, { 'saying.ts': 'export const saying = (): string => "saved";\n' });
    expect(await list()).toMatchObject({ status: 1 });
    const config = loadConfig(watching);
    keepAsAccepted(config, watching.watched);
    // Half written.
    writePackFolder(pack, { 'saying.ts': 'export const saying = (\n' });
    keepAsAccepted(config, watching.watched);
    expect(loadConfig(command).packs.map(({ integrity }) => integrity)).toEqual(config.packs.map(({ integrity }) => integrity));
    const listed = await list();
    expect(listed).toMatchObject({ status: 0 });
    expect(listed.stdout).toContain('acme/miner');
    expect(() => loadConfig({ ...command, watched: [] })).toThrow();
    const checked = await firebreakHere(['config', 'check', '--config', command.path], { folder });
    expect(checked.stderr).toMatch(/differs from the pinned one|not pinned|acme\/miner/);
    // A service that watches nothing has accepted none.
    keepAsAccepted(config, []);
    expect(await list()).toMatchObject({ status: 1 });
  }
});

test('the warm process describes a pack as the check would, once per save, and leaves mistakes to the check', async () => {
  const pack = writePackFolder(join(folder, 'ahead'));
  const stateDir = join(folder, 'ahead-state');
  const kept = () => readdirSync(join(stateDir, 'packs')).map((file) => readFileSync(join(stateDir, 'packs', file), 'utf8'));
  const said = () => JSON.stringify(describePack(readPack({ folder: pack })).raw);
  await ready.describe(pack, stateDir);
  expect(kept()).toEqual([said()]);
  // Whether or not there was time to prepare the next one in advance.
  ready.again();
  for (const title of ['Cut off at once', 'Cut off later']) {
    const miner = acmeFiles['playbooks/miner.ts'] ?? '';
    writePackFolder(pack, { 'playbooks/miner.ts': miner.replace('Cut off', title) });
    await ready.describe(pack, stateDir);
    expect(kept()).toContain(said());
  }
  const before = kept().length;
  for (const mistake of [
    'export const saying = () => Date.now();\n',
    "throw new Error('not now');\n",
    'export const saying = (\n',
  ]) {
    writePackFolder(pack, { 'saying.ts': mistake });
    await ready.describe(pack, stateDir);
  }
  expect(kept()).toHaveLength(before);
});

test('the warm bundler builds the same as a fresh one, save after save, and survives a mistake', async () => {
  const pack = writePackFolder(join(folder, 'bundled'));
  const engine = await bundlePath();
  const of = (stateDir: string) => {
    const { integrity } = readPack({ folder: pack });
    return { engine, stateDir: join(folder, stateDir), packs: [{ name: 'acme', source: { folder: pack }, integrity }] };
  };
  for (const text of ['one', 'two']) {
    writePackFolder(pack, { 'saying.ts': `export const saying = (): string => '${text}';\n` });
    const [mine, once] = [await ready.build(of('warm')), await workflowBuild(of('once'))];
    expect(mine.id).toBe(once.id);
    writePackFolder(pack, { 'saying.ts': 'export const saying = (: string => "x";\n' });
    await expect(ready.build(of('warm'))).rejects.toThrow(/the packs cannot be built: Error: saying\.ts: it cannot be read/);
  }
});

test('a stopped bundler starts again with the next job', async () => {
  const bundler = new WarmBundler();
  try {
    const pack = writePackFolder(join(folder, 'again'));
    for (const other of ['package.json', 'test']) rmSync(join(pack, other), { recursive: true });
    const job = { from: await bundlePath(), outFile: join(folder, 'again.js') };
    const packs = [{ name: 'acme', main: 'firebreak.pack.ts', folder: pack }];
    await bundler.bundle({ ...job, packs });
    rmSync(job.outFile);
    bundler.close();
    await bundler.bundle({ ...job, packs });
    expect(existsSync(job.outFile)).toBe(true);
  } finally {
    bundler.close();
  }
});
