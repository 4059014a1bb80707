import { describe, expect, test } from '@jest/globals';
import { OwnSteps } from '../../activities/chokepoint/own-steps.ts';
import { stampPrefix } from '../../core/action/own-steps.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { kubernetesAudit } from '../../integrations/sensors/kubernetes-audit/kubernetes-audit.ts';

const box = createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(7) }] });
const poolAccount = 'system:serviceaccount:firebreak:firebreak-secrets';
const path = '/api/v1/namespaces/shop/secrets/db';
const incident = 'incident/lab/shop/Deployment/web';
const step = { key: `${incident}/run-1/play/uid-1/rotateSecret/1`, action: 'rotateSecret', incident, targets: [] };

let now = Date.parse('2026-06-01T10:00:00Z');
const clock = () => now;

/** The pool that reads the Secret, in its own process. */
function pool(keys = box): OwnSteps {
  const steps = new OwnSteps({ box: keys, now: clock });
  steps.knownAs(poolAccount);
  return steps;
}

/** The cell, which sees the read in the audit log. */
function cell(): OwnSteps {
  const steps = new OwnSteps({ box, now: clock });
  steps.knownAs('system:serviceaccount:firebreak:firebreak-cell');
  return steps;
}

const stampOf = (steps: OwnSteps, request = { method: 'GET', path }) => steps.during(step, async () => steps.stamp(request));

let events = 0;
function seen(stamp: string | undefined, over: Record<string, unknown> = {}): Alert {
  events += 1;
  const event = {
    kind: 'Event',
    auditID: `audit-${events}`,
    stage: 'ResponseComplete',
    requestURI: `${path}?timeout=5s`,
    verb: 'get',
    user: { username: poolAccount },
    userAgent: `${stampPrefix}${stamp}`,
    objectRef: { resource: 'secrets', namespace: 'shop', name: 'db', apiVersion: 'v1' },
    // Elsewhere each time: a Secret that the same caller reads again is no alert.
    sourceIPs: [`192.0.2.${events}`],
    responseStatus: { code: 200 },
    requestReceivedTimestamp: new Date(now).toISOString(),
    ...over,
  };
  const [decoded] = kubernetesAudit.decode(event, { cluster: 'lab' });
  if (decoded?.kind !== 'alert') throw new Error('no alert');
  return decoded.alert;
}

describe('a step of another process', () => {
  test('is recognised by the stamp on its request, without that process', async () => {
    const stamp = await stampOf(pool());
    const { key, action } = step;
    expect(cell().causing(seen(stamp))).toMatchObject({ incident, key, action });
    expect(stamp).not.toContain('shop');
  });

  test('is the same step if the event is repeated, but its stamp on another event is a copy', async () => {
    const stamp = await stampOf(pool());
    const at = cell();
    const alert = seen(stamp);
    expect(at.causing(alert)).toBeDefined();
    expect(at.causing(alert)).toBeDefined();
    expect(at.causing(seen(stamp))).toBeUndefined();
  });

  test.each([
    ['by another account', { user: { username: 'system:serviceaccount:shop:web' } }],
    ['by that account as somebody else', { impersonatedUser: { username: 'mallory' } }],
    ['by somebody else as that account', { user: { username: 'mallory' }, impersonatedUser: { username: poolAccount } }],
    ['on another object', { requestURI: '/api/v1/namespaces/shop/secrets/other' }],
    ['another verb', { verb: 'list' }],
    ['a minute later', { requestReceivedTimestamp: new Date(now + 60_000).toISOString() }],
  ])('is not recognised by its stamp on a request %s', async (what, over) => {
    const stamp = await stampOf(pool());
    // A list is a read, too: its path distinguishes it from a get.
    const alert = seen(stamp, what === 'another verb' ? { verb: 'list', requestURI: '/api/v1/namespaces/shop/secrets' } : over);
    expect(cell().causing(alert)).toBeUndefined();
  });

  test('is not recognised by a stamp with a foreign key, a cut-off one or a made-up one', async () => {
    const stranger = createBox({ keys: [{ id: 'test', key: new Uint8Array(32).fill(8) }] });
    const stamp = (await stampOf(pool())) ?? '';
    for (const wrong of [await stampOf(pool(stranger)), stamp.slice(0, -8), 'x', 'A'.repeat(900)])
      expect(cell().causing(seen(wrong))).toBeUndefined();
  });

  test('has no stamp outside the step, before the account is known, or if the API server would cut it', async () => {
    const steps = pool();
    expect(steps.stamp({ method: 'GET', path })).toBeUndefined();
    expect(await stampOf(new OwnSteps({ box }))).toBeUndefined();
    const long = { ...step, key: 'k'.repeat(900) };
    expect(await steps.during(long, async () => steps.stamp({ method: 'GET', path }))).toBeUndefined();
  });

  test('has its own stamp next to another step, and none after its end', async () => {
    const steps = pool();
    const other = { ...step, key: 'other', action: 'deletePod' };
    const [one, two] = await Promise.all([
      steps.during(step, async () => {
        await new Promise((done) => setTimeout(done, 5));
        return steps.stamp({ method: 'GET', path });
      }),
      steps.during(other, async () => steps.stamp({ method: 'GET', path })),
    ]);
    expect(cell().causing(seen(one))?.action).toBe('rotateSecret');
    expect(cell().causing(seen(two))?.action).toBe('deletePod');
    expect(steps.stamp({ method: 'GET', path })).toBeUndefined();
  });
});

describe('a step of this process', () => {
  test('is recognised even without a stamp, while it runs on that object', async () => {
    now += 1_000;
    const steps = pool();
    const targets = ['secret/shop/db'];
    await steps.during({ ...step, targets }, async () => {
      expect(steps.causing(seen('', { userAgent: 'firebreak' }))).toMatchObject({ key: step.key });
    });
    expect(cell().causing(seen('', { userAgent: 'firebreak' }))).toBeUndefined();
  });
});
