import { describe, expect, test } from '@jest/globals';
import type { AskedPosture, Posture } from '../../../core/cluster/posture.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const found: Posture = {
  at: '2026-11-24T22:00:00.000Z',
  of: 'pod/shop/cart-1',
  level: 'privileged',
  findings: [{ id: 'host-pid', against: 'baseline', cis: '5.2.3', text: 'can see the processes of its node' }],
  unknown: [],
};
const recordsOf = (id: string) => lab.seen.records.filter(({ kind, chain }) => kind === 'posture.found' && chain.startsWith(id));

describe('when an incident opens', () => {
  test('what its workload is allowed to do is read once, and is on record, in the incident and on the card', async () => {
    const asked: AskedPosture[] = [];
    script.lookAtPosture = ({ input }) => {
      asked.push(input as AskedPosture);
      return found;
    };
    const incident = await lab.start([alertOf()], { posture: true });
    const state = await incident.until(({ posture }) => posture !== undefined, 'the posture');
    await lab.eventually('its record', async () => recordsOf(incident.id).length === 1);
    expect(asked).toEqual([{ incident: state.incident, pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' } }]);
    expect(recordsOf(incident.id)[0]?.body).toMatchObject({
      text: 'pod/shop/cart-1 meets no Pod Security profile: it can see the processes of its node.',
      posture: found,
    });
    await lab.eventually('the card', async () =>
      lab.seen.cards.some(({ incident: of, posture }) => of.id === incident.id && posture?.[1]?.includes('CIS 5.2.3')),
    );
    const card = lab.seen.cards.find(({ incident: of, posture }) => of.id === incident.id && posture !== undefined);
    expect(card?.posture?.at(-1)).toBe('Signatures of its images: not checked in this incident.');
    expect(state).toMatchObject({ severity: 'critical', verdict: 'unknown' });
  });

  test('a failure to read it is also on record', async () => {
    script.lookAtPosture = () => refuse('FB_ERR_NOT_FOUND', 'no pod of it is there');
    const incident = await lab.start([alertOf()], { posture: true });
    await lab.eventually('the record', async () => recordsOf(incident.id).length === 1);
    expect(recordsOf(incident.id)[0]?.body).toEqual({ text: 'what the workload may do is not known: no pod of it is there' });
    expect((await incident.state()).posture).toBeUndefined();
  });

  test('it is not read if the configuration turns it off', async () => {
    let looks = 0;
    script.lookAtPosture = () => {
      looks += 1;
      return found;
    };
    const incident = await lab.start([alertOf()]);
    await incident.question();
    await lab.env.sleep('1m');
    await incident.state();
    expect(looks).toBe(0);
  });
});
