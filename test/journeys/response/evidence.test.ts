import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import type { EvidenceClass } from '../../../core/evidence/evidence.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../../integrations/crypto-box/key-wrap.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createIncidentKeys } from '../../../integrations/evidence/incident-keys.ts';
import { auditReport } from '../../../service/commands/records/audit.ts';
import { controlState } from '../../../service/incidents/session.ts';
import { commandFile, firebreakHere } from '../../command-line.ts';
import { alertAbout } from '../../platform/e2e/parts/alerts.ts';
import { until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { type CommandLine, keyFile, meant, peopleWithKeys } from '../../platform/e2e/parts/command-line.ts';
import { ana, Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';
import { pythonVerdict, withoutPython } from '../../suites/python-verifier.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const people = peopleWithKeys();
let service: Service;
let firebreak: CommandLine;
let cart: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    const roster = config.roster as { people: object[]; groups: Record<string, readonly string[]> };
    roster.people.push({ id: 'otto', name: 'Otto' });
    roster.groups.records = ['margaret', 'grace'];
    people.giveKeys(config);
    config.evidence = { stewards: ['records'], retention: { logs: { atMostDays: 90 } } };
  });
  firebreak = people.commandLine(service);
  await keepSince(old, 'logs', 91);
  await keepSince(old, 'files', 91);
  writeFileSync(leftBehind(), 'half of an artefact');
  const hours = (count: number): Date => new Date(Date.now() - count * 3_600_000);
  utimesSync(leftBehind(), hours(7), hours(7));
  await service.start();
  const [made] = await service.workloads.deploy(namespace, ['cart']);
  if (!made) throw new Error('not deployed');
  cart = made;
});

afterAll(async () => service?.stop());

const idOf = ({ namespace, name }: Workload): string => `${namespace}/Deployment/${name}`;
const old = 'shop/Deployment/old';
/** What a killed process leaves behind of an artefact. */
const leftBehind = (): string =>
  join(
    service.settings.folder,
    'state',
    'evidence',
    `firebreak-evidence-${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}.draft`,
  );

/** Stores evidence as an incident that ended long ago would have: Temporal no longer knows it. */
async function keepSince(incident: string, kind: EvidenceClass, days: number): Promise<void> {
  const state = join(service.settings.folder, 'state');
  const file = join(state, 'keys', 'evidence-wrap.key');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 });
  const wrap = createBox({ keys: [{ id: 'evidence', key: Buffer.from(readFileSync(file, 'utf8'), 'base64') }] });
  const keys = createIncidentKeys({
    wrap: boxWrap(wrap),
    shelf: createFolderShelf({ dir: join(state, 'evidence') }),
    now: () => new Date(Date.now() - days * 86_400_000),
  });
  await keys.keyFor({ incident: `incident/${service.cluster}/${incident}`, run: 'run-1', class: kind });
}

