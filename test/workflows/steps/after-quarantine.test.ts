import { describe, expect, test } from '@jest/globals';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { workloadPlaybooks } from '../../playbooks/workload-playbook.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab({ playbooks: workloadPlaybooks });

const both = { afterQuarantine: ['cutConnections', 'probeQuarantine'] };
const stepOf = (state: IncidentState, action: string) => state.steps.find((step) => step.action === action);
const done = (incident: RunningIncident, action: string) =>
  lab.seen.applied.filter((call) => call.incident.id === incident.id && call.action === action);

describe('what follows a quarantine', () => {
  test('cuts connections and probes on its own, and verifies the quarantine with the result', async () => {
    script['verify:cutConnections'] = async () => ({ state: 'verified', detail: '2 entries dropped' });
    script['verify:probeQuarantine'] = async () => ({ state: 'verified', detail: 'nobody answers' });
    const incident = await lab.start([alertOf()], both);
    const state = await incident.until((now) => stepOf(now, 'quarantinePod')?.state === 'verified', 'the verified quarantine');
    expect(stepOf(state, 'quarantinePod')?.detail).toBe('nobody answers; what was open has been cut');
    expect(done(incident, 'cutConnections')).toMatchObject([{ input: { pod: { uid: 'uid-1' } } }]);
    expect(state.leases.map(({ action }) => action)).toEqual(['quarantinePod']);
  });

  test('says on the card and on the record what was turned on and cannot work, and does the rest', async () => {
    script['verify:probeQuarantine'] = async () => ({ state: 'verified', detail: 'nobody answers' });
    const incident = await lab.start([alertOf()], { ...both, unavailable: ['cutConnections'] });
    const state = await incident.until((now) => stepOf(now, 'quarantinePod')?.state === 'verified', 'the verified quarantine');
    expect(stepOf(state, 'quarantinePod')?.detail).toBe(
      'nobody answers; established connections may survive; not done: cutConnections cannot work as configured',
    );
    expect(done(incident, 'cutConnections')).toEqual([]);
    expect(state.timeline.find(({ kind }) => kind === 'step.unavailable')?.text).toContain('cutConnections is turned on');
  });

  test('says so, too, where nothing else follows', async () => {
    const incident = await lab.start([alertOf()], { afterQuarantine: ['cutConnections'], unavailable: ['cutConnections'] });
    const state = await incident.until(
      (now) => stepOf(now, 'quarantinePod')?.detail?.includes('not done') === true,
      'what was not done',
    );
    expect(stepOf(state, 'quarantinePod')).toMatchObject({
      state: 'unverified',
      verification: {
        state: 'unverified',
        detail: expect.stringMatching(/; not done: cutConnections cannot work as configured$/),
      },
    });
    await incident.until(
      () => lab.seen.cards.some((card) => JSON.stringify(card).includes('cutConnections cannot work as configured')),
      'the card',
    );
  });

  test('does not delay the question while it is under way', async () => {
    let goOn = () => {};
    script.cutConnections = () =>
      new Promise((resolve) => {
        goOn = () => resolve(undefined);
      });
    const incident = await lab.start([alertOf()], both);
    const asked = await incident.question();
    expect(asked.question.choices).toHaveLength(3);
    expect(stepOf(await incident.state(), 'cutConnections')?.state).toBe('running');
    goOn();
    await incident.until((now) => stepOf(now, 'probeQuarantine')?.state === 'unverified', 'the end of the probe');
  });

  test('says that connections may be alive if the cut failed, and that the quarantine does not hold if the probe got through', async () => {
    script.cutConnections = async () => refuse('FB_ERR_REFUSED', 'no tools are configured');
    script['verify:probeQuarantine'] = async ({ input }) =>
      JSON.stringify(input).includes('uid-1')
        ? { state: 'verified', detail: 'nobody answers' }
        : { state: 'partial', detail: 'the quarantine does not hold', missing: [] };
    const incident = await lab.start([alertOf({ n: 1 }), alertOf({ n: 2 })], both);
    const state = await incident.until(
      (now) =>
        now.steps.filter(({ action, state: at }) => action === 'quarantinePod' && (at === 'verified' || at === 'partial'))
          .length === 2,
      'both quarantines',
    );
    const found = state.steps.filter(({ action }) => action === 'quarantinePod').map(({ state: at, detail }) => [at, detail]);
    expect(found.sort()).toEqual([
      ['partial', 'the quarantine does not hold'],
      ['verified', 'nobody answers; established connections may survive'],
    ]);
  });

  test('is nothing if the cell has not turned it on', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.question();
    expect(done(incident, 'probeQuarantine')).toEqual([]);
    expect(stepOf(await incident.state(), 'quarantinePod')?.state).toBe('unverified');
  });

  test('appears in the timeline in words that do not claim more than was found', async () => {
    script['verify:probeQuarantine'] = async () => ({ state: 'verified', detail: 'nobody answers' });
    const incident = await lab.start([alertOf()], both);
    const state = await incident.until((now) => stepOf(now, 'quarantinePod')?.state === 'verified', 'the verified quarantine');
    const told = state.timeline.filter(({ text }) => text.startsWith('quarantinePod on pod/shop/cart-1: '));
    expect(told.map(({ kind, text }) => `${kind} ${text.split(': ')[1]}`)).toEqual([
      expect.stringMatching(/^step\.checked unverified /),
      expect.stringMatching(/^step\.checked verified /),
    ]);
  });
});

