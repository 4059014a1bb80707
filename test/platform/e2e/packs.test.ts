import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { ReleaseStore, signedRelease } from '../../../service/packs/release-store.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { acmeFiles, statementOf, writePackFolder } from '../../pack-folder.ts';
import { blocksOf } from '../../page-blocks.ts';
import { testPlatform } from '../../platform.ts';
import { alertAbout } from './parts/alerts.ts';
import { until, type Workload } from './parts/cluster.ts';
import { type CommandLine, meant, peopleWithKeys } from './parts/command-line.ts';
import { Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const packFolder = mkdtempSync(join(tmpdir(), 'firebreak-e2e-pack-'));
jest.setTimeout(300_000);

const people = peopleWithKeys();
let service: Service;
let firebreak: CommandLine;
let workload: Workload;
let other: Workload;
let third: Workload;

/**
 * The lines of the last section of the tutorial, which need a Firebreak that runs: with another name of the pack, with the id that was printed, and said as
 * without a terminal. `--key` names a file in the folder of the service.
 */
const tutorial: readonly string[] = blocksOf(
  readFileSync(join(projectRoot(), 'docs', 'tutorial.md'), 'utf8').split(/^## 9\. /m)[1] ?? '',
).flatMap(({ kind, lines }) => (kind === 'sh elsewhere' ? lines : []));

function typed(line: string | undefined, id = ''): readonly string[] {
  const words = [...(line ?? '').replaceAll('our-playbooks', 'beta').matchAll(/"([^"]*)"|(\S+)/g)].map(
    (word) => word[1] ?? word[2] ?? '',
  );
  const [npx, program, ...args] = words;
  expect([npx, program]).toEqual(['npx', 'firebreak']);
  return args.map((word, at) => (word === 'ID' ? id : args[at - 1] === '--key' ? join(service.folder, word) : word));
}

/** A second pack, which is in the store; its body, as it is changed. */
function writeBeta(version: string, changed: (body: string) => string = (body) => body): string {
  return writePackFolder(join(packFolder, `beta-${version}`), {
    ...acmeFiles,
    'firebreak.pack.ts': acmeFiles['firebreak.pack.ts']?.replace("'acme', version: '1.0.0'", `'beta', version: '${version}'`),
    'playbooks/miner.ts': changed(acmeFiles['playbooks/miner.ts']?.replace('Detect crypto miners', 'Detect beta miners') ?? ''),
  });
}

async function publishBeta(): Promise<void> {
  const folder = writeBeta('1.0.0');
  const publisher = await openSigner({ file: join(packFolder, 'publisher.pem'), create: true });
  const pack = readPack({ folder });
  const store = new ReleaseStore(createFolderShelf({ dir: join(packFolder, 'releases') }));
  await store.publish(await signedRelease(statementOf(pack), pack, publisher));
}

beforeAll(async () => {
  const namespace = await freshNamespace();
  const folder = writePackFolder(join(packFolder, 'acme'));
  await publishBeta();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.novelty = { learningHours: 0 };
    config.packs = [{ folder, integrity: readPack({ folder }).integrity }, { release: 'beta' }];
    const publishers = [{ name: 'us', key: join(packFolder, 'publisher.pem.pub') }];
    config.releases = { folder: join(packFolder, 'releases'), publishers };
    config.playbooks = { params: { 'acme/miner': { lease: '90m' }, 'beta/miner': { lease: '70m' } } };
    // As the tutorial calls them.
    config.roster = JSON.parse(JSON.stringify(config.roster).replaceAll('"grace"', '"ben"'));
    people.giveKeys(config);
  });
  firebreak = people.commandLine(service);
  service.watched = folder;
  await service.start();
  [workload, other, third] = (await service.workloads.deploy(namespace, ['mined', 'other', 'third'])) as [
    Workload,
    Workload,
    Workload,
  ];
});

afterAll(async () => {
  await service?.stop();
  rmSync(packFolder, { recursive: true, force: true });
});

test('a playbook of a pack runs in the service, as the configuration has set it; and what is new of its alert is told', async () => {
  await service.post([{ ...alertAbout(workload), rule: 'Detect crypto miners' }]);
  await service.contained(workload, 120_000);
  const done = await service.stateWhen('the end of the body', workload, 120_000, ({ bodies }) =>
    bodies.some(({ state }) => state === 'done'),
  );
  expect(done.bodies).toMatchObject([{ playbook: 'acme/miner' }]);
  // The cell has said what is new of it, in how many pods by its own memory of the cluster.
  expect(done.timeline[0]?.text).toMatch(
    /First time in the short time that is remembered on (its one pod|any of \d+ pods) that /,
  );
  expect(done.timeline).toContainEqual(expect.objectContaining({ actor: 'playbook/acme/miner', text: 'for 90m' }));
});