describe('evidence at the command line', () => {
  const out = (name: string) => join(service.folder, name);
  const get = (person: string, folder: string) =>
    firebreak(person, 'evidence', 'get', idOf(cart), '--reason', 'case 17', '--out', out(folder));

  test('is listed and verified', async () => {
    await service.post([alertAbout(cart, 'binary')]);
    await service.stateWhen('evidence', cart, 120_000, ({ evidence }) => evidence.length > 0);
    expect(await firebreak(undefined, 'evidence', 'list', idOf(cart))).toContain('pod.yaml');
    expect(existsSync(leftBehind())).toBe(false);
    const [checked] = JSON.parse(await firebreak(undefined, 'evidence', 'verify', idOf(cart), '--json'));
    expect(checked.problems).toEqual([]);
    expect(await firebreak(undefined, 'evidence', 'verify', checked.manifest)).toContain('every hash are correct');
  });

  test('is shown to those who may have it', async () => {
    const show = (person: string) => firebreak(person, 'evidence', 'show', idOf(cart), 'pod.yaml', '--reason', 'case 16');
    await expect(show('otto')).rejects.toThrow('Only');
    expect(await show('ada')).toContain('kind: Pod');
    await expect(firebreak('ada', 'evidence', 'show', idOf(cart), 'pod', '--reason', 'case 16')).rejects.toThrow('pod.yaml');
  });

  test('is handed out to those who may have it, recorded first, and can be checked with sha256sum and openssl alone', async () => {
    await expect(get('otto', 'otto')).rejects.toThrow('Only');
    expect(() => statSync(out('otto'))).toThrow();
    await get('ada', 'case');
    const { timeline } = await controlState(await service.session());
    const handling = timeline.filter(({ kind, actor }) => kind.startsWith('evidence.') && actor !== 'engine').slice(2);
    expect(handling.map(({ kind, actor }) => [kind, actor])).toEqual([
      ['evidence.refused', 'claimed/otto'],
      ['evidence.read', 'person/ada'],
    ]);
    expect(handling.at(-1)?.text).toContain('case 17');
    expect(readdirSync(out('case')).sort()).toEqual([
      'SHA256SUMS',
      'artefacts',
      'manifest.json',
      'manifest.sig',
      'manifest.signed',
    ]);
    // One machine has one clock.
    const { clock } = JSON.parse(readFileSync(join(out('case'), 'manifest.json'), 'utf8'));
    expect(clock).toMatchObject({ against: 'kubernetes-api', withinMs: expect.any(Number) });
    expect(Math.abs(clock.aheadMs)).toBeLessThanOrEqual(clock.withinMs + 1);
    const shell = (script: string) => execFileSync('sh', ['-ec', script], { cwd: out('case'), encoding: 'utf8' });
    expect(shell('sha256sum -c SHA256SUMS')).toContain('artefacts/pod.yaml: OK');
    const key = join(service.folder, 'evidence.pub');
    const { evidence } = await service.stateWhen('evidence', cart, 120_000, () => true);
    writeFileSync(key, readFileSync(findKey()));
    expect(shell(`openssl pkeyutl -verify -pubin -inkey ${key} -rawin -in manifest.signed -sigfile manifest.sig`)).toContain(
      'Verified Successfully',
    );
    expect(shell('sha256sum manifest.json')).toContain(evidence[0]?.manifestSha256 ?? 'none');
    shell(
      `{ printf 'firebreak.evidence-manifest.v1\\n'; sed 's/"signature":"[^"]*",//' manifest.json; } | cmp - manifest.signed`,
    );
  });

  test('that somebody has changed is detected', async () => {
    const [{ manifest }] = JSON.parse(await firebreak(undefined, 'evidence', 'verify', idOf(cart), '--json'));
    const [{ artefacts }] = JSON.parse(await firebreak(undefined, 'evidence', 'list', manifest, '--json'));
    const { sealed } = artefacts.find(({ name }: { name: string }) => name === 'pod.yaml');
    const file = findFile(sealed.sha256);
    const whole = readFileSync(file);
    writeFileSync(file, 'changed');
    const damaged = await firebreak(undefined, 'evidence', 'verify', manifest).catch(
      (error: { code: number; stdout: string }) => error,
    );
    expect(damaged).toMatchObject({ code: 1, stdout: expect.stringContaining('pod.yaml') });
    writeFileSync(file, whole);
  });
});

test('an incident is exported as one file by those who may, recorded first, and can be checked without Firebreak', async () => {
  const file = join(service.folder, 'cart.html');
  const give = (person: string) =>
    firebreak(person, 'incidents', 'export', idOf(cart), '-o', file, '--reason', 'the audit', '--artefacts', 'pod.yaml');
  // Its first records are still on their way, and the notary signs new ones every minute.
  await expect(
    until('a checkpoint of it', 120_000, () =>
      give('otto').catch(({ stderr }: { stderr: string }) =>
        /FB_ERR_(UNAVAILABLE|UNKNOWN_ID)/.test(stderr) ? undefined : stderr,
      ),
    ),
  ).resolves.toContain('may export an incident');
  expect(existsSync(file)).toBe(false);
  expect(await give('ada')).toContain('It is on record that ada exported it.');
  const keys = join(service.folder, 'keys.txt');
  writeFileSync(keys, await firebreak(undefined, 'bundle', 'keys'));
  const verdict = JSON.parse(
    execFileSync(process.execPath, [commandFile(), 'bundle', 'verify', file, '--trust', keys, '--json'], { encoding: 'utf8' }),
  );
  expect(verdict).toMatchObject({ ok: true, compared: true, closed: false, exported: { person: 'ada' }, missingManifests: [] });
  expect(verdict.records).toBeGreaterThan(3);
  if (withoutPython() === undefined) expect(pythonVerdict(file, keys)).toEqual(verdict);
  const { timeline } = await controlState(await service.session());
  const handling = timeline.filter(({ kind }) => kind === 'incident.exported' || kind === 'incident.refused');
  expect(handling.map(({ kind, actor }) => [kind, actor])).toEqual([
    ['incident.refused', 'claimed/otto'],
    ['incident.exported', 'person/ada'],
  ]);
});

