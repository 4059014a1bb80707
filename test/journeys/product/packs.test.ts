import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { lotOf } from '../../../service/cell/builds/incident-versions.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { ReleaseStore, signedRelease } from '../../../service/packs/release-store.ts';
import { readRandomKey } from '../../../service/process/keys/key-files.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { firebreakProcess } from '../../command-line.ts';
import { acmeFiles, statementOf, writePackFolder } from '../../pack-folder.ts';
import { blocksOf } from '../../page-blocks.ts';
import { alertAbout } from '../../platform/e2e/parts/alerts.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { type CommandLine, meant, peopleWithKeys } from '../../platform/e2e/parts/command-line.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const packFolder = mkdtempSync(join(tmpdir(), 'firebreak-e2e-pack-'));
const people = peopleWithKeys();
let service: Service;
let firebreak: CommandLine;
let workload: Workload;
let other: Workload;
let third: Workload;
let namespace: string;

/**
 * The lines of the tutorial's last section, which need a running Firebreak: with another pack name, with the id that was printed, and confirmed as without a
 * terminal. `--key` names a file in the folder of the service.
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

/** An alert of a rule of their own, whose tags are no technique that a shipped playbook answers. */
const ownAlert = (about: Workload, rule: string): object => ({ ...alertAbout(about), rule, tags: [] });

/** Writes a second pack, to be put in the store; `changed` changes its body. */
function writeBeta(version: string, changed: (body: string) => string = (body) => body): string {
  return writePackFolder(join(packFolder, `beta-${version}`), {
    ...acmeFiles,
    'firebreak.pack.ts': acmeFiles['firebreak.pack.ts']?.replace("'acme', version: '1.0.0'", `'beta', version: '${version}'`),
    'playbooks/miner.ts': changed(acmeFiles['playbooks/miner.ts']?.replace('Detect crypto miners', 'Detect beta miners') ?? ''),
  });
}

/** Publishes it. Returns its integrity. */
async function publishBeta(version: string, changed?: (body: string) => string): Promise<string> {
  const folder = writeBeta(version, changed);
  const publisher = await openSigner({ file: join(packFolder, 'publisher.pem'), create: true });
  const pack = readPack({ folder });
  const store = new ReleaseStore(createFolderShelf({ dir: join(packFolder, 'releases') }));
  await store.publish(await signedRelease(statementOf(pack), pack, publisher));
  return pack.integrity;
}

const starts = (): number => service.log.split('\n').filter((line) => line.includes('ready: connected to Temporal')).length;
/** Waits until the service has started this many times, including the first: each start makes a bundle of its workflows. */
const startsAre = (count: number) => until('the service at work', 300_000, () => starts() === count);

/** The outcome of an alert about it: the playbook that ran, and what its body says of its parameter. */
async function answered(about: Workload, rule: string): Promise<{ readonly playbook: string; readonly says: readonly string[] }> {
  await service.post([ownAlert(about, rule)]);
  await service.contained(about, 120_000);
  const { bodies, timeline } = await service.stateWhen('the end of the body', about, 120_000, (state) =>
    state.bodies.some(({ state: stands }) => stands === 'done'),
  );
  const [{ playbook = '' } = {}] = bodies;
  return { playbook, says: timeline.flatMap(({ text }) => (/ ?for \d+m$/.test(text) ? text : [])) };
}

interface ListedBuild {
  readonly id: string;
  readonly current: boolean;
  readonly percent: number;
  readonly packs: readonly string[];
  readonly open: number;
  readonly removedAt?: string;
}

/** Waits until the builds fit: what Temporal lists lags behind what runs. */
function buildsWhen(what: string, fits: (builds: readonly ListedBuild[]) => boolean): Promise<readonly ListedBuild[]> {
  return until(what, 120_000, async () => {
    const builds: readonly ListedBuild[] = JSON.parse(await firebreak(undefined, 'builds', 'list', '--json'));
    return fits(builds) && builds;
  });
}

