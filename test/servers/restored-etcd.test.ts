import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { names } from '../../core/cluster/labels.ts';
import { isRunning } from '../../integrations/running-process.ts';
import { callKubernetes, readAccess } from '../../tools/platform/kubernetes/kubernetes-api.ts';
import { until, type Workload } from '../platform/e2e/parts/cluster.ts';
import { Service } from '../platform/e2e/parts/service.ts';
import { ownPid, ownServers } from './own-servers.ts';

let own: Awaited<ReturnType<typeof ownServers>>;
let service: Service;
let held: Workload;
let later: Workload;

beforeAll(async () => {
  own = await ownServers();
  service = await Service.create(own.servers);
  await service.start();
  [held, later] = (await service.workloads.deploy(await service.workloads.namespace('e2e'), ['held', 'later'])) as [
    Workload,
    Workload,
  ];
});

afterAll(async () => {
  await service?.stop();
  await own?.stop();
});

const etcdFolder = (): string => join(own.folder, 'kubernetes', 'etcd');
const backup = (): string => join(own.folder, 'etcd-backup');

/** Copies the files of etcd while it is stopped. */
async function whileStopped(copy: () => void): Promise<void> {
  const { kubernetes } = own.platform;
  const etcd = ownPid(kubernetes.pids().etcd, 'etcd');
  process.kill(etcd, 'SIGKILL');
  await until('the end of etcd', 120_000, () => !isRunning(etcd));
  copy();
  // As its documentation says: whatever keeps what it has read is restarted with it.
  for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kwok'] as const)
    await kubernetes.restart(name);
}

test('etcd restored from a backup that is older than a containment: it is contained again, and later alerts are answered', async () => {
  await whileStopped(() => cpSync(etcdFolder(), backup(), { recursive: true }));
  await service.alert(held);
  await service.contained(held, 120_000);
  const { [names.beforeAnnotation]: note } = (await service.workloads.podMetadata(held)).annotations ?? {};
  expect(note).toContain('"mac"');
  const access = readAccess(own.servers.kubeconfig);
  const path = `/api/v1/namespaces/${held.namespace}/pods/${later.pod}`;
  // Much happens in the cluster before it is restored: its version is not reached again soon.
  for (let at = 0; at < 500; at += 1)
    await callKubernetes({ access, method: 'PATCH', path, body: { metadata: { annotations: { at: String(at) } } } });
  await whileStopped(() => {
    rmSync(etcdFolder(), { recursive: true });
    cpSync(backup(), etcdFolder(), { recursive: true });
  });
  expect((await service.workloads.podMetadata(later)).annotations ?? {}).not.toHaveProperty('at');
  await until('the quarantine again', 120_000, async () => {
    const { annotations } = await service.workloads.podMetadata(held);
    return annotations?.[names.beforeAnnotation] === note;
  });
  expect(service.log).toMatch(/warn.*as after a restore of etcd/);
  await service.alert(later);
  await service.contained(later, 120_000);
});
