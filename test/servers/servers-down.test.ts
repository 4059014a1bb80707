import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { auditReport } from '../../service/commands/records/audit.ts';
import { podOf, until, type Workload } from '../platform/e2e/parts/cluster.ts';
import { containedAt, differences, ended, votedAt, voteUntilAccepted } from '../platform/e2e/parts/oracle.ts';
import { Chance, seedOf } from '../platform/e2e/parts/random.ts';
import { ana, labels, Service, spread } from '../platform/e2e/parts/service.ts';
import { ownPid, ownServers } from './own-servers.ts';

const seed = seedOf(process.env.FIREBREAK_E2E_SEED);
const chance = new Chance(seed);

let own: Awaited<ReturnType<typeof ownServers>>;
let service: Service;
const waiting: Workload[] = [];
const removed: Workload[] = [];
const measured: string[] = [];
let calm: NodeJS.Timeout;

const names = ['api', 'cart', 'mail', 'web'];
const deployed = async (count: number): Promise<readonly Workload[]> =>
  service.workloads.deploy(await service.workloads.namespace('e2e'), names.slice(0, count));

beforeAll(async () => {
  own = await ownServers();
  service = await Service.create(own.servers);
  calm = setInterval(() => service.slack.calm(), 200);
});

afterAll(async () => {
  clearInterval(calm);
  process.stdout.write(`servers down, seed ${seed}\n${measured.map((line) => `  ${line}\n`).join('')}`);
  await service?.stop();
  await own?.stop();
});

const killTemporal = (): void => {
  process.kill(ownPid(own.platform.temporal.pid, 'Temporal server'), 'SIGKILL');
};

describe('Temporal down', () => {
  test('when Firebreak starts: the pods are contained anyway, and their incidents adopt that once Temporal is back', async () => {
    const workloads = await deployed(2);
    killTemporal();
    await service.start();
    const sent = Date.now();
    expect((await service.alert(workloads[0] as Workload)).status).toBe(200);
    await until('a line in the log', 120_000, () => service.log.includes('waiting for Temporal'));
    expect((await service.alert(workloads[1] as Workload)).status).toBe(200);
    const times = await containedAt(service, workloads);
    measured.push(`contained while Temporal is away, after the first alert, ms: ${spread(times.map((at) => at - sent))}`);
    await sleep(chance.upTo(3_000));
    await own.platform.temporal.restart();
    for (const workload of workloads) {
      const { leases, steps } = await service.stateWhen('a lease', workload, 120_000, (state) => state.leases.length > 0);
      expect(leases).toMatchObject([{ action: 'quarantinePod', state: 'active' }]);
      expect(steps.filter(({ action }) => action === 'quarantinePod')).toHaveLength(1);
      expect(service.effects.of('contain', podOf(workload))).toHaveLength(1);
    }
    expect(service.isRunning).toBe(true);
    waiting.push(...workloads);
  });

  test('kill -9 between accept and containment', async () => {
    const lates: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const workloads = await deployed(4);
      const posted = await Promise.all(workloads.map((workload) => service.alert(workload)));
      expect(posted.map(({ status }) => status)).toEqual(workloads.map(() => 200));
      await sleep(chance.upTo(100));
      await own.platform.temporal.restart();
      const ready = Date.now();
      const times = await containedAt(service, workloads);
      lates.push(...times.map((at) => Math.max(0, at - ready)));
      waiting.push(...workloads);
    }
    measured.push(`Temporal’s restart to containment, ms: ${spread(lates)}`);
    expect(service.isRunning).toBe(true);
    for (const workload of waiting) await service.cardOf(workload);
  });

  test('kill -9 while a question is open: a click meanwhile is answered, and counts later', async () => {
    const workloads = waiting.splice(0, 2);
    killTemporal();
    for (const workload of workloads) {
      const before = service.slack.ephemerals(ana).length;
      const clicked = Date.now();
      expect((await service.click(workload, ana, labels.remove)).status).toBe(200);
      const answer = await until('an answer', 120_000, () => service.slack.ephemerals(ana)[before]);
      measured.push(`a click without Temporal is answered after ${Date.now() - clicked} ms: ${answer.text}`);
      expect(answer.text).toContain('click again');
    }
    await own.platform.temporal.restart();
    const ready = Date.now();
    await Promise.all(workloads.map((workload) => voteUntilAccepted(service, workload, ana, labels.remove)));
    const lates: number[] = [];
    for (const workload of workloads) lates.push((await votedAt(service, workload)) - ready);
    measured.push(`Temporal’s restart to vote counted, ms: ${spread(lates)}`);
    removed.push(...workloads);
  });

  test('and Firebreak is killed while it handles a click: the next process tells the person, whose second click counts', async () => {
    const [workload] = waiting.splice(0, 1) as [Workload];
    killTemporal();
    expect((await service.click(workload, ana, labels.remove)).status).toBe(200);
    await service.kill();
    await own.platform.temporal.restart();
    await service.start();
    await until('word of it', 120_000, () =>
      service.slack.ephemerals(ana).some(({ text }) => text.startsWith('Firebreak was restarted as you answered')),
    );
    await voteUntilAccepted(service, workload, ana, labels.remove);
    removed.push(workload);
  });

  test('kill -9 in the middle of rotating and deleting', async () => {
    for (let round = 0; round < 2; round += 1) {
      const workloads = waiting.splice(0, 4);
      await Promise.all(workloads.map((workload) => service.click(workload, ana, labels.remove)));
      await sleep(chance.upTo(1_200));
      await own.platform.temporal.restart();
      for (const workload of workloads) await voteUntilAccepted(service, workload, ana, labels.remove);
      await ended(service, workloads);
      removed.push(...workloads);
    }
    expect(service.isRunning).toBe(true);
  });
});

