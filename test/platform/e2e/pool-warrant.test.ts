import { beforeAll, describe, expect, test } from '@jest/globals';
import { testPlatform } from '../../platform.ts';
import { podOf, until, type Workload } from './parts/cluster.ts';
import { ana, labels, type SecondProcess, Service } from './parts/service.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace, cleanUp } = await testPlatform();
const minute = 60_000;
let service: Service;
let pool: SecondProcess | undefined;
let workload: Workload | undefined;

/** The person on call hands over in a quarter of an hour. */
function handingOver(config: Record<string, unknown>): void {
  const at = (minutes: number): string => new Date(Date.now() + minutes * minute).toISOString();
  const entries = [
    { person: 'ada', from: at(-600), until: at(15) },
    { person: 'grace', from: at(15), until: at(600) },
  ];
  config.roster = { ...(config.roster as object), schedules: { oncall: { timeZone: 'UTC', entries } } };
}

/** It has its own memory: a folder next to the cell's. */
const startPool = (): Promise<SecondProcess> =>
  service.startProcess({ name: 'secrets-pool', roles: 'secrets', change: () => undefined });

const linesOf = async (cart: Workload): Promise<readonly string[]> =>
  ((await service.state(cart))?.timeline ?? []).map(({ kind, text }) => `${kind}: ${text}`);

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    handingOver(config);
  });
  [workload] = await service.workloads.deploy(namespace, ['cart'], {});
  service.keepTo('cell,desk');
  await service.start();
  pool = await startPool();
});

cleanUp(async () => {
  await pool?.end('SIGTERM');
  await service?.stop();
});

describe('a pool in a process of its own', () => {
  test('does what was approved before the hand-over, on the cell’s warrant, even though it was down meanwhile', async () => {
    const cart = workload;
    if (!cart) throw new Error('not deployed');
    await service.alert(cart);
    // It plans what people are asked about, and is down when they answer.
    await service.cardOf(cart);
    await pool?.end('SIGKILL');
    await service.click(cart, ana, labels.remove);
    await until('the decision', 120_000, async () => (await linesOf(cart)).some((line) => line.startsWith('question.decided')));
    await service.kill();
    service.setClocksAhead(20 * minute);
    await service.start();
    pool = await startPool();
    await until('the deletion', 120_000, () => service.effects.of('delete', podOf(cart)).length === 1);
    const lines = await linesOf(cart);
    expect(lines.filter((line) => line.startsWith('step.failed'))).toEqual([]);
    expect(lines.some((line) => line.startsWith('step.checked: rotateSecret'))).toBe(true);
    expect(pool.log()).toContain('apply rotateSecret');
  });
});
