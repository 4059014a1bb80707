import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { projectRoot } from '../../../service/process/project-root.ts';
import { firebreakHere } from '../../command-line.ts';
import { alertNow, type Falco } from '../../platform/e2e/parts/alerts.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const folder = join(projectRoot(), 'test/fixtures/judgement');
let service: Service;
let namespace: string;

beforeAll(async () => {
  namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
  });
  await service.start();
});

afterAll(() => service?.stop());

/** Composed intrusions, and what some pods report on ordinary days; without what is about no pod. */
function recordedAlerts(): readonly Falco[] {
  const intrusions = readdirSync(join(folder, 'intrusions')).filter((file) => file.endsWith('.ndjson'));
  return [...intrusions.toSorted().map((file) => join('intrusions', file)), 'noise-excerpt.ndjson']
    .flatMap((file) => readFileSync(join(folder, file), 'utf8').trim().split('\n'))
    .map((line): Falco => JSON.parse(line))
    .filter((alert) => typeof alert.output_fields['k8s.pod.name'] === 'string');
}

const keyOf = ({ output_fields: { 'k8s.ns.name': where, 'k8s.pod.name': name } }: Falco): string =>
  `${String(where)}/${String(name)}`;

test('the service cuts off the pods that `firebreak assess` names, and no other one', async () => {
  const recorded = recordedAlerts();
  const keys = [...new Set(recorded.map(keyOf))];
  const names = keys.map((_, place) => `judged-${place}`);
  const [last, ...workloads] = await service.workloads.deploy(namespace, ['last', ...names]);
  if (!last) throw new Error('not deployed');
  const workloadOf = new Map(keys.map((key, place) => [key, workloads[place] as Workload]));
  const log: object[] = [];
  for (const alert of recorded) {
    const told = alertNow(workloadOf.get(keyOf(alert)) as Workload, alert);
    log.push(told);
    expect(await service.post([told])).toMatchObject({ status: 200 });
  }
  const file = join(service.folder, 'falco.ndjson');
  writeFileSync(file, log.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const { stdout } = await firebreakHere(['assess', file, '--profile', 'balanced', '--json'], { folder: service.folder });
  const decisions: readonly { readonly response: string; readonly namespace: string; readonly pod: string }[] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const named = decisions.filter(({ response }) => response === 'contain').map(({ namespace: where, pod }) => `${where}/${pod}`);
  expect(named.length).toBeGreaterThan(10);
  const contained = (): readonly string[] =>
    Object.keys(service.effects.counts('contain')).filter((pod) => pod.startsWith(`${namespace}/`));
  await until('all that are named', 120_000, () => named.every((pod) => contained().includes(pod)));
  // Whatever would have been cut off before it, is.
  await service.alert(last);
  await service.contained(last, 120_000);
  expect(contained().toSorted()).toEqual([...named, podOf(last)].toSorted());
  const left = workloads.map(podOf).filter((pod) => !named.includes(pod));
  expect(left.length).toBeGreaterThan(1);
});