describe('the API server hangs', () => {
  test('a vote is still recorded, shown and answered, and an alert is accepted; what they ask for follows later', async () => {
    const voted = waiting.splice(0, 3);
    const fresh = await deployed(2);
    const pid = ownPid(own.platform.kubernetes.pids()['kube-apiserver'], 'API server');
    process.kill(pid, 'SIGSTOP');
    const lates: number[] = [];
    const shown: number[] = [];
    const answered: number[] = [];
    try {
      for (const workload of voted) {
        const before = service.slack.ephemerals(ana).length;
        const clicked = Date.now();
        expect((await service.click(workload, ana, labels.remove)).status).toBe(200);
        await until('an answer', 120_000, () =>
          service.slack
            .ephemerals(ana)
            .slice(before)
            .some(({ text }) => text.startsWith('Decided')),
        );
        answered.push(Date.now() - clicked);
        await until('the card’s edit', 120_000, () => service.cards(workload)[0]?.text.includes('decided by'));
        shown.push(Date.now() - clicked);
        lates.push((await votedAt(service, workload)) - clicked);
      }
      for (const workload of fresh) {
        const { status, ms } = await service.alert(workload);
        expect(status).toBe(200);
        measured.push(`an alert with the API server hanging is answered after ${Math.round(ms)} ms`);
      }
      await sleep(1_500);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const goes = Date.now();
    measured.push(
      `API server hangs: vote recorded, ms: ${spread(lates)}; answered: ${spread(answered)}; card edited: ${spread(shown)}`,
    );
    const times = await containedAt(service, fresh, 120_000);
    measured.push(`API server goes on to containment, ms: ${spread(times.map((at) => Math.max(0, at - goes)))}`);
    await ended(service, voted);
    removed.push(...voted);
    waiting.push(...fresh);
    for (const workload of fresh) await service.cardOf(workload, 120_000);
  });

  test('the API server confirms that nothing was lost and nothing done twice', async () => {
    await ended(service, removed);
    expect(differences(service, { all: [...removed, ...waiting], removed, released: [] })).toEqual([]);
    expect((await auditReport({ config: service.settings.configFile })).findings).toEqual([]);
  });
});