/** Of 200 Deployment names, the first whose incident begins with that version at 50 %, and the first whose incident does not. */
async function bothSides(namespace: string, integrity: string): Promise<readonly [string, string]> {
  const cellKey = await readRandomKey(join(service.settings.folder, 'state', 'keys', 'cell.key'));
  const isIn = (name: string): boolean => lotOf(service.incidentOf({ namespace, name }), { integrity, cellKey }) < 50;
  const names = Array.from({ length: 200 }, (_, at) => `side-${at}`);
  const [within, without] = [names.find(isIn), names.find((name) => !isIn(name))];
  if (within === undefined || without === undefined) throw new Error('all of 200 incidents are on one side');
  return [within, without];
}

beforeAll(async () => {
  namespace = await freshNamespace();
  const folder = writePackFolder(join(packFolder, 'acme'));
  await publishBeta('1.0.0');
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.novelty = { learningHours: 0 };
    config.packs = [{ folder, integrity: readPack({ folder }).integrity }, { release: 'beta' }];
    const publishers = [{ name: 'us', key: join(packFolder, 'publisher.pem.pub') }];
    config.releases = { folder: join(packFolder, 'releases'), publishers };
    config.playbooks = { params: { 'acme/miner': { lease: '90m' }, 'beta/miner': { lease: '70m' } } };
    // Names as in the tutorial.
    config.roster = JSON.parse(JSON.stringify(config.roster).replaceAll('"grace"', '"ben"'));
    people.giveKeys(config);
  });
  firebreak = people.commandLine(service);
  service.watched = folder;
  // Before the service starts, so that what its memory of the cluster says about an alert includes their pods.
  [workload, other, third] = (await service.workloads.deploy(namespace, ['mined', 'other', 'third'])) as [
    Workload,
    Workload,
    Workload,
  ];
  await service.start();
});

afterAll(async () => {
  await service?.stop();
  rmSync(packFolder, { recursive: true, force: true });
});

test('a playbook of a pack runs in the service as configured, and reports what is new about its alert', async () => {
  await service.post([ownAlert(workload, 'Detect crypto miners')]);
  await service.contained(workload, 120_000);
  const done = await service.stateWhen('the end of the body', workload, 120_000, ({ bodies }) =>
    bodies.some(({ state }) => state === 'done'),
  );
  // It contains by itself, without a word about what becomes of the pod: so that is asked, too.
  expect(done.bodies).toMatchObject([{ playbook: 'acme/miner' }, { playbook: 'firebreak/contain-unanswered' }]);
  // The cell has reported what is new about it, and in how many pods according to its own memory of the cluster.
  expect(done.timeline[0]?.text).toMatch(
    /First time in the short time remembered so far on (its only pod|any of \d+ pods) that /,
  );
  expect(done.timeline).toContainEqual(expect.objectContaining({ actor: 'playbook/acme/miner', text: 'for 90m' }));
});

test('a version from the store runs once somebody else has agreed, without restarting the process', async () => {
  await startsAre(1);
  const [promote, approve, promotions] = tutorial;
  const { id, widens } = JSON.parse(await firebreak(undefined, ...typed(promote), '--json', ...meant('beta@1.0.0')));
  expect(widens).toEqual(['beta/miner is new, and may quarantinePod (reversible, pod)']);
  const agreed = ['pack', 'approve', id, '--reason', 'read it', ...meant('beta@1.0.0')];
  await expect(firebreak('ada', ...agreed)).rejects.toThrow('The person who asks may not answer');
  expect(await firebreak(undefined, ...typed(approve, id), ...meant('beta@1.0.0'))).toContain('Decided');
  const { pid } = service;
  await startsAre(2);
  expect([service.pid, service.isRunning]).toEqual([pid, true]);
  expect(await firebreak(undefined, ...typed(promotions))).toMatch(/beta@1\.0\.0 +runs/);
  const again = (...stage: readonly string[]): Promise<string> =>
    firebreak('ada', 'pack', 'promote', 'beta@1.0.0', ...stage, '--reason', 'once more', ...meant('beta@1.0.0'));
  for (const stage of ['--all', '--observe=1h', '--percent=10'])
    await expect(again(stage)).rejects.toThrow('beta@1.0.0 runs in every incident already.');
  expect(await answered(other, 'Detect beta miners')).toEqual({ playbook: 'beta/miner', says: ['for 70m'] });
});

