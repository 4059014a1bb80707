import { execFile, execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { EvidenceClass } from '../../../core/evidence.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../../integrations/crypto-box/key-wrap.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createIncidentKeys } from '../../../integrations/evidence/incident-keys.ts';
import { controlState } from '../../../service/commands/connect.ts';
import { testPlatform } from '../../platform.ts';
import { alertAbout } from './alerts.ts';
import { until, type Workload } from './cluster.ts';
import { Service } from './service.ts';

jest.setTimeout(240_000);

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const cli = join(import.meta.dirname, '../../../service/cli.ts');
const privateKeys = new Map<string, string>();
let service: Service;
let cart: Workload;
let pay: Workload;
let till: Workload;
let seen: Workload;
let ordered: Workload;

interface Person {
  readonly id: string;
  readonly name: string;
  keys?: readonly string[];
}

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    const { people } = config.roster as { people: Person[] };
    people.push({ id: 'otto', name: 'Otto' });
    for (const person of people) person.keys = [publicKeyOf(person.id)];
    config.evidence = { stewards: ['leads'], retention: { logs: { atMostDays: 90 } } };
  });
  for (const [id, pem] of privateKeys) writeFileSync(join(service.folder, `${id}.pem`), pem, { mode: 0o600 });
  await keepSince(old, 'logs', 91);
  await keepSince(old, 'files', 91);
  writeFileSync(leftBehind(), 'half of an artefact');
  const hours = (count: number): Date => new Date(Date.now() - count * 3_600_000);
  utimesSync(leftBehind(), hours(7), hours(7));
  await service.start();
  const [first, second, third, fourth, fifth] = await service.workloads.deploy(namespace, [
    'cart',
    'pay',
    'till',
    'seen',
    'ordered',
  ]);
  if (!first || !second || !third || !fourth || !fifth) throw new Error('not deployed');
  cart = first;
  pay = second;
  till = third;
  seen = fourth;
  ordered = fifth;
});

afterAll(async () => service?.stop());

