import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { projectRoot } from '../../../../service/process/project-root.ts';
import { firebreakHere } from '../../../command-line.ts';
import { alertNow, type Falco } from './alerts.ts';
import type { Workload } from './cluster.ts';
import type { Service } from './service.ts';

/** What was replayed, and what `firebreak assess` says about it in the profile `balanced`. */
interface Replayed {
  readonly workloads: readonly Workload[];
  /** `namespace/pod` of those that would be contained. */
  readonly named: readonly string[];
}

const folder = join(projectRoot(), 'test/fixtures/judgement');

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

/** Sends the recorded alerts to the service, each pod of theirs as one of a workload of its own in this namespace. */
export async function replayRecorded(service: Service, namespace: string): Promise<Replayed> {
  const recorded = recordedAlerts();
  const keys = [...new Set(recorded.map(keyOf))];
  const workloads = await service.workloads.deploy(
    namespace,
    keys.map((_, place) => `judged-${place}`),
  );
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
  return { workloads, named };
}
