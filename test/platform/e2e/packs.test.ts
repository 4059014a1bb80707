import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readPack } from '../../../service/packs/pack-files.ts';
import { writePackFolder } from '../../pack-folder.ts';
import { testPlatform } from '../../platform.ts';
import { alertAbout } from './parts/alerts.ts';
import type { Workload } from './parts/cluster.ts';
import { Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const packFolder = mkdtempSync(join(tmpdir(), 'firebreak-e2e-pack-'));
let service: Service;
let workload: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  const folder = writePackFolder(packFolder);
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.novelty = { learningHours: 0 };
    config.packs = [{ folder, integrity: readPack({ folder }).integrity }];
    config.playbooks = { params: { 'acme/miner': { lease: '90m' } } };
  });
  await service.start();
  [workload] = (await service.workloads.deploy(namespace, ['mined'])) as [Workload];
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