test('another version runs in the agreed share of incidents, and in none that starts after its rollback', async () => {
  const integrity = await publishBeta('1.1.0', (body) => body.replace('note(saying(', "note('as 1.1.0 ' + saying("));
  const [within, without] = await service.workloads.deploy(namespace, await bothSides(namespace, integrity));
  if (!within || !without) throw new Error('they were not deployed');
  const propose = ['pack', 'promote', 'beta@1.1.0', '--percent', '50', '--reason', 'on one in two', '--json'];
  const { id } = JSON.parse(await firebreak('ada', ...propose, ...meant('beta@1.1.0')));
  // Two proposals at once, and one by mistake.
  await expect(firebreak('ben', ...propose, ...meant('beta@1.1.0'))).rejects.toThrow(
    `The same promotion is already proposed as ${id}`,
  );
  const proposeAll = ['pack', 'promote', 'beta@1.1.0', '--all', '--reason', 'on all', '--json'];
  const { id: withdrawn } = JSON.parse(await firebreak('ada', ...proposeAll, ...meant('beta@1.1.0')));
  const said = await firebreak('ada', 'pack', 'withdraw', withdrawn, '--reason', 'too early', ...meant('beta@1.1.0'));
  expect(said).toBe('Withdrawn: the proposal (promote beta@1.1.0). Nothing has changed.\n');
  const { id: overtaken } = JSON.parse(await firebreak('ben', ...proposeAll, ...meant('beta@1.1.0')));
  await firebreak('ben', 'pack', 'approve', id, '--reason', 'read it', ...meant('beta@1.1.0'));
  const tooLate = firebreak('ada', 'pack', 'approve', overtaken, '--reason', 'read it', ...meant('beta@1.1.0'));
  await expect(tooLate).rejects.toThrow('beta@1.1.0 runs in 50 % of the incidents that begin from now on: propose it again');
  await expect(tooLate).rejects.toThrow('firebreak pack promotions --all');
  const running = ['pack', 'withdraw', id, '--reason', 'slower', ...meant('beta@1.1.0')];
  await expect(firebreak('ada', ...running)).rejects.toThrow('firebreak pack rollback beta ends it');
  await startsAre(3);
  await until('its first incidents', 120_000, () => service.log.includes('changed the share of new incidents'));
  expect(await firebreak(undefined, 'pack', 'promotions')).toMatch(/beta@1\.1\.0 +runs in 50 %/);
  expect(await answered(within, 'Detect beta miners')).toEqual({ playbook: 'beta/miner', says: ['as 1.1.0 for 70m'] });
  expect(await answered(without, 'Detect beta miners')).toEqual({ playbook: 'beta/miner', says: ['for 70m'] });
  const listed = await buildsWhen(
    'both builds to be listed',
    (builds) =>
      builds.some(({ current, packs }) => current && packs.length > 0) &&
      builds.some(({ current, percent, open }) => !current && percent > 0 && open > 0),
  );
  expect(listed.find(({ current }) => current)).toMatchObject({ percent: 50, packs: ['acme@1.0.0', 'beta@1.0.0'] });
  const next = listed.find(({ current, percent }) => !current && percent > 0);
  expect(next).toMatchObject({ percent: 50, open: 1, packs: ['acme@1.0.0', 'beta@1.1.0'] });

  const back = ['pack', 'rollback', 'beta', '--reason', 'slower'];
  expect(await firebreak('ada', ...back, ...meant('beta'))).toContain('Then beta@1.0.0 runs in every new incident.');
  await startsAre(4);
  const after = await buildsWhen('Temporal to be told', (builds) =>
    builds.every(({ current, percent }) => current || percent === 0),
  );
  expect(after.find((build) => build.id === next?.id)).toMatchObject({ current: false, open: 1 });
  // Its incident is open: the build stays, with what the incident began with.
  expect(await firebreak(undefined, 'builds', 'list')).toMatch(new RegExp(`${next?.id} +drains +0 % +1 `));
});

