import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePorts } from '../../../tools/platform/ports.ts';
import { testPlatform } from '../../platform.ts';
import { alertAbout, postAlerts } from './parts/alerts.ts';
import { podOf, until, type Workload } from './parts/cluster.ts';
import { type SecondProcess, Service, spread } from './parts/service.ts';

const lowAlerts = 10_000;
const perBody = 1_000;
const quietWorkloads = 40;

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let namespace: string;
let service: Service;
let second: SecondProcess;
let secondUrl: string;

beforeAll(async () => {
  namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.intake = { ...(config.intake as object), storm: { alertsPerSecond: 100, workloads: 20, calmAfterSeconds: 10 } };
  });
  await service.start();
  const { intake } = await freePorts({ names: ['intake'] });
  secondUrl = `http://127.0.0.1:${intake}`;
  second = await service.startProcess({ name: 'second-cell', roles: 'cell', change: (config) => changeToSecond(config, intake) });
});

afterAll(async () => {
  await second?.end('SIGTERM');
  await service?.stop();
});

/** A separate state directory, with the keys of the first. */
function changeToSecond(config: Record<string, unknown>, port: number): void {
  const key = (name: string): string => join(service.settings.folder, 'state', 'keys', name);
  config.stateDir = 'state-of-second';
  config.temporal = { ...(config.temporal as object), codecKeys: [{ id: 'local', key: { file: key('codec.key') } }] };
  config.keys = { cellKeyFile: key('cell.key'), signing: { cell: key('cell.pem') } };
  config.trust = {
    cells: [{ key: key('cell.pem.pub') }],
    secrets: [key('secrets.pem.pub')],
    forensics: [key('forensics.pem.pub')],
  };
  config.evidence = {
    folder: join(service.settings.folder, 'state', 'evidence'),
    keyFile: key('evidence.pem'),
    wrapKeyFile: key('evidence-wrap.key'),
  };
  config.desk = { ...(config.desk as object), votePublicKeys: [key('vote.pem.pub')] };
  config.intake = { ...(config.intake as object), listen: { port } };
}

const toSecond = (alerts: readonly object[]) => postAlerts(secondUrl, service.settings.falcoToken, alerts);

/** Alerts of low severity about workloads that no playbook answers. */
function noise(count: number): readonly object[] {
  return Array.from({ length: count }, (_, number) => {
    const pod = `quiet${number % quietWorkloads}-6d4cf56db6-xbcdf`;
    const about: Workload = { namespace, name: 'quiet', pod, secretValue: '' };
    return { ...alertAbout(about, 'shell', { priority: 'Notice' }), rule: 'Something to note' };
  });
}

describe('two intakes of one cluster', () => {
  test('do not let 10 000 low alerts at one delay a critical one at the other', async () => {
    const [warm, workload] = await service.workloads.deploy(namespace, ['warm', 'urgent']);
    if (!warm || !workload) throw new Error('not deployed');
    await toSecond([alertAbout(warm)]);
    await service.contained(warm, 120_000);
    const bodies = Array.from({ length: lowAlerts / perBody }, () => noise(perBody));
    const posted = await Promise.all(bodies.map((body) => service.post(body)));
    expect(posted.filter(({ status }) => status !== 200)).toEqual([]);
    const sent = Date.now();
    expect((await toSecond([alertAbout(workload)])).status).toBe(200);
    const { at } = await service.contained(workload, 120_000);
    process.stdout.write(`after ${lowAlerts} low alerts at the other intake: contained ${at - sent} ms after it was sent\n`);
    expect(service.effects.of('contain', podOf(workload))).toHaveLength(1);
  });

  test('make one incident of an alert sent to both at once, counted once, with one effect', async () => {
    const names = ['both-a', 'both-b', 'both-c', 'both-d'];
    const workloads = await service.workloads.deploy(namespace, names);
    const sent = Date.now();
    await Promise.all(
      workloads.flatMap((workload) => {
        const alert = alertAbout(workload);
        return [service.post([alert]), toSecond([alert])];
      }),
    );
    const took: number[] = [];
    for (const workload of workloads) took.push((await service.contained(workload, 120_000)).at - sent);
    await Promise.all(workloads.map((workload) => service.cardOf(workload)));
    process.stdout.write(`the same alert to both intakes: contained after ${spread(took)} ms\n`);
    for (const workload of workloads) {
      expect(service.effects.of('contain', podOf(workload))).toHaveLength(1);
      expect(service.cards(workload)).toHaveLength(1);
      const state = await service.stateWhen('both have arrived', workload, 120_000, ({ total }) => total >= 1);
      expect(state.total).toBe(1);
    }
  });

  test('survive the loss of one: the other goes on with its incidents', async () => {
    const [workload] = await service.workloads.deploy(namespace, ['handed-over']);
    if (!workload) throw new Error('not deployed');
    const alert = alertAbout(workload);
    expect((await toSecond([alert])).status).toBe(200);
    await service.contained(workload, 120_000);
    await second.end('SIGKILL');
    // The sensor gets no answer, and sends the alert to the other intake.
    expect((await service.post([alert])).status).toBe(200);
    expect((await service.post([alertAbout(workload)])).status).toBe(200);
    await service.stateWhen('the second alert', workload, 120_000, ({ total }) => total === 2);
    expect(service.effects.of('contain', podOf(workload))).toHaveLength(1);
  });

  test('report the storm once in Slack, with its top talkers', async () => {
    // A separate message reports, sooner or later, that it is over.
    const notices = () =>
      service.slack.world.messages.filter(({ metadata }) => /^storm\/.*(?<!\/over)$/.test(String(metadata?.event_payload.key)));
    const [notice] = await until('the notice', 120_000, () => (notices().length > 0 ? notices() : undefined));
    const shown = JSON.stringify(notice?.blocks);
    expect(shown).toContain(`Alert storm in ${service.cluster}`);
    expect(shown).toContain(`Something to note (falco) on ${namespace}/`);
    expect(notices()).toHaveLength(1);
  });
});