describe('what follows the quarantine of a workload', () => {
  const pods = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ namespace: 'shop', name: `cart-${at + 1}`, uid: `uid-${at + 1}` }));
  const quarantined = (count: number) => {
    script.quarantineWorkload = async () => ({ pods: pods(count), exceptions: ['it may still ask DNS'] });
    return lab.start([alertOf()], { ...both, playbooks: ['quarantine-the-workload'] });
  };
  const settled = (incident: RunningIncident, detail: string) =>
    incident.until((now) => stepOf(now, 'quarantineWorkload')?.detail.includes(detail) ?? false, detail);

  test('cuts and probes at each of its pods, and verifies it only if each was proven', async () => {
    script['verify:cutConnections'] = async () => ({ state: 'verified', detail: '2 entries dropped' });
    script['verify:probeQuarantine'] = async () => ({ state: 'verified', detail: 'nobody answers' });
    const incident = await quarantined(6);
    const state = await settled(incident, 'tried at each of 6 pods; what was open has been cut; it may still ask DNS');
    expect(stepOf(state, 'quarantineWorkload')?.state).toBe('verified');
    const uids = done(incident, 'cutConnections').map(({ input }) => (input as { pod: { uid: string } }).pod.uid);
    expect(uids.sort()).toEqual(pods(6).map(({ uid }) => uid));
    expect(state.leases.map(({ action }) => action)).toEqual(['quarantineWorkload']);
  });

  test('names the pod whose quarantine does not hold', async () => {
    script['verify:probeQuarantine'] = async ({ input }) =>
      JSON.stringify(input).includes('uid-2')
        ? { state: 'partial', detail: 'the quarantine does not hold', missing: ['pod/shop/cart-2'] }
        : { state: 'verified', detail: 'nobody answers' };
    const state = await settled(await quarantined(3), 'does not hold');
    expect(stepOf(state, 'quarantineWorkload')?.verification).toEqual({
      state: 'partial',
      detail: 'pod/shop/cart-2: the quarantine does not hold',
      missing: ['pod/shop/cart-2'],
    });
  });

  test('says for how many pods connections may be alive, and what proved nothing', async () => {
    script.cutConnections = async ({ input }) => {
      if (JSON.stringify(input).includes('uid-1')) refuse('FB_ERR_REFUSED', 'no tools are configured');
    };
    script['verify:cutConnections'] = async () => ({ state: 'verified', detail: '2 entries dropped' });
    script['verify:probeQuarantine'] = async ({ input }) =>
      JSON.stringify(input).includes('uid-2')
        ? { state: 'unverified', detail: 'two Firebreak pods cannot reach each other either' }
        : { state: 'verified', detail: 'nobody answers' };
    const state = await settled(await quarantined(2), 'established connections may survive in 1 of 2 pods');
    expect(stepOf(state, 'quarantineWorkload')).toMatchObject({
      state: 'unverified',
      detail:
        'applied; tried at 1 of 2 pods, which hold; pod/shop/cart-2: a probe proved nothing: two Firebreak pods cannot reach each other either; established connections may survive in 1 of 2 pods; it may still ask DNS',
    });
  });

  test('looks at twenty pods at most, and says that it did not look at the others', async () => {
    script['verify:cutConnections'] = async () => ({ state: 'verified', detail: '2 entries dropped' });
    script['verify:probeQuarantine'] = async () => ({ state: 'verified', detail: 'nobody answers' });
    const incident = await quarantined(23);
    const state = await settled(incident, '3 more were not checked: at most 20 are checked');
    expect(stepOf(state, 'quarantineWorkload')?.state).toBe('unverified');
    expect(stepOf(state, 'quarantineWorkload')?.detail).toContain('established connections may survive in 3 of 23 pods');
    expect(done(incident, 'probeQuarantine')).toHaveLength(20);
  });
});
