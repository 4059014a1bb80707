import { copyFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { auditReport, existingAuditUrl } from '../../../service/commands/records/audit.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { controlState } from '../../../service/incidents/session.ts';
import { askRunningRefusals } from '../../../service/intake/control.ts';
import { type AlertOnRecord, withAlertsOnRecord } from '../../../service/simulation/recorded-alerts.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { eventually } from '../../eventually.ts';
import { alertAbout } from '../../platform/e2e/parts/alerts.ts';
import { until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { type CommandLine, keyFile, meant, peopleWithKeys } from '../../platform/e2e/parts/command-line.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const people = peopleWithKeys();
let service: Service;
let firebreak: CommandLine;
let pay: Workload;
let till: Workload;
let seen: Workload;
let ordered: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    people.giveKeys(config);
  });
  firebreak = people.commandLine(service);
  await service.start();
  // The cell starts it when it is at work: on a busy machine, a moment later.
  const session = await service.session();
  await until('the decisions of the cluster', 120_000, () => controlState(session).then(Boolean, () => false));
  const [first, second, third, fourth] = await service.workloads.deploy(namespace, ['pay', 'till', 'seen', 'ordered']);
  if (!first || !second || !third || !fourth) throw new Error('not deployed');
  [pay, till, seen, ordered] = [first, second, third, fourth];
});

afterAll(async () => service?.stop());

const idOf = ({ namespace, name }: Workload): string => `${namespace}/Deployment/${name}`;

describe('a freeze at the command line', () => {
  test('turns automatic steps into questions, is shown with the incident, and lets a person still contain', async () => {
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
        ...meant(pay.namespace),
        '--json',
      ),
    );
    await expect(firebreak('ada', 'restraints', 'approve', id, '--reason', 'agreed')).rejects.toThrow(
      'cannot ask for confirmation without a terminal',
    );
    const agreed = ['restraints', 'approve', id, '--reason', 'agreed', ...meant(pay.namespace)];
    await expect(firebreak('ada', ...agreed)).rejects.toThrow('The person who asks may not answer');
    expect(await firebreak('grace', ...agreed)).toContain('Decided');
    expect(await firebreak(undefined, 'restraints', 'list')).toContain('maintenance of the shop');
    await service.cellKnows((restraints) => restraints.includes(id));

    await service.post([alertAbout(pay, 'binary')]);
    const asked = await service.stateWhen('a question', pay, 120_000, ({ questions }) =>
      questions.some(({ question }) => question.text.includes('It was not done at once')),
    );
    expect(asked.leases).toEqual([]);
    expect(asked.questions[0]?.question.text).toContain(`freeze of the namespace ${pay.namespace}`);
    const shown = await firebreak(undefined, 'incidents', 'show', idOf(pay));
    expect(shown).toContain(`In force: freeze of the namespace ${pay.namespace} (${id})`);
    await firebreak('grace', 'approve', idOf(pay), '--choice', 'apply', '--reason', 'contain it all the same');
    await service.stateWhen('the containment', pay, 120_000, ({ reached }) => reached === 'contained');
    expect(await firebreak('grace', 'unfreeze', id, '--reason', 'done', ...meant(pay.namespace))).toContain('Ended');
    expect(await firebreak(undefined, 'restraints', 'list')).toContain('Nothing is frozen');
    await service.cellKnows((restraints) => !restraints.includes(id));
  });
});

