import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { Cloud, officeRule, openRule } from '../../../packs/cloud-security-group/test/cloud.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { testPlatform } from '../../platform.ts';
import { until, type Workload } from './parts/cluster.ts';
import { meant, peopleWithKeys } from './parts/command-line.ts';
import { ana, type SecondProcess, Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace, cleanUp } = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-e2e-own-action-'));
const people = peopleWithKeys();
let cloud: Cloud;
let service: Service;
let pool: SecondProcess | undefined;
let workload: Workload;

const startPool = (): Promise<SecondProcess> =>
  service.startProcess({ name: 'packs-pool', roles: 'packs', change: () => undefined });

beforeAll(async () => {
  cloud = await Cloud.start({ 'sg-1': [openRule, officeRule] });
  writeFileSync(join(folder, 'token'), `${cloud.token}\n`, { mode: 0o600 });
  const namespace = await freshNamespace();
  const source = { folder: join(projectRoot(), 'packs', 'cloud-security-group') };
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    people.giveKeys(config);
    config.packs = [
      {
        ...source,
        integrity: readPack(source).integrity,
        secrets: { token: { file: join(folder, 'token') } },
        settings: { endpoint: cloud.endpoint },
      },
    ];
    const id = 'cloud-security-group/close-exposed-port';
    config.playbooks = { enabled: [id], params: { [id]: { group: 'sg-1' } } };
  });
  [workload] = (await service.workloads.deploy(namespace, ['cart'])) as [Workload];
  service.keepTo('cell,desk');
  await service.start();
  pool = await startPool();
});

cleanUp(async () => {
  await pool?.end('SIGTERM');
  await service?.stop();
  await cloud?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('an action of a pack is run by its own pool with people’s approval, once even if the pool is killed midway, and then undone', async () => {
  await service.alert(workload, 'shell', { priority: 'Error' });
  cloud.next('hang');
  await service.click(workload, ana, 'Yes: close port (cloud-security-group)');
  await until('the change that hangs', 120_000, () => cloud.hanging === 1);
  await pool?.end('SIGKILL');
  pool = await startPool();
  const action = 'cloud-security-group/closePort';
  const closed = await service.stateWhen('the closed port', workload, 120_000, ({ timeline }) =>
    timeline.some(({ kind, text }) => kind === 'step.checked' && text.includes(action)),
  );
  expect(closed.timeline).toContainEqual(
    expect.objectContaining({
      kind: 'step.checked',
      text: `${action} on security-group/sg-1: applied (no rule opens port 8080 to the internet)`,
    }),
  );
  expect(closed.leases).toMatchObject([{ action, state: 'active', target: { name: 'security-group/sg-1' } }]);
  expect(cloud.rules('sg-1')).toEqual([officeRule]);
  expect(cloud.changes).toBe(1);
  expect(pool.log()).not.toContain(cloud.token);

  const cli = people.commandLine(service);
  const incident = service.incidentOf(workload);
  // Its undo is refused: people are told why, the step stays in force, and they order the undo once more.
  cloud.next('somebody-was-first');
  await cli('ada', 'lease', 'release', incident, '--reason', 'our own shell', ...meant('sg-1'));
  const kept = await service.stateWhen('the release that is refused', workload, 120_000, ({ timeline }) =>
    timeline.some(({ kind }) => kind === 'lease.release-refused'),
  );
  expect(kept.timeline).toContainEqual(
    expect.objectContaining({
      kind: 'lease.release-refused',
      text: expect.stringMatching(/could not be released: .*could not undo: somebody has changed the security group meanwhile$/),
    }),
  );
  expect(kept.leases).toMatchObject([{ action, state: 'active' }]);
  expect(cloud.rules('sg-1')).toEqual([officeRule]);
  await cli('ada', 'lease', 'release', incident, '--reason', 'our own shell', ...meant('sg-1'));
  const given = await service.stateWhen('the release', workload, 120_000, ({ leases }) =>
    leases.every(({ state }) => state === 'released'),
  );
  expect(given.timeline).toContainEqual(
    expect.objectContaining({ kind: 'lease.released', text: expect.stringMatching(/^Released: .* 1 rules were restored$/) }),
  );
  expect(new Set(cloud.rules('sg-1'))).toEqual(new Set([openRule, officeRule]));
  expect(cloud.changes).toBe(2);
});
