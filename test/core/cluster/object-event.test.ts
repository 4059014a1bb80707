import { describe, expect, test } from '@jest/globals';
import { actions, quarantinePod, quarantineWorkload, rotateSecret } from '../../../core/actions/index.ts';
import { type EventWords, eventsOf, type StepOutcome } from '../../../core/cluster/object-event.ts';

const now = Date.parse('2026-11-27T16:03:20Z');
const words: EventWords = {
  groups: ['oncall', 'leads'],
  contact: '#security on Slack',
  titleOf: (id) => (id === 'dropped' ? 'Contain a pod that ran a binary that is not in its image' : undefined),
};
const taken: StepOutcome = {
  action: quarantinePod,
  outcome: 'done',
  incident: 'incident/lab/shop/Deployment/cart',
  key: 'step-1',
  objects: [{ name: 'pod/shop/cart-1', uid: 'uid-1' }],
  playbook: 'dropped',
  terms: { severity: 'critical', reach: 'pod', lease: { durationMs: 4 * 3_600_000, onExpiry: 'renew' } },
};
const notes = (over: Partial<StepOutcome>, of = words) => eventsOf({ ...taken, ...over }, of, now).map(({ note }) => note);

describe('the Events that application owners read', () => {
  test('say what was done to the object, why, until when and whom to ask', () => {
    const [event, ...others] = eventsOf(taken, words, now);
    expect(others).toEqual([]);
    expect(event).toEqual({
      name: expect.stringMatching(/^cart-1\.firebreak-[0-9a-f]{16}$/),
      regarding: { kind: 'Pod', apiVersion: 'v1', namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
      type: 'Warning',
      reason: 'Quarantined',
      action: 'quarantinePod',
      note: 'Firebreak did this: Quarantine the pod. Why: Contain a pod that ran a binary that is not in its image; severity critical. Incident: deployment/shop/cart. It holds until 2026-11-27T20:03Z, and longer if nobody decides otherwise. Ask: oncall, leads (#security on Slack).',
    });
  });

  test('have one name per outcome of a step, so that each is written once', () => {
    const nameOf = (over: Partial<StepOutcome>) => eventsOf({ ...taken, ...over }, words, now + 60_000)[0]?.name;
    expect(nameOf({})).toBe(eventsOf(taken, words, now)[0]?.name);
    const names = [nameOf({}), nameOf({ key: 'step-2' }), nameOf({ outcome: 'undone' }), nameOf({ outcome: 'extended' })];
    expect(new Set(names).size).toBe(names.length);
  });

  test('say of something released whether people decided it', () => {
    const [event] = eventsOf({ ...taken, outcome: 'undone', byPeople: true }, words, now);
    expect(event).toMatchObject({ type: 'Normal', reason: 'Released' });
    expect(event?.note).toContain('Firebreak has undone this: Quarantine the pod.');
    expect(event?.note).toContain('People decided this.');
    expect(notes({ outcome: 'undone', byPeople: false })[0]).toContain('It expired, or its step failed.');
    expect(eventsOf({ ...taken, outcome: 'extended' }, words, now)[0]?.reason).toBe('ContainmentExtended');
    expect(eventsOf({ ...taken, outcome: 'permanent' }, words, now)[0]?.reason).toBe('ContainmentPermanent');
  });

  test('are attached to each pod in an action’s output, and to changed objects of kinds that people look at', () => {
    const objects = [{ name: 'deployment/shop/cart' }, { name: 'ticket/jira/SEC-1' }, { name: 'deployment/shop/cart' }];
    const output = { pods: [{ namespace: 'shop', name: 'cart-2', uid: 'uid-2' }, { namespace: 'shop' }] };
    const events = eventsOf({ ...taken, action: quarantineWorkload, objects, output }, words, now);
    expect(events.map(({ regarding }) => regarding)).toEqual([
      { kind: 'Pod', apiVersion: 'v1', namespace: 'shop', name: 'cart-2', uid: 'uid-2' },
      { kind: 'Deployment', apiVersion: 'apps/v1', namespace: 'shop', name: 'cart' },
    ]);
  });

  test('name no incident of another namespace, have no hidden characters or secrets, and are no longer than the API allows', () => {
    expect(notes({ incident: 'incident/lab/payments/Deployment/vault' })[0]).toContain('Incident: in another namespace.');
    const terms = { severity: 'high', reach: 'pod', lease: { durationMs: 1e300, onExpiry: 'renew' } } as const;
    expect(notes({ terms })[0]).toContain('It holds until +275760-09-13');
    expect(notes({ incident: 'incident/lab/node/worker-1' })[0]).toContain('Incident: node/worker-1.');
    const steering = { ...words, titleOf: () => 'Contain\u202e it\nnow --password=hunter2secret' };
    expect(notes({}, steering)[0]).toContain('Why: Contain\\u{202e} it now --password=[redacted:');
    const long = { ...words, titleOf: () => 'ü'.repeat(4_000) };
    expect(Buffer.byteLength(notes({}, long)[0] ?? '')).toBeLessThanOrEqual(1_024);
  });

  test('exist for every action that changes something, and for none that only reads: an attacker in the pod would see them', () => {
    for (const { name, effect, outcomes, pool, undo } of actions) {
      if (pool === 'desk') continue;
      expect([name, outcomes !== undefined]).toEqual([name, effect !== 'read']);
      if (effect === 'reversible' && !/^(None|Nothing)/.test(undo))
        expect([name, outcomes?.undone]).toEqual([name, expect.any(String)]);
      for (const word of Object.values(outcomes ?? {})) expect(word).toMatch(/^[A-Z][A-Za-z]{1,127}$/);
    }
    const looked = { name: 'look', title: 'Look' };
    expect(eventsOf({ ...taken, action: looked }, words, now)).toEqual([]);
    expect(eventsOf({ ...taken, action: rotateSecret, outcome: 'undone' }, words, now)).toEqual([]);
  });
});