test('a version from the store runs once somebody else has agreed, without a restart of the process, and is rolled back by one person', async () => {
  const starts = () => service.log.split('\n').filter((line) => line.includes('at work: connected to Temporal')).length;
  await until('the service at work', 120_000, () => starts() === 1);
  const [promote, approve, promotions, rollback] = tutorial;
  const { id, widens } = JSON.parse(await firebreak(undefined, ...typed(promote), '--json', ...meant('beta@1.0.0')));
  expect(widens).toEqual(['beta/miner is new, and may quarantinePod (reversible, pod)']);
  const agreed = ['pack', 'approve', id, '--reason', 'read it', ...meant('beta@1.0.0')];
  await expect(firebreak('ada', ...agreed)).rejects.toThrow('Who asks may not answer');
  expect(await firebreak(undefined, ...typed(approve, id), ...meant('beta@1.0.0'))).toContain('Decided');
  const { pid } = service;
  await until('the service to begin anew with it', 120_000, () => starts() === 2);
  expect([service.pid, service.isRunning]).toEqual([pid, true]);
  expect(await firebreak(undefined, ...typed(promotions))).toMatch(/beta@1\.0\.0 +runs/);
  await service.post([{ ...alertAbout(other), rule: 'Detect beta miners' }]);
  await service.contained(other, 120_000);
  const done = await service.stateWhen('the end of the body', other, 120_000, ({ bodies }) =>
    bodies.some(({ state }) => state === 'done'),
  );
  expect(done.bodies).toMatchObject([{ playbook: 'beta/miner' }]);
  expect(done.timeline).toContainEqual(expect.objectContaining({ actor: 'playbook/beta/miner', text: 'for 70m' }));

  const rolledBack = await firebreak(undefined, ...typed(rollback), ...meant('beta@1.0.0'));
  expect(rolledBack).toContain('No version of beta runs now.');
  await until('the service to begin anew without it', 120_000, () => starts() === 3);
  const builds: readonly { current: boolean; open: number }[] = JSON.parse(
    await firebreak(undefined, 'builds', 'list', '--json'),
  );
  expect(builds.filter(({ current }) => current)).toHaveLength(1);
  expect(builds.some(({ current, open }) => !current && open > 0)).toBe(true);
});

test('what is published is tried on the incidents that there were: another way is refused, or wanted for a reason that is signed', async () => {
  const key = ['--key', join(packFolder, 'publisher.pem')];
  const publish = (folder: string, ...more: readonly string[]) =>
    firebreak(undefined, 'pack', 'publish', folder, ...key, '--json', ...more);
  expect(JSON.parse(await publish(writeBeta('1.0.1')))).toMatchObject({
    outcome: 'published',
    replayed: { golden: 0, incidents: 1 },
  });

  const changed = writeBeta('1.2.0', (text) => text.replace(/ {4}await steps.quarantinePod.*\n/, ''));
  const refused = publish(changed);
  await expect(refused).rejects.toThrow('1 of 1 histories go another way on it: incident ');
  await expect(refused).rejects.toThrow(other.name);
  const published = JSON.parse(await publish(changed, '--allow-changed', 'people cut off by hand now'));
  expect(published).toMatchObject({ outcome: 'published', changed: { because: 'people cut off by hand now' } });
  expect(published.changed.histories).toHaveLength(1);
  expect(await firebreak(undefined, 'pack', 'releases', 'beta')).toContain('people cut off by hand now');
});

test('a pack that is being written is live when it is saved; a mistake is told with its place and leaves what runs', async () => {
  const starts = () => service.log.split('\n').filter((line) => line.includes('at work: connected to Temporal')).length;
  await until('the service at work', 120_000, () => starts() === 3);
  const file = join(packFolder, 'acme', 'playbooks', 'miner.ts');
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, `${before}\nexport const now = Date.now();\n`);
  const line = before.split('\n').length + 1;
  await until('the mistake to be told', 120_000, () =>
    service.log
      .split('\n')
      .some((one) => one.includes('what ran goes on') && one.includes(`playbooks/miner.ts:${line}: Date.now`)),
  );
  expect(starts()).toBe(3);

  writeFileSync(file, before.replace('Detect crypto miners', 'Detect watched miners'));
  await until('the service to begin anew with it', 120_000, () => starts() === 4);
  await service.post([{ ...alertAbout(third), rule: 'Detect watched miners' }]);
  await service.contained(third, 120_000);
  const done = await service.stateWhen('the end of the body', third, 120_000, ({ bodies }) =>
    bodies.some(({ state }) => state === 'done'),
  );
  expect(done.bodies).toMatchObject([{ playbook: 'acme/miner' }]);
});