test('an incident that must be notified has its deadlines recorded, and they appear wherever it is shown', async () => {
  const order = (person: string, what: string, ...more: readonly string[]) =>
    firebreak(person, 'deadlines', what, idOf(cart), '--regime', 'nis2', ...more);
  const why = ['--reason', 'customers are cut off'];
  await expect(order('otto', 'start', ...why)).rejects.toThrow('may decide what has to be notified');
  await expect(order('ada', 'sent', '--stage', 'early-warning', '--reference', 'CSIRT-1')).rejects.toThrow(
    'has no running deadlines under',
  );
  const aware = new Date(Date.now() - 30 * 3_600_000).toISOString();
  expect(await order('ada', 'start', '--aware', aware, ...why)).toContain('NIS2 early warning: OVERDUE since');
  const ended = ['--yes', '--target', 'cart'];
  await expect(order('ada', 'stop', '--reason', 'a mistake', ...ended)).rejects.toThrow('somebody else must decide to stop them');
  expect(await firebreak(undefined, 'incidents', 'show', idOf(cart))).toMatch(/authorities\nNIS2 early warning: OVERDUE since/);
  const draft = await firebreak(undefined, 'report', 'notification', idOf(cart), '--regime', 'nis2', '--stage', 'early-warning');
  expect(draft).toContain(`Aware since ${aware} (recorded by Ada Byron).`);
  // The desk looks every half minute, and does the computation itself.
  await until('the line in the thread', 120_000, () =>
    service.slack.world.messages.find(({ text }) => text.includes('NIS2 early warning: overdue since')),
  );
  const reference = 'CSIRT-4711';
  expect(await order('ada', 'sent', '--stage', 'early-warning', '--reference', reference)).toContain(`reference ${reference}`);
  const typed = `sent ${idOf(cart)} nis2 notification ${reference}-2`;
  await service.slack.command({ user: ana, channel: 'C0INCIDENTS', command: '/firebreak', text: typed });
  const [deadlines] = await until('both sent', 120_000, async () => {
    const found = JSON.parse(await firebreak(undefined, 'deadlines', 'list', '--json'));
    return found[0].stages.filter(({ sent }: { sent?: object }) => sent).length === 2 ? found : undefined;
  });
  expect(deadlines.stages.map(({ sent }: { sent?: { reference: string } }) => sent?.reference)).toEqual([
    reference,
    `${reference}-2`,
    undefined,
  ]);
});

describe('evidence that is due for destruction', () => {
  const entries = async () => (await controlState(await service.session()).catch(() => undefined))?.timeline ?? [];

  test('is destroyed automatically when its time is up, is recorded, and is listed as such', async () => {
    const gone = await until('its end', 120_000, async () =>
      (await entries()).find(({ kind, actor }) => kind === 'evidence.destroyed' && actor === 'engine'),
    );
    expect(gone.text).toContain(`logs of incident/${service.cluster}/${old}`);
    expect((await entries()).some(({ kind }) => kind === 'evidence.expired')).toBe(true);
    const listed = await firebreak(undefined, 'evidence', 'list');
    expect(listed).toMatch(/logs +shop\/Deployment\/old +run-1 +destroyed 20\S+ by engine: kept for 90 days, as configured/);
    expect(listed).toMatch(/files +shop\/Deployment\/old +run-1 +until somebody destroys it/);
  });

  test('is destroyed by order of a steward, but not under a hold or while the incident is open', async () => {
    const give = (person: string, what: string, incident: string, reason: string) =>
      firebreak(person, 'evidence', what, incident, '--reason', reason, ...(what === 'hold' ? [] : meant(incident)));
    await expect(give('ada', 'destroy', old, 'tidy up')).rejects.toThrow('Only records may do that');
    expect(await give('ada', 'hold', old, 'lawsuit 4711')).toContain('On the record');
    expect(await firebreak(undefined, 'evidence', 'list')).toContain('held by person/ada: lawsuit 4711');
    await expect(give('margaret', 'destroy', old, 'tidy up')).rejects.toThrow('lawsuit 4711');
    expect(await give('margaret', 'unhold', old, 'it is over')).toContain('until somebody else of records also orders its end');
    await expect(give('margaret', 'destroy', old, 'tidy up')).rejects.toThrow('one more person must');
    expect(await give('grace', 'unhold', old, 'it is over')).toContain('no longer held');
    expect(await give('margaret', 'destroy', old, 'erasure request 17')).toContain('1 key of');
    expect(await firebreak(undefined, 'evidence', 'list')).toContain('by person/margaret: erasure request 17');
    await expect(give('margaret', 'destroy', idOf(cart), 'too early')).rejects.toThrow('the incident is still open');
    const ordered = (await entries()).filter(({ kind, actor }) => kind === 'evidence.ordered' && actor === 'person/margaret');
    expect(ordered.map(({ text }) => text).join()).toContain('erasure request 17');
    expect(await firebreak(undefined, 'evidence', 'verify', idOf(cart))).toContain('every hash are correct');
  });
});