test('one person can roll back what runs in all incidents', async () => {
  const [, , , rollback] = tutorial;
  const rolledBack = await firebreak(undefined, ...typed(rollback), ...meant('beta'));
  expect(rolledBack).toContain('Then no version of beta runs: there is no earlier one.');
  await expect(firebreak('ben', ...typed(rollback).slice(0, 5), ...meant('beta'))).rejects.toThrow(
    'no version of beta is promoted: firebreak pack promotions lists what is',
  );
  await startsAre(5);
  // As an earlier version left it there.
  const retired = '0'.repeat(16);
  writeFileSync(join(service.settings.folder, 'state', 'builds', `${retired}.js`), '// no incident is pinned to it');
  const builds = await buildsWhen('the build without it to be current', (listed) =>
    listed.some(({ current, packs }) => current && packs.join() === 'acme@1.0.0'),
  );
  const weekMs = 7 * 86_400_000;
  const removedAt = builds.find(({ id }) => id === retired)?.removedAt ?? '';
  expect(builds.find(({ id }) => id === retired)).toMatchObject({ current: false, percent: 0, open: 0 });
  expect(Math.abs(Date.parse(removedAt) - Date.now() - weekMs)).toBeLessThan(3_600_000);
  expect(await firebreak(undefined, 'builds', 'list')).toMatch(
    new RegExp(`${retired} +retired +0 % +0 +until ${removedAt.slice(0, 10)}`),
  );
  expect(builds.filter(({ current }) => current)).toHaveLength(1);
  expect(builds.some(({ current, open }) => !current && open > 0)).toBe(true);
});

test('a published version is replayed on past incidents: a different course is refused, unless a signed reason wants it', async () => {
  const key = ['--key', join(packFolder, 'publisher.pem')];
  // It replays histories, in a process of its own that does nothing else.
  const publish = async (folder: string, ...more: readonly string[]): Promise<string> => {
    const limits = ['--within', '30m', '--config', service.settings.configFile];
    const words = ['pack', 'publish', folder, ...key, '--json', '--despite', 'a pack of a test', ...more, ...limits];
    const { status, stdout, stderr } = await firebreakProcess(words, { folder: service.folder });
    if (status !== 0) throw new Error(stderr);
    return stdout;
  };
  expect(JSON.parse(await publish(writeBeta('1.0.1')))).toMatchObject({
    outcome: 'published',
    replayed: { golden: 0, incidents: 3 },
  });

  const changed = writeBeta('1.2.0', (text) => text.replace(/ {4}await steps.quarantinePod.*\n/, ''));
  const refused = publish(changed);
  await expect(refused).rejects.toThrow('3 of 3 histories take another path on it: incident ');
  await expect(refused).rejects.toThrow(other.name);
  const published = JSON.parse(await publish(changed, '--allow-changed', 'people cut off by hand now'));
  expect(published).toMatchObject({ outcome: 'published', changed: { because: 'people cut off by hand now' } });
  expect(published.changed.histories).toHaveLength(3);
  expect(await firebreak(undefined, 'pack', 'releases', 'beta')).toContain('people cut off by hand now');
});

test('a pack under development goes live on saving; a mistake is reported with its place and leaves what runs, a changed body leaves open incidents', async () => {
  await startsAre(5);
  const file = join(packFolder, 'acme', 'playbooks', 'miner.ts');
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, `${before}\nexport const now = Date.now();\n`);
  const line = before.split('\n').length + 1;
  await until('the mistake to be told', 120_000, () =>
    service.log
      .split('\n')
      .some((one) => one.includes('the previous code stays live') && one.includes(`playbooks/miner.ts:${line}: Date.now`)),
  );
  expect(starts()).toBe(5);

  writeFileSync(file, before.replace('Detect crypto miners', 'Detect watched miners'));
  await startsAre(6);
  expect(await answered(third, 'Detect watched miners')).toMatchObject({ playbook: 'acme/miner' });

  // A body's behaviour is not part of an envelope: changing it restarts nothing.
  const [fourth] = (await service.workloads.deploy(namespace, ['fourth'])) as [Workload];
  writePackFolder(join(packFolder, 'acme'), { 'saying.ts': acmeFiles['saying.ts']?.replace('`for', '`as saved, for') });
  await until('the saved code to be live', 120_000, () => service.log.includes('the saved code is live'));
  expect(await answered(fourth, 'Detect watched miners')).toEqual({ playbook: 'acme/miner', says: ['as saved, for 90m'] });
  expect(starts()).toBe(6);
  // The build that an open incident began with answers it.
  expect(await service.stateWhen('the incident of before', third, 120_000, () => true)).toMatchObject({
    bodies: [{ playbook: 'acme/miner', state: 'done' }, { playbook: 'firebreak/contain-unanswered' }],
  });
});

