import { describe, expect, test } from '@jest/globals';
import type { EffectLook } from '../../../core/incident/effect.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const minute = 60_000;
const twice = { effectChecksMs: [10 * minute, 60 * minute] };

function lookOf(over: Partial<EffectLook> = {}): EffectLook {
  return {
    outcome: 'no-alerts',
    at: '2026-11-24T22:00:00.000Z',
    since: '2026-11-24T21:50:00.000Z',
    alerts: { counts: {} },
    problems: [],
    pods: { there: 1, of: 1 },
    restarts: 0,
    workload: { name: 'deployment/shop/cart', before: { ready: 2, pods: 2 }, now: { ready: 1, pods: 2 } },
    warnings: { total: 0, reasons: {} },
    unknown: ['whether connections live'],
    ...over,
  };
}

const recordsOf = (id: string) => lab.seen.records.filter(({ kind, chain }) => kind === 'effect.checked' && chain.startsWith(id));
const isQuarantined = ({ leases }: IncidentState) =>
  leases.some(({ action, state }) => action === 'quarantinePod' && state === 'active');
const quarantineIn = ({ steps }: IncidentState) => steps.find(({ action }) => action === 'quarantinePod');

describe('some time after a quarantine', () => {
  test('the cell checks twice whether it has helped, and the incident says so on record, in the thread and on the card', async () => {
    const asked: string[] = [];
    script.lookAtEffect = ({ key }) => {
      asked.push(key);
      return asked.length === 1
        ? lookOf()
        : lookOf({ outcome: 'alerts-continue', alerts: { counts: { high: 3 }, lastAt: '2026-11-24T21:59:00.000Z' } });
    };
    const incident = await lab.start([alertOf()], twice);
    await incident.until(isQuarantined, 'the quarantine');
    await lab.env.sleep('61m');
    await lab.eventually('the records of both looks', async () => recordsOf(incident.id).length === 2);
    const step = quarantineIn(await incident.state());
    expect(asked).toEqual([step?.key, step?.key]);
    expect(recordsOf(incident.id).map(({ body }) => [body.afterMs, body.effect])).toMatchObject([
      [10 * minute, { outcome: 'no-alerts' }],
      [60 * minute, { outcome: 'alerts-continue' }],
    ]);
    expect(String(recordsOf(incident.id)[0]?.body.text)).toBe(
      '10 minutes after quarantinePod on pod/shop/cart-1: No alert has come from it since. The quarantine is in force. cart has 1 of 2 pods ready, 2 of 2 before. Not known: whether connections live.',
    );
    const lines = () => lab.seen.threads.filter((text) => text.includes('after cart-1 was quarantined'));
    await lab.eventually('both lines of the thread', () => lines().length === 2);
    expect(lines()).toEqual([
      '10 minutes after cart-1 was quarantined: No alert has come from it since. The quarantine is in force. cart has 1 of 2 pods ready, 2 of 2 before.',
      '1 hour after cart-1 was quarantined: Alerts still come from it: 3 high since, the last 1 minute ago. The quarantine is in force. cart has 1 of 2 pods ready, 2 of 2 before.',
    ]);
    expect(step?.effect).toMatchObject({ afterMs: 60 * minute, look: { outcome: 'alerts-continue' } });
    await lab.eventually('the card', async () =>
      lab.seen.cards.some(
        ({ incident: of, contained }) =>
          of.id === incident.id && contained[0]?.effect?.startsWith('1 hour later: Alerts still come'),
      ),
    );
    // It decides nothing.
    expect(await incident.state()).toMatchObject({ severity: 'critical', verdict: 'unknown' });
  });

  test('everything it says then is sent in one task: it may be read again for each', async () => {
    script.lookAtEffect = () => lookOf();
    const incident = await lab.start([alertOf()], { effectChecksMs: [10 * minute] });
    await incident.until(isQuarantined, 'the quarantine');
    await lab.env.sleep('11m');
    await lab.eventually('the record', async () => recordsOf(incident.id).length === 1);
    const calls = lab.run(incident).called;
    const after = calls.slice(calls.findIndex(({ name }) => name === 'lookAtEffect') + 1);
    expect(new Set(after.map(({ name }) => name))).toEqual(new Set(['recordAudit', 'postInThread', 'updateQuestion']));
    expect(new Set(after.map(({ task }) => task)).size).toBe(1);
  });

  test('two of one incident are reported in one line of the thread', async () => {
    script.lookAtEffect = () => lookOf();
    const incident = await lab.start([alertOf(), alertOf({ n: 2 })], { effectChecksMs: [10 * minute] });
    await incident.until(({ leases }) => leases.filter(({ state }) => state === 'active').length === 2, 'both quarantines');
    await lab.env.sleep('11m');
    await lab.eventually('both records', async () => recordsOf(incident.id).length === 2);
    const told = await lab.eventually('the line', () =>
      lab.seen.threads.find((text) => ['cart-1', 'cart-2'].every((pod) => text.includes(`after ${pod} was quarantined`))),
    );
    expect(told.split('\n')).toHaveLength(2);
  });

  test('what was undone before is no longer checked, and that is on record', async () => {
    script.lookAtEffect = () => lookOf();
    const incident = await lab.start([alertOf()], twice);
    await incident.until(isQuarantined, 'the quarantine');
    await lab.env.sleep('11m');
    await lab.eventually('the record of the first look', async () => recordsOf(incident.id).length === 1);
    const lease = (await incident.state()).leases[0];
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    await incident.until(({ leases }) => leases.some(({ id, state }) => id === lease?.id && state === 'released'), 'the release');
    await lab.eventually('that it is over', async () => recordsOf(incident.id).length === 2);
    expect(recordsOf(incident.id)[1]?.body).toMatchObject({
      text: '1 hour after quarantinePod on pod/shop/cart-1: not checked: it had already ended (as before)',
    });
    expect(recordsOf(incident.id)[1]?.body.effect).toBeUndefined();
  });

  test('if the cell cannot check, that is on record and in the thread, and the incident goes on', async () => {
    script.lookAtEffect = () => refuse('FB_ERR_UNAVAILABLE', 'the cell is not there');
    const incident = await lab.start([alertOf()], { effectChecksMs: [10 * minute] });
    await incident.until(isQuarantined, 'the quarantine');
    await lab.env.sleep('11m');
    await lab.eventually('the record', async () => recordsOf(incident.id).length === 1);
    expect(recordsOf(incident.id)[0]?.body.text).toBe(
      '10 minutes after quarantinePod on pod/shop/cart-1: could not be checked: the cell is not there',
    );
    expect(quarantineIn(await incident.state())?.effect).toBeUndefined();
    expect(isQuarantined(await incident.state())).toBe(true);
    await lab.eventually('a line of it in the thread', async () =>
      lab.seen.threads.includes('10 minutes after cart-1 was quarantined: could not be checked: the cell is not there'),
    );
  });

  test('nothing is checked if the configuration sets no time for it', async () => {
    let looks = 0;
    script.lookAtEffect = () => {
      looks += 1;
      return lookOf();
    };
    const incident = await lab.start([alertOf()]);
    await incident.until(isQuarantined, 'the quarantine');
    await lab.env.sleep('61m');
    await incident.state();
    expect(looks).toBe(0);
  });
});
