import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { auditReport } from '../../../service/commands/records/audit.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { differences, voteUntilAccepted } from '../../platform/e2e/parts/oracle.ts';
import { Chance, seedOf } from '../../platform/e2e/parts/random.ts';
import { ana, ben, labels, Service, spread } from '../../platform/e2e/parts/service.ts';
import { ownServers } from '../../servers/own-servers.ts';

const seed = seedOf(process.env.FIREBREAK_E2E_SEED);
const chance = new Chance(seed);
const canary = 'canary-in-the-command-line-7f3a';
const atOnce = 4;

let own: Awaited<ReturnType<typeof ownServers>>;
let service: Service;
/** Workloads with an open question. */
const waiting: Workload[] = [];
const removed: Workload[] = [];
const released: Workload[] = [];
const measured: string[] = [];
let calm: NodeJS.Timeout;

const take = (count: number): readonly Workload[] => waiting.splice(0, count);

beforeAll(async () => {
  own = await ownServers();
  service = await Service.create(own.servers);
  // Slack's rate limit is not what is tested here.
  calm = setInterval(() => service.slack.calm(), 200);
  await service.start();
});

afterAll(async () => {
  clearInterval(calm);
  process.stdout.write(`kill -9 of Firebreak, seed ${seed}\n${measured.map((line) => `  ${line}\n`).join('')}`);
  await service?.stop();
  await own?.stop();
});

describe('kill -9 of Firebreak', () => {
  test('between accept and containment: every pod is contained, once, after the restart', async () => {
    const lates: number[] = [];
    const fromAlert: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const namespace = await service.workloads.namespace('e2e');
      const workloads = await service.workloads.deploy(namespace, ['api', 'cart', 'mail', 'web'].slice(0, atOnce));
      const sentAt = Date.now();
      const posted = await Promise.all(
        workloads.map((workload) => service.alert(workload, 'binary', { commandLine: `psql --password=${canary} -h db` })),
      );
      expect(posted.map(({ status }) => status)).toEqual(workloads.map(() => 200));
      // Within the head start, or while the incident finds it done.
      await service.killAfter(chance.upTo(round % 2 === 0 ? 8 : 150));
      const before = service.effects.all().filter(({ kind }) => kind === 'contain').length;
      const ready = await service.start();
      for (const workload of workloads) {
        const { at } = await service.contained(workload, 120_000);
        lates.push(Math.max(0, at - ready));
        fromAlert.push(at - sentAt);
      }
      measured.push(`round ${round}: ${before - round * atOnce} of ${atOnce} contained before the kill`);
      waiting.push(...workloads);
    }
    measured.push(
      `restart to containment, ms: ${spread(lates)}`,
      `alert to containment, restart included, ms: ${spread(fromAlert)}`,
    );
    // Slack accepts one message a second: the questions of sixteen incidents at once arrive one after another.
    for (const workload of waiting) await service.cardOf(workload, 120_000);
  });

  test('while a question is open: a click meanwhile is refused, and the same click afterwards counts', async () => {
    const workloads = take(4);
    await service.kill();
    for (const workload of workloads) expect((await service.click(workload, ana, labels.remove)).status).not.toBe(200);
    const ready = await service.start();
    const lates: number[] = [];
    for (const workload of workloads) {
      const { status } = await service.click(workload, ana, labels.remove);
      expect(status).toBe(200);
    }
    for (const workload of workloads) {
      const { timeline } = await service.stateWhen('the vote', workload, 120_000, (state) =>
        state.timeline.some(({ kind }) => kind === 'vote.accepted'),
      );
      lates.push(Date.parse(timeline.find(({ kind }) => kind === 'vote.accepted')?.at ?? '') - ready);
    }
    measured.push(`restart to vote counted, ms: ${spread(lates)}`);
    removed.push(...workloads);
  });

  test('between two votes that are both needed: the first is not asked for again', async () => {
    const workloads = take(2);
    for (const workload of workloads) await voteUntilAccepted(service, workload, ana, labels.release);
    for (const workload of workloads)
      await service.stateWhen('the first vote', workload, 120_000, ({ timeline }) =>
        timeline.some(({ kind }) => kind === 'vote.accepted'),
      );
    await service.kill();
    await service.start();
    for (const workload of workloads) await voteUntilAccepted(service, workload, ben, labels.release);
    for (const workload of workloads)
      await until('the release', 120_000, () => service.effects.of('give-back', podOf(workload)).length > 0);
    released.push(...workloads);
  });

  test('in the middle of rotating and deleting: everything is completed', async () => {
    const ends: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      const workloads = take(atOnce);
      const clicks = workloads.map((workload) => service.click(workload, ana, labels.remove));
      await Promise.all(clicks);
      await service.killAfter(chance.upTo(1_200));
      const ready = await service.start();
      for (const workload of workloads) await voteUntilAccepted(service, workload, ana, labels.remove);
      for (const workload of workloads) {
        const [effect] = await until(`the deletion for ${workload.name}`, 120_000, () => {
          const effects = service.effects.of('delete', podOf(workload));
          return effects.length > 0 && effects;
        });
        if (effect) ends.push(Math.max(0, effect.at - ready));
      }
      removed.push(...workloads);
    }
    measured.push(`restart to deletion, after rotation and roll-out, ms: ${spread(ends)}`);
  });

  test('the API server confirms that nothing was lost and nothing done twice', async () => {
    for (const workload of removed) {
      await service.stateWhen('its end', workload, 120_000, ({ bodies }) => bodies.every(({ state }) => state === 'done'));
    }
    expect(differences(service, { all: [...removed, ...released, ...waiting], removed, released })).toEqual([]);
    expect((await auditReport({ config: service.settings.configFile })).findings).toEqual([]);
  });

  test('no secret is in Temporal’s database, the records, the log, the spool or Slack', async () => {
    const { folder } = service.settings;
    const state = join(folder, 'state');
    const files = [join(own.folder, 'temporal'), join(state, 'spool'), join(state, 'evidence'), state, folder].flatMap((where) =>
      readdirSync(where, { withFileTypes: true, recursive: where.endsWith('evidence') }).flatMap((entry) =>
        entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
      ),
    );
    for (const name of ['temporal.db', 'audit.db', 'data.mdb', 'firebreak.log'])
      expect(files.some((file) => file.endsWith(name))).toBe(true);
    const secrets = [canary, ...[...removed, ...released, ...waiting].map(({ secretValue }) => secretValue)];
    const wanted = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '')]);
    const places: readonly (readonly [string, Buffer])[] = [
      ...files.map((file) => [file, readFileSync(file)] as const),
      ['Slack', Buffer.from(JSON.stringify(service.slack.world.messages))],
      ['GitHub', Buffer.from(JSON.stringify(service.github.store.all()))],
    ];
    const found = places.flatMap(([place, bytes]) =>
      wanted.filter((secret) => bytes.includes(secret)).map((secret) => `${secret} in ${place}`),
    );
    expect(found).toEqual([]);
  });
});