test('records are held by order of those who may, also for a period, until two stewards lift it', async () => {
  const hold = (person: string, ...args: readonly string[]) =>
    firebreak(person, 'records', 'hold', ...args, '--reason', 'case 17');
  await expect(hold('otto', 'add', idOf(cart))).rejects.toThrow('may');
  const { hold: id, scope } = JSON.parse(await hold('ada', 'add', idOf(cart), '--json'));
  expect(scope).toEqual({ kind: 'incident', incident: expect.stringContaining(idOf(cart)) });
  expect(await hold('ada', 'add', '--from', '2026-03-01T00:00:00Z', '--until', '2026-04-01T00:00:00Z')).toContain('is held (');
  const list = () => firebreak(undefined, 'records', 'hold', 'list');
  /** A record of the control workflow is in the database a moment later. */
  const listed = (what: string) => {
    const line = new RegExp(`${id} ${what}`);
    return until(what, 120_000, async () => (line.test(await list()) ? true : undefined));
  };
  await listed(`.*${idOf(cart)}.* ada .* held +case 17`);
  const end = (person: string) => hold(person, 'end', id, '--yes', '--target', id.slice(-4));
  await expect(end('ada')).rejects.toThrow('Only records may do that');
  expect(await end('margaret')).toContain('No other such order is on record yet');
  await listed('.* held; margaret ordered its end');
  expect(await end('grace')).toContain('margaret ordered the same');
  await listed('.* ended at \\S+ by margaret and grace');
  await expect(end('grace')).rejects.toThrow(`the hold ${id} ended`);
  const none = 'f'.repeat(16);
  await expect(hold('grace', 'end', none, '--yes', '--target', 'ffff')).rejects.toThrow(`there is no hold ${none}`);
  expect(await hold('ada', 'add', 'shop/Deployment/crat')).toContain('There is no record of it yet');
  expect(await hold('ada', 'add', idOf(cart), '--run', 'none')).toContain('There is no record of it yet');
  // Placing a hold needs no database, and does not report that it failed.
  const away = join(service.settings.folder, 'away.yaml');
  const config: Record<string, unknown> = parse(readFileSync(service.settings.configFile, 'utf8'));
  writeFileSync(away, stringify({ ...config, audit: { url: 'sqlite:/nowhere/audit.db' } }), { mode: 0o600 });
  const as = ['--as', 'ada', '--key', keyFile(service, 'ada'), '--config', away];
  const far = await firebreakHere(['records', 'hold', 'add', 'shop/Deployment/crat', '--reason', 'case 18', ...as], {
    folder: service.folder,
  });
  expect(far).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(
      /is held \([0-9a-f]{16}\)\.\nCannot check here whether there is a record of it: there is no audit store/,
    ),
  });
});

test('a record’s content is removed once two stewards order it, and whoever gets the incident can see and check that', async () => {
  const given = async (name: string): Promise<string> => {
    const file = join(service.folder, name);
    await firebreak('ada', 'incidents', 'export', idOf(cart), '-o', file, '--reason', 'the audit');
    return file;
  };
  const { chain } = JSON.parse(readFileSync(await given('whole.json'), 'utf8')).content;
  const remove = (person: string) =>
    firebreak(person, 'records', 'remove', chain, '--records', '1', '--reason', 'erasure request 17', ...meant(chain));
  await expect(remove('ada')).rejects.toThrow('Only records may do that');
  await remove('margaret');
  expect(await remove('grace')).toContain('once two people have ordered the same');
  // Runs while the desk runs, whose own next look is six hours away; the notary must sign both orders first.
  const carryOut = async () => JSON.parse(await firebreak(undefined, 'records', 'cut', '--carry-out', '--json'));
  await until('the notary', 120_000, async () => ((await carryOut()).removed.records === 1 ? true : undefined));
  const file = await given('emptied.json');
  const verdict = JSON.parse(
    execFileSync(process.execPath, [commandFile(), 'bundle', 'verify', file, '--json'], { encoding: 'utf8' }),
  );
  expect(verdict).toMatchObject({ ok: true, removed: [1] });
  if (withoutPython() === undefined) {
    const keys = join(service.folder, 'all-keys.txt');
    writeFileSync(keys, await firebreak(undefined, 'bundle', 'keys'));
    expect(pythonVerdict(file, keys)).toEqual({ ...verdict, compared: true });
  }
});

function filesOf(): readonly string[] {
  return readdirSync(service.folder, { recursive: true, encoding: 'utf8' }).map((name) => join(service.folder, name));
}

function findKey(): string {
  return filesOf().find((name) => name.endsWith('evidence.pem.pub')) ?? '';
}

function findFile(name: string): string {
  return filesOf().find((path) => path.endsWith(`/${name}`)) ?? '';
}

test('the records of all this are sound', async () => {
  const { findings, notes } = await auditReport({ config: service.settings.configFile });
  expect(findings).toEqual([]);
  // The desk recorded at its start who the stewards are.
  expect(notes.join()).not.toContain('steward');
});