test('an incident whose playbook has stopped goes on with the corrected one, once a person has had it begun again', async () => {
  const [sixth] = (await service.workloads.deploy(namespace, ['sixth'])) as [Workload];
  const live = () => service.log.split('the saved code is live').length;
  const save = async (text: string) => {
    const before = live();
    writePackFolder(join(packFolder, 'acme'), { 'playbooks/miner.ts': text });
    await until('the saved code to be live', 120_000, () => live() > before);
  };
  const correct = readFileSync(join(packFolder, 'acme', 'playbooks', 'miner.ts'), 'utf8');
  await save(correct.replace('lease: params.lease });', "$&\n    throw new Error('the table of owners is missing');"));
  await service.post([ownAlert(sixth, 'Detect watched miners')]);
  await service.contained(sixth, 120_000);
  const { incident } = await service.stateWhen('the end of the body', sixth, 120_000, ({ bodies }) =>
    bodies.some(({ state }) => state === 'failed'),
  );
  // As people read it in Slack: what happened, where, and the command that helps.
  const short = `${namespace}/Deployment/sixth`;
  const command = `firebreak incidents rerun ${short} --reason "playbook corrected" --as YOU --key FILE`;
  const said = await until('the message about it', 120_000, () =>
    service.slack.world.messages
      .map((message) => JSON.stringify(message.blocks))
      .find((text) => text.includes('acme/miner stopped')),
  );
  expect(said).toContain('the table of owners is missing, at playbooks/miner.ts:');
  expect(JSON.parse(`[${said}]`)[0][0].text.text).toContain(command);

  await save(correct);
  expect(await service.stateWhen('what is open to stay as it is', sixth, 120_000, () => true)).toMatchObject({ incident });
  const [, ...words] = command.replace(' --as YOU --key FILE', '').replace('"playbook corrected"', 'corrected').split(' ');
  expect(JSON.parse(await firebreak('ben', ...words, '--json'))).toEqual({
    incident: service.incidentOf(sixth),
    endedRun: incident.run,
  });
  const again = await service.stateWhen(
    'the corrected body to end',
    sixth,
    120_000,
    (state) => state.bodies.some(({ state: at }) => at === 'done') && state.incident.run !== incident.run,
  );
  expect(again.bodies).toMatchObject([{ playbook: 'acme/miner', state: 'done' }, { playbook: 'firebreak/contain-unanswered' }]);
  expect(again.leases).toMatchObject([{ state: 'active' }]);
  expect(service.effects.of('give-back', podOf(sixth))).toEqual([]);
  expect(again.timeline.find(({ kind }) => kind === 'incident.restarted')?.text).toMatch(
    /^Grace Murray had this incident begun again with build .+: corrected\. Open questions/,
  );
});

