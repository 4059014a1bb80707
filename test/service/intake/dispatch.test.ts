import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, freshDirectory, openDoor, removeDirectory, until } from './parts/intake-fixture.ts';

const incident = 'incident/lab/shop/Deployment/web';
let doors: Door[] = [];

async function door(...call: Parameters<typeof openDoor>): Promise<Door> {
  const opened = await openDoor(...call);
  doors.push(opened);
  return opened;
}

afterEach(async () => {
  jest.restoreAllMocks();
  for (const { intake, directory } of doors) {
    await intake.stop(200);
    removeDirectory(directory);
  }
  doors = [];
});

/** Temporal fails several times in a row: the intake's pauses between its attempts grow to this. */
const soonAgain = { patience: { slowestRetryMs: 200 } };

/** From here on no storm window ends (a window lasts at least five seconds), so anything waiting for its end waits for ever. */
function keepWindowsOpen(): void {
  const inTime = globalThis.setTimeout;
  const wait = (work: () => void, ms?: number) => inTime(ms !== undefined && ms >= 5_000 ? () => undefined : work, ms);
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(Object.assign(wait, { __promisify__: inTime.__promisify__ }));
}

describe('the dispatcher', () => {
  test('starts an incident with the first alert and signals it with the next', async () => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway);
    expect((await post(JSON.stringify(falcoEvent()))).json).toMatchObject({ accepted: 1, items: [{ incident }] });
    await post(JSON.stringify(falcoEvent()));
    await until(() => gateway.counted(incident) === 2);
    expect(gateway.runs.get(incident)).toHaveLength(1);
    expect(gateway.starts[0]).toMatchObject({
      eager: true,
      priority: 4,
      searchAttributes: { FirebreakWorkload: 'Deployment/web', FirebreakNamespace: 'shop', FirebreakNode: 'node-7' },
    });
  });

  test('accepts an alert while Temporal hangs, and sends it when Temporal answers again', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.failing = 'down';
    const { post } = await door(gateway);
    for (let n = 0; n < 30; n += 1) expect((await post(JSON.stringify(falcoEvent()))).status).toBe(200);
    expect(gateway.batches(incident)).toHaveLength(0);
    gateway.failing = 'no';
    await until(() => gateway.counted(incident) === 30);
    expect(gateway.mostAtOnce).toBe(1);
  });

  test('counts an alert once if it was accepted but the answer was lost', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.failing = 'answer-lost';
    const { post } = await door(gateway, soonAgain);
    for (let n = 0; n < 10; n += 1) await post(JSON.stringify(falcoEvent()));
    await until(() => gateway.calls > 4);
    gateway.failing = 'no';
    await until(() => gateway.counted(incident) === 10);
    expect(gateway.runs.get(incident)).toHaveLength(1);
    const ids = gateway.batches(incident).map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(new Set(ids).size);
  });

  test('starts a new incident when the old one has ended, with the alerts whole', async () => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway);
    await post(JSON.stringify(falcoEvent()));
    await until(() => gateway.counted(incident) === 1);
    gateway.end(incident);
    await post(JSON.stringify(falcoEvent()));
    await until(() => gateway.counted(incident) === 2);
    const [, second] = gateway.runs.get(incident) ?? [];
    expect(second?.batches[0]?.alerts).toHaveLength(1);
  });

  test('waits and sends again while the run accepts no more signals', async () => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway, soonAgain);
    await post(JSON.stringify(falcoEvent()));
    await until(() => gateway.counted(incident) === 1);
    gateway.failing = 'limit';
    await post(JSON.stringify(falcoEvent()));
    await until(() => gateway.calls > 3);
    gateway.failing = 'no';
    await until(() => gateway.counted(incident) === 2);
  });

  test('does not make a new rule, pod or severity wait for the window of a storm', async () => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway);
    keepWindowsOpen();
    const storm = Array.from({ length: 1_500 }, () => falcoEvent());
    await post(JSON.stringify(storm));
    await until(() => gateway.counted(incident) > 0);
    await post(JSON.stringify(Array.from({ length: 50 }, () => falcoEvent())));
    await post(JSON.stringify(falcoEvent({ priority: 'Critical', rule: 'Drop and execute new binary in container' })));
    await until(() => gateway.batches(incident).some(({ alerts }) => alerts.some(({ severity }) => severity === 'critical')));
    const samples = gateway.batches(incident).flatMap(({ alerts }) => alerts);
    expect(samples.find(({ severity }) => severity === 'critical')?.rule).toBe('Drop and execute new binary in container');
  });

  test('passes on each of a hundred pods of one workload whole, at most twenty a batch, one call at a time', async () => {
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway);
    const letters = 'bcdfghjklm';
    const pods = Array.from({ length: 100 }, (_, n) => `web-6d4cf56db6-xxx${letters[Math.floor(n / 10)]}${letters[n % 10]}`);
    await post(JSON.stringify(pods.map((pod) => falcoEvent({}, { 'k8s.pod.name': pod }))));
    await until(() => gateway.counted(incident) === 100);
    const batches = gateway.batches(incident);
    expect(new Set(batches.flatMap(({ alerts }) => alerts.map(({ pod }) => pod?.name))).size).toBe(100);
    expect(Math.max(...batches.map(({ alerts }) => alerts.length))).toBeLessThanOrEqual(20);
    expect(gateway.mostAtOnce).toBe(1);
  });

  test('counts 20 000 alerts of one workload exactly, in few batches', async () => {
    const gateway = new FakeIncidentGateway();
    const { post, intake } = await door(gateway, { maxBytes: 1_000_000_000 });
    for (let n = 0; n < 20; n += 1) {
      const { status } = await post(Array.from({ length: 1_000 }, () => JSON.stringify(falcoEvent())).join('\n'));
      expect(status).toBe(200);
    }
    await intake.stop();
    expect(gateway.counted(incident)).toBe(20_000);
    expect(gateway.batches(incident).length).toBeLessThan(100);
  });

  test('sends the more severe first, even for an incident whose low alert is already waiting', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.delayMs = 60;
    const { post } = await door(gateway);
    const of = (workload: string, priority: string): string =>
      JSON.stringify(falcoEvent({ priority }, { 'k8s.pod.name': `${workload}-6d4cf56db6-xbcdf` }));
    const idOf = (workload: string): string => `incident/lab/shop/Deployment/${workload}`;
    await post(Array.from({ length: 40 }, (_, at) => of(`low${at}`, 'Notice')).join('\n'));
    await post([of('worse', 'Error'), of('low39', 'Critical')].join('\n'));
    await until(() => gateway.runs.size === 41);
    const order = [...gateway.runs.keys()];
    expect(order.indexOf(idOf('low39'))).toBeLessThan(20);
    expect(order.indexOf(idOf('worse'))).toBeLessThan(20);
    expect(order.indexOf(idOf('low38'))).toBeGreaterThan(order.indexOf(idOf('low20')));
    expect(gateway.counted(idOf('low39'))).toBe(2);
  });

  test('sends whatever waits for its window on a graceful stop', async () => {
    const gateway = new FakeIncidentGateway();
    const { post, intake } = await door(gateway);
    await post(JSON.stringify(Array.from({ length: 1_200 }, () => falcoEvent())));
    await until(() => gateway.counted(incident) === 1_200);
    await post(JSON.stringify(falcoEvent()));
    await intake.stop();
    expect(gateway.counted(incident)).toBe(1_201);
  });

  test('remembers after a restart what it accepted, and sends what it has not sent', async () => {
    const directory = freshDirectory();
    const down = new FakeIncidentGateway();
    down.failing = 'down';
    const first = await openDoor(down, { directory });
    const event = JSON.stringify(falcoEvent());
    await first.post(event);
    await first.intake.stop(50);
    const gateway = new FakeIncidentGateway();
    const { post } = await door(gateway, { directory });
    await until(() => gateway.counted(incident) === 1);
    expect((await post(event)).json).toMatchObject({ accepted: 0, duplicate: 1 });
    expect(gateway.counted(incident)).toBe(1);
  });

  test('starts no second incident for alerts that come again after theirs has ended: as a batch, in another order, after a restart', async () => {
    const directory = freshDirectory();
    const gateway = new FakeIncidentGateway();
    const first = await openDoor(gateway, { directory });
    const batch = [falcoEvent(), falcoEvent(), falcoEvent()];
    await first.post(JSON.stringify(batch));
    await until(() => gateway.counted(incident) === 3);
    gateway.end(incident);
    const reordered = batch.map((event) => Object.fromEntries(Object.entries(event).reverse())).reverse();
    for (const again of [batch, reordered, [batch[1]]])
      expect((await first.post(JSON.stringify(again))).json).toMatchObject({ accepted: 0, duplicate: again.length });
    await first.intake.stop();
    const { post, intake } = await door(gateway, { directory });
    expect((await post(JSON.stringify([...reordered, falcoEvent()]))).json).toMatchObject({ accepted: 1, duplicate: 3 });
    await intake.stop();
    // The new run holds only the new alert.
    expect(gateway.runs.get(incident)?.map(({ batches }) => batches.flatMap(({ alerts }) => alerts).length)).toEqual([3, 1]);
    expect(gateway.counted(incident)).toBe(4);
  });

  test('stops in time even if Temporal hangs; a late answer changes nothing, and the alert is sent again', async () => {
    const directory = freshDirectory();
    const slow = new FakeIncidentGateway();
    const answer = slow.hang();
    const first = await openDoor(slow, { directory });
    const alerts = Array.from({ length: 20 }, (_, n) => falcoEvent({}, { 'k8s.pod.name': `app${n}-6d4cf56db6-xbcdf` }));
    expect((await first.post(JSON.stringify(alerts))).status).toBe(200);
    // On a busy machine starts wait while senders are waiting.
    await until(() => slow.calls > 0);
    await first.intake.stop(20);
    expect(slow.starts).toEqual([]);
    answer();
    await until(() => slow.starts.length > 0 && slow.unanswered === 0);
    const gateway = new FakeIncidentGateway();
    await door(gateway, { directory });
    await until(() => gateway.starts.length === 20);
  });

  test('refuses a second process on the same spool', async () => {
    const { directory } = await door(new FakeIncidentGateway());
    await expect(openDoor(new FakeIncidentGateway(), { directory })).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
  });

  test('refuses alerts with 503 and Retry-After while the spool is full, and accepts them afterwards', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.failing = 'down';
    const { post } = await door(gateway, { maxBytes: 200_000, ...soonAgain });
    let answer = await post(JSON.stringify(falcoEvent()));
    for (let n = 0; n < 400 && answer.status === 200; n += 1) answer = await post(JSON.stringify(falcoEvent()));
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    gateway.failing = 'no';
    await until(() => gateway.counted(incident) > 0);
    await until(() => gateway.calls > 0);
    let again = 503;
    for (let n = 0; n < 200 && again !== 200; n += 1) {
      again = (await post(JSON.stringify(falcoEvent()))).status;
      await new Promise((done) => setTimeout(done, 25));
    }
    expect(again).toBe(200);
  });
});

test('a refusal of batches by Temporal is logged once for all incidents, and so is its end', async () => {
  const gateway = new FakeIncidentGateway();
  gateway.failing = 'down';
  const said: { readonly fields: object; readonly message: string }[] = [];
  const note = (fields: object, message: string): void => void said.push({ fields, message });
  const about = (part: string) => said.filter(({ message }) => message.includes(part));
  const { post } = await door(gateway, { log: { info: note, warn: note, error: note } });
  for (let n = 0; n < 20; n += 1)
    await post(JSON.stringify(falcoEvent({}, { 'k8s.pod.name': `w${'bcdfghjklmnpqrstvwxz'[n]}-6d4cf56db6-xbcdf` })));
  await until(() => gateway.calls >= 40);
  expect(about('Temporal did not accept a batch')).toMatchObject([{ fields: { detail: 'down', times: 1, forSeconds: 0 } }]);
  const real = Date.now;
  jest.spyOn(Date, 'now').mockImplementation(() => real() + 11_000);
  gateway.failing = 'no';
  await until(() => gateway.runs.size === 20, 20_000);
  expect(about('Temporal accepts all batches again')).toHaveLength(1);
});
