import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentState } from '../../core/incident-state.ts';
import { alertOf, type Lab, type RunningIncident, refuse, type Script, startLab } from './harness.ts';

const script: Script = {};
let lab: Lab;
beforeAll(async () => {
  lab = await startLab(script);
}, 60_000);
afterEach(() => {
  for (const name of Object.keys(script)) delete script[name];
});
afterAll(() => lab.stop());

const both = { afterQuarantine: ['cutConnections', 'probeQuarantine'] };
const stepOf = (state: IncidentState, action: string) => state.steps.find((step) => step.action === action);
const done = (incident: RunningIncident, action: string) =>
  lab.seen.applied.filter((call) => call.incident.id === incident.id && call.action === action);

describe('what follows a quarantine', () => {
  test('is cut and tried by itself, and the quarantine is verified by what was found', async () => {
    script['verify:cutConnections'] = async () => ({ state: 'verified', detail: '2 entries dropped' });
    script['verify:probeQuarantine'] = async () => ({ state: 'verified', detail: 'nobody answers' });
    const incident = await lab.start([alertOf()], both);
    const state = await incident.until((now) => stepOf(now, 'quarantinePod')?.state === 'verified', 'the verified quarantine');
    expect(stepOf(state, 'quarantinePod')?.detail).toBe('nobody answers; what was open has been cut');
    expect(done(incident, 'cutConnections')).toMatchObject([{ input: { pod: { uid: 'uid-1' } } }]);
    expect(state.leases.map(({ action }) => action)).toEqual(['quarantinePod']);
  });

  test('keeps nobody from being asked while it is under way', async () => {
    let goOn = () => {};
    script.cutConnections = () =>
      new Promise((resolve) => {
        goOn = () => resolve(undefined);
      });
    const incident = await lab.start([alertOf()], both);
    const asked = await incident.question();
    expect(asked.question.choices).toHaveLength(2);
    expect(stepOf(await incident.state(), 'cutConnections')?.state).toBe('running');
    goOn();
    await incident.until((now) => stepOf(now, 'probeQuarantine')?.state === 'unverified', 'the end of the probe');
  });

  test('says that connections may live where the cut failed, and that the quarantine does not hold where the probe came through', async () => {
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
      ['verified', 'nobody answers; established connections may live'],
    ]);
  });

  test('is nothing where the cell has not turned it on', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.question();
    expect(done(incident, 'probeQuarantine')).toEqual([]);
    expect(stepOf(await incident.state(), 'quarantinePod')?.state).toBe('unverified');
  });
});