function publicKeyOf(id: string): string {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  privateKeys.set(id, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

const old = 'shop/Deployment/old';
/** What a killed process leaves of an artefact. */
const leftBehind = (): string =>
  join(
    service.settings.folder,
    'state',
    'evidence',
    `firebreak-evidence-${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}.draft`,
  );

/** As an incident would have had it that was over long ago: Temporal knows no more of it. */
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

const idOf = ({ namespace, name }: Workload): string => `${namespace}/Deployment/${name}`;

async function firebreak(person: string | undefined, ...args: readonly string[]): Promise<string> {
  const who = person === undefined ? [] : ['--as', person, '--key', join(service.folder, `${person}.pem`)];
  const all = [cli, ...args, ...who, '--config', service.settings.configFile];
  return (await promisify(execFile)(process.execPath, all)).stdout;
}

describe('evidence at the command line', () => {
  const out = (name: string) => join(service.folder, name);
  const get = (person: string, folder: string) =>
    firebreak(person, 'evidence', 'get', idOf(cart), '--reason', 'case 17', '--out', out(folder));

  test('is listed and verified', async () => {
    await service.post([alertAbout(cart, 'binary')]);
    await service.stateWhen('evidence', cart, 60_000, ({ evidence }) => evidence.length > 0);
    expect(await firebreak(undefined, 'evidence', 'list', idOf(cart))).toContain('pod.yaml');
    expect(existsSync(leftBehind())).toBe(false);
    const [checked] = JSON.parse(await firebreak(undefined, 'evidence', 'verify', idOf(cart), '--json'));
    expect(checked.problems).toEqual([]);
    expect(await firebreak(undefined, 'evidence', 'verify', checked.manifest)).toContain('every hash are right');
  });

  test('is handed out to who may have it, on the record first, and is checked with sha256sum and openssl alone', async () => {
    await expect(get('otto', 'otto')).rejects.toThrow('Only');
    expect(() => statSync(out('otto'))).toThrow();
    await get('ada', 'case');
    const { timeline } = await controlState(await service.session());
    const handling = timeline.filter(({ kind, actor }) => kind.startsWith('evidence.') && actor !== 'engine');
    expect(handling.map(({ kind, actor }) => [kind, actor])).toEqual([
      ['evidence.refused', 'person/otto'],
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
    const shell = (script: string) => execFileSync('sh', ['-ec', script], { cwd: out('case'), encoding: 'utf8' });
    expect(shell('sha256sum -c SHA256SUMS')).toContain('artefacts/pod.yaml: OK');
    const key = join(service.folder, 'evidence.pub');
    const { evidence } = await service.stateWhen('evidence', cart, 5_000, () => true);
    writeFileSync(key, readFileSync(findKey()));
    expect(shell(`openssl pkeyutl -verify -pubin -inkey ${key} -rawin -in manifest.signed -sigfile manifest.sig`)).toContain(
      'Verified Successfully',
    );
    expect(shell('sha256sum manifest.json')).toContain(evidence[0]?.manifestSha256 ?? 'none');
    shell(
      `{ printf 'firebreak.evidence-manifest.v1\\n'; sed 's/"signature":"[^"]*",//' manifest.json; } | cmp - manifest.signed`,
    );
  });

  test('that somebody has changed is found', async () => {
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

describe('evidence that is to go', () => {
  const entries = async () => (await controlState(await service.session()).catch(() => undefined))?.timeline ?? [];

  test('goes by itself when its time is over, on the record, and the list says so', async () => {
    const gone = await until('its end', 60_000, async () =>
      (await entries()).find(({ kind, actor }) => kind === 'evidence.destroyed' && actor === 'engine'),
    );
    expect(gone.text).toContain(`logs of incident/${service.cluster}/${old}`);
    expect((await entries()).some(({ kind }) => kind === 'evidence.expired')).toBe(true);
    const listed = await firebreak(undefined, 'evidence', 'list');
    expect(listed).toMatch(/logs +shop\/Deployment\/old +run-1 +destroyed 20\S+ by engine: kept for 90 days, as configured/);
    expect(listed).toMatch(/files +shop\/Deployment\/old +run-1 +until somebody destroys it/);
  });

  test('goes by order of a steward, and under no hold; what is open stays', async () => {
    const give = (person: string, what: string, incident: string, reason: string) =>
      firebreak(person, 'evidence', what, incident, '--reason', reason);
    await expect(give('ada', 'destroy', old, 'tidy up')).rejects.toThrow('Only leads may do that');
    expect(await give('ada', 'hold', old, 'lawsuit 4711')).toContain('On the record');
    expect(await firebreak(undefined, 'evidence', 'list')).toContain('held by person/ada: lawsuit 4711');
    await expect(give('margaret', 'destroy', old, 'tidy up')).rejects.toThrow('lawsuit 4711');
    expect(await give('margaret', 'unhold', old, 'it is over')).toContain('no longer held');
    expect(await give('margaret', 'destroy', old, 'erasure request 17')).toContain('1 key of');
    expect(await firebreak(undefined, 'evidence', 'list')).toContain('by person/margaret: erasure request 17');
    await expect(give('margaret', 'destroy', idOf(cart), 'too early')).rejects.toThrow('the incident is still open');
    const ordered = (await entries()).filter(({ kind, actor }) => kind === 'evidence.ordered' && actor === 'person/margaret');
    expect(ordered.map(({ text }) => text).join()).toContain('erasure request 17');
    expect(await firebreak(undefined, 'evidence', 'verify', idOf(cart))).toContain('every hash are right');
  });
});

/** The cell looks every few seconds, and says so when it finds another state than before. */
const cellKnows = (holds: (restraints: string) => boolean) =>
  until('the cell to know it', 30_000, async () => {
    const changes = service.log.split('\n').filter((line) => line.includes('freezes and observe modes have changed'));
    return changes.length > 0 && holds(changes.at(-1) ?? '');
  });

describe('a freeze at the command line', () => {
  test('makes what is automatic a question, is shown with the incident, and a person still contains', async () => {
    const { id } = JSON.parse(
      await firebreak(
        'ada',
        'freeze',
        '--namespace',
        pay.namespace,
        '--reason',
        'maintenance of the shop',
        '--hours',
        '1',
        '--json',
      ),
    );
    await expect(firebreak('ada', 'restraints', 'approve', id)).rejects.toThrow('Who asks may not answer');
    expect(await firebreak('grace', 'restraints', 'approve', id)).toContain('Decided');
    expect(await firebreak(undefined, 'restraints', 'list')).toContain('maintenance of the shop');
    await cellKnows((restraints) => restraints.includes(id));

    await service.post([alertAbout(pay, 'binary')]);
    const asked = await service.stateWhen('a question', pay, 60_000, ({ questions }) =>
      questions.some(({ question }) => question.text.includes('It was not done at once')),
    );
    expect(asked.leases).toEqual([]);
    expect(asked.questions[0]?.question.text).toContain(`freeze of the namespace ${pay.namespace}`);
    const shown = await firebreak(undefined, 'incidents', 'show', idOf(pay));
    expect(shown).toContain(`In force: freeze of the namespace ${pay.namespace} (${id})`);
    await firebreak('grace', 'approve', idOf(pay), '--choice', 'apply', '--reason', 'contain it all the same');
    await service.stateWhen('the containment', pay, 60_000, ({ reached }) => reached === 'contained');
    expect(await firebreak('grace', 'unfreeze', id, '--reason', 'done')).toContain('Ended');
    expect(await firebreak(undefined, 'restraints', 'list')).toContain('Nothing is frozen');
    await cellKnows((restraints) => !restraints.includes(id));
  });
});

describe('a broken glass at the command line', () => {
  test('takes two people and names one incident; in it a freeze does not hold', async () => {
    const decide = async (...args: readonly string[]): Promise<string> => {
      const { id } = JSON.parse(await firebreak('ada', ...args, '--hours', '1', '--reason', 'it spreads', '--json'));
      expect(await firebreak('grace', 'restraints', 'approve', id)).toContain('Decided');
      await cellKnows((restraints) => restraints.includes(id));
      return id;
    };
    const frozen = await decide('freeze', '--namespace', till.namespace);
    await expect(firebreak('ada', 'break-glass', '--reason', 'it spreads')).rejects.toThrow('say for which');
    const broken = await decide('break-glass', '--incident', idOf(till));
    await service.post([alertAbout(till, 'binary')]);
    await service.stateWhen('the containment', till, 60_000, ({ reached }) => reached === 'contained');
    const { questions } = await service.stateWhen('no question about it', till, 5_000, () => true);
    expect(questions.some(({ question }) => question.text.includes('It was not done at once'))).toBe(false);
    expect(await firebreak(undefined, 'incidents', 'show', idOf(till))).toContain('In force: broken glass for the incident');
    for (const id of [broken, frozen]) expect(await firebreak('grace', 'unfreeze', id, '--reason', 'over')).toContain('Ended');
    await cellKnows((restraints) => ![broken, frozen].some((id) => restraints.includes(id)));
  });
});

describe('an incident that is started at the command line', () => {
  const podText = ({ namespace, pod }: Workload): string => `${namespace}/${pod}`;

  test('keeps evidence and asks the others; who started it does not decide on it', async () => {
    const link = 'https://wiki.example.com/42';
    const args = ['incidents', 'start', podText(seen), '--severity', 'medium', '--reason', 'grace saw it', '--link', link];
    const { incident, terms } = JSON.parse(await firebreak('ada', ...args, '--json'));
    expect([incident, terms.wish, terms.severity]).toEqual([service.incidentOf(seen), 'look', 'medium']);
    const state = await service.stateWhen('the question', seen, 60_000, ({ questions }) => questions.length > 0);
    expect(state).toMatchObject({ severity: 'medium', requesters: ['ada'], leases: [] });
    expect(state.questions[0]?.question.requesters).toEqual(['ada']);
    const { timeline } = await controlState(await service.session());
    expect(timeline.find(({ kind }) => kind === 'incident.started')).toMatchObject({
      actor: 'person/ada',
      text: expect.stringContaining('grace saw it'),
    });
    const choice = ['--choice', 'quarantine'];
    await expect(firebreak('ada', 'approve', idOf(seen), ...choice)).rejects.toThrow(
      'You have ordered this: somebody else must answer',
    );
    expect(await firebreak('grace', 'approve', idOf(seen), ...choice)).toContain('Decided');
    await service.contained(seen, 60_000);
  });

  test('as a quarantine cuts the pod off by the chokepoint', async () => {
    const told = await firebreak('ada', 'quarantine', podText(ordered), '--reason', 'it talks to a miner');
    expect(told).toContain(`Incident ${idOf(ordered)}: the quarantine of ${podText(ordered)} is ordered.`);
    await service.contained(ordered, 60_000);
    const { severity, requesters } = await service.stateWhen('it', ordered, 30_000, ({ reached }) => reached === 'contained');
    expect([severity, requesters]).toEqual(['critical', ['ada']]);
  });

  test('is refused of a pod that is not there, of a stranger’s key, and of who is not on the roster', async () => {
    const quarantine = (person: string, pod: string) => firebreak(person, 'quarantine', pod, '--reason', 'because of that');
    await expect(quarantine('ada', `${cart.namespace}/nothing-here`)).rejects.toThrow('The cluster has no pod');
    writeFileSync(join(service.folder, 'mallory.pem'), privateKeys.get('ada') ?? '', { mode: 0o600 });
    await expect(quarantine('mallory', podText(cart))).rejects.toThrow('not on the roster');
    writeFileSync(join(service.folder, 'mallory.pem'), privateKeys.get('grace') ?? '', { mode: 0o600 });
    const forged = [
      'quarantine',
      podText(cart),
      '--reason',
      'because',
      '--as',
      'ada',
      '--key',
      join(service.folder, 'mallory.pem'),
    ];
    await expect(firebreak(undefined, ...forged)).rejects.toThrow('not ada’s');
  });
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
