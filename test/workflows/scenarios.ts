import type { Lab, RunningIncident } from './harness.ts';
import { alertOf, batchOf } from './people.ts';

/** Complete incidents, for golden histories and for the run without a workflow cache. */
export const scenarios: Readonly<Record<string, (lab: Lab) => Promise<RunningIncident>>> = {
  'dropped-binary-removed': async (lab) => {
    const incident = await lab.start([alertOf()]);
    await incident.question();
    await incident.alerts(batchOf([alertOf({ title: 'again' })]));
    await incident.signal({ vote: 'garbage' });
    await lab.env.sleep('16m');
    await incident.until((state) => state.questions.some((asked) => asked.level === 1), 'the second level');
    await incident.vote('remove', 'lea');
    await incident.result();
    return incident;
  },
  'quarantine-looked-at-and-kept': async (lab) => {
    const incident = await lab.start([alertOf()], { posture: true, effectChecksMs: [600_000, 3_600_000] });
    await incident.question();
    await lab.env.sleep('11m');
    await incident.until((state) => state.steps.some(({ effect }) => effect?.afterMs === 600_000), 'the first look');
    await incident.vote('keep', 'ana', {}, true);
    await incident.until((state) => state.leases.some(({ state: of }) => of === 'permanent'), 'that it is kept for good');
    await lab.env.sleep('50m');
    await incident.until((state) => state.steps.some(({ effect }) => effect?.afterMs === 3_600_000), 'the second look');
    await lab.env.sleep('12h');
    await incident.result();
    return incident;
  },
  'shell-quarantined-then-critical-and-released': async (lab) => {
    const incident = await lab.start([alertOf({ rule: 'Terminal shell in container', severity: 'low' })]);
    await incident.vote('quarantine', 'ana');
    await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'the quarantine');
    await incident.alerts(batchOf([alertOf()]));
    await incident.until((state) => state.leases[0]?.holders.length === 2, 'two holders');
    await lab.env.sleep('9h');
    await incident.until((state) => (state.leases[0]?.renewals ?? 0) >= 2, 'renewals');
    await incident.vote('extend', 'ana', {}, true);
    await incident.until((state) => (state.leases[0]?.renewals ?? 0) >= 3, 'the extension');
    await incident.vote('release', 'ana', {}, true);
    await incident.vote('release', 'ben', {}, true);
    await incident.result();
    return incident;
  },
};