describe('a release that somebody’s admission policy denies', () => {
  const group = '/apis/admissionregistration.k8s.io/v1';
  const admin = readAccess(kubeconfig);
  const call = (method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) =>
    callKubernetes({ access: admin, method, path, ...(body && { body }) });
  const name = () => pay.namespace;

  afterAll(async () => {
    await call('DELETE', `${group}/validatingadmissionpolicybindings/${name()}`);
    await call('DELETE', `${group}/validatingadmissionpolicies/${name()}`);
  });

  test('is reported in the policy’s words, is not called a release, and happens on its own once the policy allows it', async () => {
    const metadata = { name: name() };
    await call('POST', `${group}/validatingadmissionpolicies`, {
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': pay.namespace } },
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods'] }],
        },
        validations: [{ expression: 'object.metadata.?labels == oldObject.metadata.?labels', message: 'labels stay' }],
      },
    });
    await call('POST', `${group}/validatingadmissionpolicybindings`, {
      metadata,
      spec: { policyName: name(), validationActions: ['Deny'] },
    });
    await until('the policy', 120_000, async () => {
      const path = `/api/v1/namespaces/${pay.namespace}/pods/${pay.pod}?dryRun=All`;
      return (await call('PATCH', path, { metadata: { labels: { tried: 'yes' } } })).status === 422;
    });
    const { questions } = await service.stateWhen('the question', pay, 120_000, (now) =>
      now.questions.some(({ question, status }) => status.state === 'open' && !question.id.startsWith('lease:')),
    );
    expect(questions.length).toBeGreaterThan(0);
    for (const person of ['ada', 'grace'])
      await firebreak(person, 'approve', idOf(pay), '--choice', 'release', '--reason', 'our own', ...meant(pay.pod));
    const isRefused = ({ timeline }: IncidentState) => timeline.some(({ kind }) => kind === 'lease.release-refused');
    const refused = await service.stateWhen('the refusal', pay, 120_000, isRefused);
    expect(refused.leases).toMatchObject([{ state: 'active', refused: { why: expect.stringContaining('labels stay') } }]);
    expect(refused.timeline.map(({ kind }) => kind)).not.toContain('lease.released');
    await until('the thread', 120_000, () =>
      service.slack.world.messages.some(
        ({ text }) => text?.includes('Still contained') && text.includes(`ValidatingAdmissionPolicy '${name()}'`),
      ),
    );
    expect(await firebreak(undefined, 'incidents', 'show', idOf(pay))).toContain('release refused, tried again');
    const { intake } = loadConfig({ path: service.settings.configFile, env: process.env });
    const counted = async () => (await askRunningRefusals(intake.spool.dir))?.map(({ incident, text }) => [incident, text]);
    expect(await counted()).toEqual([[expect.stringContaining(idOf(pay)), expect.stringContaining('labels stay')]]);
    expect((await service.workloads.podMetadata(pay)).labels).toHaveProperty(['firebreak.dev/quarantine']);
    await call('DELETE', `${group}/validatingadmissionpolicybindings/${name()}`);
    // It is tried again at the moment that the lease names, and no sooner.
    const { leases = [] } = (await service.state(pay)) ?? {};
    await sleep(Math.max(0, ...leases.map(({ refused: still }) => (still?.nextAt ?? 0) - Date.now())));
    await service.stateWhen('the release', pay, 60_000, ({ leases }) => leases.every(({ state }) => state === 'released'));
    // Its ReplicaSet now has one pod too many, and may have ended this one.
    const { labels = {} } = await service.workloads.podMetadata(pay);
    expect(labels).not.toHaveProperty(['firebreak.dev/quarantine']);
    await until('no refused release', 120_000, async () => (await counted())?.length === 0);
  });
});

describe('breaking glass at the command line', () => {
  test('needs two people and names one incident, in which a freeze does not apply', async () => {
    const decide = async (mode: string, scope: string, name: string): Promise<string> => {
      const args = [mode, scope, name, '--hours', '1', '--reason', 'it spreads', '--json', ...meant(name)];
      const { id } = JSON.parse(await firebreak('ada', ...args));
      const agreed = ['restraints', 'approve', id, '--reason', 'agreed', ...meant(name)];
      expect(await firebreak('grace', ...agreed)).toContain('Decided');
      await service.cellKnows((restraints) => restraints.includes(id));
      return id;
    };
    const frozen = await decide('freeze', '--namespace', till.namespace);
    const nameless = ['break-glass', '--reason', 'it spreads', ...meant(till.namespace)];
    await expect(firebreak('ada', ...nameless)).rejects.toThrow('name --incident or --namespace');
    const broken = await decide('break-glass', '--incident', idOf(till));
    await service.post([alertAbout(till, 'binary')]);
    await service.stateWhen('the containment', till, 120_000, ({ reached }) => reached === 'contained');
    const { questions } = await service.stateWhen('no question about it', till, 120_000, () => true);
    expect(questions.some(({ question }) => question.text.includes('It was not done at once'))).toBe(false);
    expect(await firebreak(undefined, 'incidents', 'show', idOf(till))).toContain(
      'In force: break-glass session for the incident',
    );
    for (const [id, name] of [[broken, idOf(till)] as const, [frozen, till.namespace] as const])
      expect(await firebreak('grace', 'unfreeze', id, '--reason', 'over', ...meant(name))).toContain('Ended');
    await service.cellKnows((restraints) => ![broken, frozen].some((id) => restraints.includes(id)));
  });
});