test('an observed version gets the results of steps and people’s answers in the incident, even after the process was killed', async () => {
  const [fifth] = (await service.workloads.deploy(namespace, ['fifth'])) as [Workload];
  // The second step belongs to another pool.
  const miner = acmeFiles['playbooks/miner.ts'] ?? '';
  const looking = (body: string): string =>
    body
      .replaceAll(/(import|uses:) \{ quarantinePod/g, '$1 { quarantinePod, verifyImage')
      .replace(/(lease: params\.lease \}\);)/, '$1\n    const { output: image } = await steps.verifyImage({ pod: alert.pod });');
  const watched = looking(miner)
    .replace('Detect crypto miners', 'Detect watched miners')
    .replace('const { output: image } = ', '');
  writePackFolder(join(packFolder, 'acme'), { 'playbooks/miner.ts': watched });
  await startsAre(7);
  await publishBeta('1.3.0', (body) =>
    looking(body)
      .replace("rule: 'Detect beta miners'", "any: [{ rule: 'Detect watched miners' }, { rule: 'Detect late miners' }]")
      .replace('alert, steps, note,', 'alert, steps, note, verdict,')
      .replace('await steps.quarantinePod', 'const { output: { labelsBefore } } = await steps.quarantinePod')
      .replace(
        /(verifyImage\(\{ pod: alert\.pod \}\);)/,
        "$1\n    if (labelsBefore.app === 'fifth' && image.signature === 'unknown') verdict('suspicious', 'it is the real one');",
      ),
  );
  const propose = ['pack', 'promote', 'beta@1.3.0', '--observe', '48h', '--reason', 'beside what runs', '--json'];
  const { id } = JSON.parse(await firebreak('ada', ...propose, ...meant('beta@1.3.0')));
  await firebreak('ben', 'pack', 'approve', id, '--reason', 'have a look', ...meant('beta@1.3.0'));
  // The pack is not tried on alerts that come before the cell has heard of it.
  await service.cellKnows((ids) => ids.includes(id));
  /** Its lines in the incident, once the last one contains the text. */
  const saying = async (text: string, more: number): Promise<readonly string[]> => {
    const lines = (state: IncidentState) =>
      state.timeline.flatMap((entry) => (entry.kind === 'pack.observed' ? [entry.text] : []));
    const state = await service.stateWhen('what is observed to be tried', fifth, 120_000, (now) => {
      const all = lines(now);
      return all.length > more && all.at(-1)?.includes(text) === true;
    });
    return lines(state);
  };
  const given =
    'With nobody answering and quarantinePod and verifyImage returning what it returned here, beta/miner would result in: quarantinePod, verifyImage; suspicious';
  await service.post([ownAlert(fifth, 'Detect watched miners')]);
  const before = await saying(given, 0);

  await service.kill();
  await service.start();
  await service.post([ownAlert(fifth, 'Detect late miners')]);
  // At once: the previous process has already heard the step's result.
  expect(await saying(given, before.length)).toHaveLength(before.length + 1);
});

test('an incident whose playbook ends its process is set aside and stays contained, and goes on with a mended version', async () => {
  const [seventh, eighth] = (await service.workloads.deploy(namespace, ['seventh', 'eighth'])) as [Workload, Workload];
  /** Puts a version of the pack into all new incidents. */
  const promote = async (version: string, changed: (body: string) => string): Promise<void> => {
    await publishBeta(version, changed);
    const before = starts();
    const propose = ['pack', 'promote', `beta@${version}`, '--all', '--reason', 'for all', '--json'];
    const { id } = JSON.parse(await firebreak('ada', ...propose, ...meant(`beta@${version}`)));
    await firebreak('ben', 'pack', 'approve', id, '--reason', 'read it', ...meant(`beta@${version}`));
    await startsAre(before + 1);
  };
  const fills = 'const all = []; for (;;) all.push(new Uint8Array(8_000_000).fill(1));';
  await promote('2.0.0', (body) =>
    body.replace('lease: params.lease });', `$&\n    if (alert.pod.name.includes('seventh')) { ${fills} }`),
  );
  const { pid } = service;
  await service.post([ownAlert(seventh, 'Detect beta miners')]);
  await service.contained(seventh, 120_000);
  const short = `${namespace}/Deployment/seventh`;
  const said = await until('the message about it', 300_000, () =>
    service.slack.world.messages
      .map((message) => JSON.stringify(message.blocks))
      .find((text) => text.includes('is set aside') && text.includes(short)),
  );
  expect(said).toMatch(/its playbook( beta\/miner|s \([^)]*\bbeta\/miner\b[^)]*\)) has ended its process twice \(it /);
  expect(said).toMatch(/1 pod stays contained: \S+\/seventh-/);
  expect([service.pid, service.isRunning]).toEqual([pid, true]);
  // Others go on meanwhile, with the same playbook.
  expect(await answered(eighth, 'Detect beta miners')).toMatchObject({ playbook: 'beta/miner' });

  await promote('2.0.1', (body) => body);
  const ended = JSON.parse(await firebreak('ben', 'incidents', 'rerun', short, '--reason', 'corrected', '--json'));
  expect(ended).toMatchObject({ incident: service.incidentOf(seventh) });
  const again = await service.stateWhen(
    'the mended body to end',
    seventh,
    120_000,
    ({ bodies, incident: { run } }) => bodies.some(({ state }) => state === 'done') && run !== ended.endedRun,
  );
  expect(again.bodies[0]).toMatchObject({ playbook: 'beta/miner', state: 'done' });
  expect(again.leases).toMatchObject([{ state: 'active' }]);
  expect(service.effects.of('give-back', podOf(seventh))).toEqual([]);
});
