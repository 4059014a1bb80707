import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testPlatform } from '../../platform.ts';
import { alertAbout } from './parts/alerts.ts';
import { podOf, until, type Workload } from './parts/cluster.ts';
import { votedAt } from './parts/oracle.ts';
import { ana, labels, Service } from './parts/service.ts';

const storm = 100_000;
const perBody = 2_000;
const bodiesAtOnce = 2;

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let workload: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
  });
  const [made] = await service.workloads.deploy(namespace, ['loud']);
  if (!made) throw new Error('not deployed');
  workload = made;
  await service.start();
});

afterAll(() => service?.stop());

describe('100 000 alerts while a question is open', () => {
  test('are all counted, by rule and with their times, while the history stays small, few messages are posted, and the vote works', async () => {
    expect((await service.alert(workload)).status).toBe(200);
    await service.cardOf(workload);
    const started = performance.now();
    const statuses = new Map<number, number>();
    let left = storm / perBody;
    await Promise.all(
      Array.from({ length: bodiesAtOnce }, async () => {
        while (left > 0) {
          left -= 1;
          const alerts = Array.from({ length: perBody }, () => alertAbout(workload));
          const { status } = await service.post(alerts);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    const postedMs = performance.now() - started;
    expect([...statuses.keys()]).toEqual([200]);
    const { total, counts } = await service.stateWhen('the count', workload, 90_000, (state) => state.total >= storm + 1);
    const countedMs = performance.now() - started;
    expect(total).toBe(storm + 1);
    const { world } = service.slack;
    const isDirect = (channel: string): boolean => world.channels.get(channel)?.directWith !== undefined;
    const seen = () => world.messages.filter(({ ephemeralFor }) => ephemeralFor === undefined);
    const posted = () => seen().filter(({ channel }) => !isDirect(channel));
    /** Each message has its key: a second one with the same key would be the same message twice. */
    const few = (atMost: number): void => {
      const texts = posted().map(({ metadata, text }) => `${metadata?.event_payload.key}: ${text}`);
      expect(texts.length > atMost ? texts : []).toEqual([]);
      expect(new Set(posted().map(({ metadata }) => metadata?.event_payload.key)).size).toBe(texts.length);
    };
    // Both times come from the sensor, in one format: as strings they sort by time.
    const [all] = counts;
    expect(counts).toEqual([expect.objectContaining({ severity: 'critical', count: storm + 1, pod: podOf(workload) })]);
    expect(all && all.firstSeen < all.lastSeen).toBe(true);
    // The card, the ticket and the question: the storm itself causes no messages, only edits.
    few(3);
    // Each person is told once, by a message of their own.
    const told = seen().flatMap(({ channel }) => (isDirect(channel) ? [channel] : []));
    expect(told.length).toBeGreaterThan(0);
    expect(new Set(told).size).toBe(told.length);

    const voteStarted = Date.now();
    expect((await service.click(workload, ana, labels.remove)).status).toBe(200);
    const votedMs = (await votedAt(service, workload)) - voteStarted;
    await until('the deletion', 120_000, () => service.effects.of('delete', podOf(workload)).length === 1);

    const { client } = await service.session();
    const { historyLength } = await client.workflow.getHandle(service.incidentOf(workload)).describe();
    const messages = posted().length;
    const edits = service.slack.calls.filter(({ method }) => method === 'chat.update').length;
    process.stdout.write(
      `${storm} alerts: taken in ${Math.round(postedMs)} ms (${Math.round(storm / (postedMs / 1_000))}/s), counted after ${Math.round(countedMs)} ms, ${historyLength} events, vote after ${votedMs} ms, ${messages} messages, ${edits} edits\n`,
    );
    expect(historyLength).toBeLessThan(4_096);
    few(5);
    expect(edits).toBeLessThanOrEqual(20);
    expect(service.effects.of('contain', podOf(workload))).toHaveLength(1);
    expect(service.ticketsOf(workload)).toBe(1);
    expect(service.isRunning).toBe(true);
  });
});