describe('an incident that is started at the command line', () => {
  const podText = ({ namespace, pod }: Workload): string => `${namespace}/${pod}`;

  test('keeps evidence and asks the others, while the person who started it has no say', async () => {
    const link = 'https://wiki.example.com/42';
    const args = ['incidents', 'start', podText(seen), '--severity', 'medium', '--reason', 'grace saw it', '--link', link];
    const { incident, terms } = JSON.parse(await firebreak('ada', ...args, '--json'));
    expect([incident, terms.wish, terms.severity]).toEqual([service.incidentOf(seen), 'look', 'medium']);
    const state = await service.stateWhen('the question', seen, 120_000, ({ questions }) => questions.length > 0);
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
    await service.contained(seen, 120_000);
  });

  test('as a quarantine cuts the pod off through the chokepoint', async () => {
    const told = await firebreak('ada', 'quarantine', podText(ordered), '--reason', 'it talks to a miner');
    expect(told).toContain(`Incident ${idOf(ordered)}: the quarantine of ${podText(ordered)} is ordered.`);
    await service.contained(ordered, 120_000);
    const { severity, requesters } = await service.stateWhen('it', ordered, 120_000, ({ reached }) => reached === 'contained');
    expect([severity, requesters]).toEqual(['critical', ['ada']]);
  });

  test('is refused for a pod that does not exist, for a stranger’s key, and for a person not on the roster', async () => {
    const quarantine = (person: string, pod: string) => firebreak(person, 'quarantine', pod, '--reason', 'because of that');
    await expect(quarantine('ada', `${seen.namespace}/nothing-here`)).rejects.toThrow('The cluster has no pod');
    copyFileSync(keyFile(service, 'ada'), keyFile(service, 'mallory'));
    await expect(quarantine('mallory', podText(seen))).rejects.toThrow('not on the roster');
    copyFileSync(keyFile(service, 'grace'), keyFile(service, 'mallory'));
    const forged = ['quarantine', podText(seen), '--reason', 'because', '--as', 'ada', '--key', keyFile(service, 'mallory')];
    await expect(firebreak(undefined, ...forged)).rejects.toThrow('not ada’s');
  });
});

test('the records of all this are sound: each order, vote and decision is on record with its signature', async () => {
  expect((await auditReport({ config: service.settings.configFile })).findings).toEqual([]);
});

test('the alerts of all this are stored unchanged: a backtest has the labels of their pods', async () => {
  const { configFile } = service.settings;
  const config = loadConfig({ path: configFile, env: process.env });
  const url = existingAuditUrl(config);
  const read = (): Promise<readonly AlertOnRecord[]> =>
    withAlertsOnRecord({ config, url, retired: [], env: process.env }, async (alerts) => {
      const all: AlertOnRecord[] = [];
      for await (const one of alerts.read({ since: new Date(0).toISOString() })) all.push(one);
      return all;
    });
  // An incident hands over its records in batches, and what is stored of an alert follows its record.
  const found = await eventually('the alert of the order, as it was', async () => {
    const all = await read();
    return all.some(({ alert, isWhole }) => isWhole && alert.pod?.name === ordered.pod) && all;
  });
  expect(found.length).toBeGreaterThan(0);
  expect(found.filter(({ isWhole }) => !isWhole)).toEqual([]);
  const { labels } = found.find(({ alert }) => alert.pod?.name === ordered.pod)?.alert.facts ?? {};
  expect(labels).toMatchObject({ app: ordered.name });
});
