import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { subjectOf } from '../../../core/alert/subject.ts';
import { batchOfOne } from '../../../service/intake/send/batch.ts';
import { Delivery } from '../../../service/intake/send/delivery.ts';
import { IncidentLine } from '../../../service/intake/send/incident-line.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { alertOf } from '../../testing/alert-of.ts';
import { silent as log } from './parts/intake-fixture.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the way to Temporal', () => {
  test('begins a storm with two calls, but sends everything critical at once', async () => {
    const delivery = new Delivery({ gateway: new FakeIncidentGateway(), log });
    const { promise: answer, resolve } = Promise.withResolvers<void>();
    let [low, critical] = [0, 0];
    const all = Array.from({ length: 20 }, (_, n) => [
      delivery.inTurn(`low ${n}`, 'low', () => {
        low += 1;
        return answer;
      }),
      delivery.inTurn(`critical ${n}`, 'critical', () => {
        critical += 1;
        return answer;
      }),
    ]);
    expect([low, critical]).toEqual([2, 20]);
    resolve();
    await Promise.all(all.flat());
    expect([low, critical]).toEqual([20, 20]);
  });

  test('gathers repeats for longer the more of them exceed twenty a second over all incidents, up to fifty times', async () => {
    const gateway = new FakeIncidentGateway();
    gateway.signal = async () => ({ kind: 'signalled' });
    const delivery = new Delivery({ gateway, log });
    const line = new IncidentLine('incident/lab/shop/Deployment/web');
    line.opened('run');
    const alert = alertOf();
    const entry = { alert, subject: subjectOf(alert), receivedAt: new Date().toISOString() };
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now);
    const timesAfter = async (signals: number): Promise<number> => {
      for (let n = 0; n < signals; n += 1) await delivery.fromSpool(line, batchOfOne({ place: 1, entry }));
      return delivery.windowOf(line) / line.windowMs;
    };
    expect(await timesAfter(20)).toBe(1);
    expect(await timesAfter(180)).toBe(10);
    expect(await timesAfter(1_000)).toBe(50);
  });

  test('starts only what is critical while the cell is busy', async () => {
    const gateway = new FakeIncidentGateway();
    let isBusy = true;
    const delivery = new Delivery({ gateway, log, isBusy: () => isBusy });
    const sent: string[] = [];
    const send = async (severity: 'critical' | 'low') => {
      const alert = alertOf({ severity });
      const entry = { alert, subject: subjectOf(alert), receivedAt: new Date().toISOString() };
      const line = new IncidentLine(`incident/lab/shop/Deployment/${severity}`);
      await delivery.inTurn(line.id, severity, () => delivery.fromSpool(line, batchOfOne({ place: 1, entry })));
      sent.push(severity);
    };
    const low = send('low');
    await send('critical');
    await sleep(200);
    expect(sent).toEqual(['critical']);
    isBusy = false;
    await low;
    expect(sent).toEqual(['critical', 'low']);
  });

  test('starts no incident of a contained pod while the cell is busy, for half a minute at most; open incidents are told at once', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
    let isBusy = true;
    const gateway = new FakeIncidentGateway();
    gateway.signal = async () => ({ kind: 'signalled' });
    const headStart = { wants: () => true, begin: async () => 'contained' as const, orphans: () => 0 };
    const delivery = new Delivery({ gateway, log, headStart, isBusy: () => isBusy });
    const sent: string[] = [];
    const send = async (name: string, isOpen = false) => {
      const alert = alertOf({ severity: 'critical' });
      const entry = { alert, subject: subjectOf(alert), receivedAt: new Date().toISOString() };
      const line = new IncidentLine(`incident/lab/shop/Deployment/${name}`);
      if (isOpen) line.opened('run');
      await delivery.fromSpool(line, batchOfOne({ place: 1, entry }));
      sent.push(name);
    };
    const first = send('first');
    await send('open', true);
    clock.mockReturnValue(29_000);
    await sleep(200);
    expect(sent).toEqual(['open']);
    clock.mockReturnValue(30_001);
    await first;
    const second = send('second');
    await sleep(200);
    expect(sent).toEqual(['open', 'first']);
    isBusy = false;
    await second;
    expect(sent).toEqual(['open', 'first', 'second']);
  });
});
