import { generateKeyPairSync } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readPack } from '../../service/packs/pack-files.ts';
import { writePack } from '../../service/packs/pack-program.ts';
import { readBuild } from '../../service/temporal/bundle/bundle.ts';
import { emptyProject, firebreakIn, installFirebreak, packedFirebreak, runNode } from '../package.ts';

let project: string;
beforeAll(async () => {
  project = await emptyProject();
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Creates a pack as it is after `npm install` in it. */
async function newPack(name: string, ...flags: readonly string[]): Promise<string> {
  const made = await firebreakIn(project, 'pack', 'new', name, ...flags);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const folder = join(project, name);
  await installFirebreak(folder, (await packedFirebreak()).tarball);
  return folder;
}

describe('firebreak pack new', () => {
  test('creates a folder whose test passes, whose types are right, and which passes the pack check', async () => {
    const folder = await newPack('our-playbooks');
    for (const file of ['package.json', 'firebreak.pack.ts', 'playbooks/miner.ts', 'test/miner.test.ts', 'alerts/miner.json'])
      expect(existsSync(join(folder, file))).toBe(true);
    const { scripts, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    // No registry needs to have it: the dependency names what the command was installed from.
    const { tarball } = await packedFirebreak();
    expect(devDependencies.firebreak).toBe(`file:${relative(folder, tarball)}`);
    expect(scripts).toEqual({ test: 'node --test "test/**/*.test.ts"', check: 'tsc -p . && firebreak pack check' });
    const tested = await runNode(folder, '--test', 'test/**/*.test.ts');
    expect(tested.stdout).toContain('pass 4');
    expect(tested).toMatchObject({ code: 0 });
    expect(await runNode(folder, 'node_modules/typescript/bin/tsc', '-p', '.')).toMatchObject({ code: 0, stdout: '' });
    const checked = await firebreakIn(folder, 'pack', 'check');
    expect(checked.stdout).toMatch(/^our-playbooks 0\.1\.0, integrity sha512-/);
    expect(checked.stdout).toContain('our-playbooks/miner');
    expect(checked.stderr).toBe('');
    const all = await firebreakIn(folder, 'check', '--strict');
    expect(all).toMatchObject({ code: 0, stdout: 'our-playbooks 0.1.0: 0 errors, 0 warnings, 0 notices\n', stderr: '' });
  });

  test('creates one with Jest instead', async () => {
    const folder = await newPack('for-jest', '--runner', 'jest');
    const { scripts, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    expect(scripts.test).toContain('jest');
    expect(Object.keys(devDependencies)).toContain('@swc/jest');
    expect(readFileSync(join(folder, 'test/miner.test.ts'), 'utf8')).toContain("from '@jest/globals'");
    expect(await runNode(folder, 'node_modules/typescript/bin/tsc', '-p', '.')).toMatchObject({ code: 0, stdout: '' });
  });

  test('creates one with Vitest instead, whose test also passes', async () => {
    const folder = await newPack('for-vitest', '--runner', 'vitest');
    const { scripts, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    expect(scripts.test).toBe('vitest run');
    expect(Object.keys(devDependencies)).toContain('vitest');
    expect(await runNode(folder, 'node_modules/typescript/bin/tsc', '-p', '.')).toMatchObject({ code: 0, stdout: '' });
    const tested = await runNode(folder, 'node_modules/vitest/vitest.mjs', 'run', '--no-color');
    expect(tested.stdout).toMatch(/Tests +4 passed/);
    expect(tested).toMatchObject({ code: 0 });
  });

  test('overwrites nothing, and refuses an invalid name', async () => {
    expect((await firebreakIn(project, 'pack', 'new', 'for-jest')).stderr).toContain('for-jest already exists');
    expect((await firebreakIn(project, 'pack', 'new', 'Ours!')).stderr).toContain('Use at most 40 lowercase letters');
    expect((await firebreakIn(project, 'pack', 'new', 'firebreak')).stderr).toContain('is reserved');
  });
});

test('firebreak pack check names file, line and what to do', async () => {
  const folder = await newPack('broken');
  const file = join(folder, 'playbooks/miner.ts');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, `${text}\nexport const now = () => Date.now();\n`);
  const { code, stdout } = await firebreakIn(folder, 'pack', 'check');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^playbooks\/miner\.ts:\d+: Date\.now reads the clock, which differs at each replay\. Use alert\.time/);
  writeFileSync(
    file,
    text.replace('    let quarantine =', '    settle({ again: steps.snapshotPodState({ pod }) });\n    let quarantine ='),
  );
  const forgotten = await firebreakIn(folder, 'pack', 'check');
  expect(forgotten.stdout).toMatch(
    /^playbooks\/miner\.ts:\d+: nothing waits for “settle\(.*: an await is missing\. Write await/m,
  );
  expect(forgotten.code).toBe(1);
});

test('a pack runs on a real Temporal in its tests, and its histories are recorded and replayed', async () => {
  const folder = await newPack('recorded');
  const test = `
    import assert from 'node:assert/strict';
    import { test } from 'node:test';
    import { readFileSync } from 'node:fs';
    import { decodeAlerts } from 'firebreak/alerts';
    import { runInTemporal, simulate, whyNoTemporal } from 'firebreak/testing';
    import { miner } from '../playbooks/miner.ts';

    test('the same on a real Temporal', { skip: await whyNoTemporal() }, async () => {
      const [alert] = decodeAlerts(readFileSync('alerts/miner.json', 'utf8'));
      const options = { alert, answer: 'keep' };
      const { steps, left, playbooks } = await runInTemporal(miner, options);
      const simulated = await simulate(miner, options);
      assert.deepEqual(steps.map(({ action }) => action).sort(), simulated.steps.map(({ action }) => action).sort());
      assert.deepEqual(left.map(({ action }) => action), ['quarantinePod']);
      assert.deepEqual(playbooks, ['miner']);
    });
  `;
  writeFileSync(join(folder, 'test/temporal.test.ts'), test);
  const tested = await runNode(folder, '--test', 'test/temporal.test.ts');
  expect(tested.stdout).toMatch(/pass 1\n(?:.*\n)*.*skipped 0/);

  const recorded = await firebreakIn(folder, 'pack', 'histories');
  // The server itself may print something there, for example that a stranger has connected to its port.
  expect(recorded).toMatchObject({ code: 0, stderr: expect.not.stringContaining('FB_ERR_') });
  expect(recorded.stdout).toContain('histories/miner.silence.json');
  expect(await firebreakIn(folder, 'pack', 'histories', '--check')).toMatchObject({
    code: 0,
    stdout: 'Every history replays.\n',
  });

  // Words and version numbers decide no path.
  const file = join(folder, 'playbooks/miner.ts');
  const worded = readFileSync(file, 'utf8')
    .replace('Cut off a pod that mines', 'Cut off a miner')
    .replace(/const question = .*/, "const question = 'May it mine?';")
    .replace('The pod stays quarantined.', 'It stays cut off.')
    .replace('} mines', '} is mining');
  writeFileSync(file, worded);
  const packFile = join(folder, 'firebreak.pack.ts');
  for (const versioned of [packFile, join(folder, 'package.json')])
    writeFileSync(
      versioned,
      readFileSync(versioned, 'utf8').replace(/(version"?: ['"])0\.1\.0/, (_, before: string) => `${before}0.2.0`),
    );
  expect(await firebreakIn(folder, 'pack', 'histories', '--check')).toMatchObject({
    code: 0,
    stdout: 'Every history replays.\n',
  });
  writeFileSync(file, worded.replace("labels: ['firebreak']", "labels: ['miners']"));
  expect((await firebreakIn(folder, 'pack', 'histories', '--check')).stdout).toMatch(
    /takes another path than before \(keep\): the step openTicket \(.*miners.*where it was the step openTicket \(.*firebreak/,
  );

  writeFileSync(
    file,
    worded.replace('let quarantine =', 'await settle({ again: steps.snapshotPodState({ pod }) });\n    let quarantine ='),
  );
  const { code, stdout } = await firebreakIn(folder, 'pack', 'check');
  expect(stdout).toMatch(
    /^histories\/miner\.\w+\.json: recorded\/miner takes another path than before \(\w+\): [^.]+\. If that is intended, record them again/,
  );
  expect(code).toBe(1);

  // It is published only if somebody gives a reason.
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = join(folder, 'publisher.pem');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const publish = ['pack', 'publish', '--store', join(folder, 'releases'), '--key', key];
  const refused = await firebreakIn(folder, ...publish);
  expect(refused.stderr).toMatch(
    /FB_ERR_REFUSED.*histories\/miner\.\w+\.json: recorded\/miner takes another path.*--allow-changed/s,
  );
  expect(refused.code).toBe(1);
  // Without what is needed to read incidents: neither the payload key nor a Temporal is available.
  writeFileSync(`${key}.pub`, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(
    join(folder, 'firebreak.yaml'),
    `cluster: lab
stateDir: state
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01] }], groups: { oncall: [ada], leads: [ada] } }
releases: { folder: releases, publishers: [{ name: us, key: publisher.pem.pub }] }
`,
  );
  const because = ['--allow-changed', 'keeps the state first'];
  const published = await firebreakIn(
    folder,
    'pack',
    'publish',
    '--config',
    'firebreak.yaml',
    '--key',
    key,
    ...because,
    '--json',
  );
  // Said before the check and the build, which take minutes.
  expect(published.stderr).toMatch(/FB_ERR_REFUSED.*no incident was replayed.*--despite/s);
  expect(published.code).toBe(1);
  const signed = await firebreakIn(
    folder,
    'pack',
    'publish',
    '--config',
    'firebreak.yaml',
    '--key',
    key,
    ...because,
    '--despite',
    'no cell runs here',
    '--json',
  );
  expect(JSON.parse(signed.stdout)).toMatchObject({
    outcome: 'published',
    replayed: { golden: 3, incidents: 0 },
    changed: { because: 'keeps the state first' },
    despite: {
      findings: expect.arrayContaining([
        expect.stringContaining('no incident was replayed'),
        expect.stringContaining('nobody can answer in oncall'),
      ]),
      because: 'no cell runs here',
    },
  });
});

test('an installed Firebreak builds a pack reproducibly: the same id in two projects', async () => {
  const build = async (folder: string) => {
    const pack = readPack({ folder });
    const stage = join(folder, 'stage');
    writePack(pack, stage);
    const dist = join(folder, 'node_modules/firebreak/dist');
    const listed = JSON.stringify([{ name: 'twin', main: pack.main, folder: stage }]);
    const program = join(dist, 'service/temporal/bundle/bundle-main.js');
    const made = await runNode(folder, program, join(dist, 'workflows.bundle.js'), join(folder, 'made.js'), listed);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    return { said: made.stdout, shipped: readBuild(join(dist, 'workflows.bundle.js')).id };
  };
  const one = await build(await newPack('twin'));
  expect(one.said).toMatch(/^workflow bundle [0-9a-f]{16}\n$/);
  expect(one.said).not.toContain(one.shipped);
  const other = join(project, 'elsewhere', 'deep');
  cpSync(join(project, 'twin'), other, { recursive: true, verbatimSymlinks: true });
  for (const made of ['stage', 'made.js']) rmSync(join(other, made), { recursive: true });
  expect(await build(other)).toEqual(one);
});
