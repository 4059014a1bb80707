import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure, type ProtoFailure } from '@temporalio/common';
import { encodeErrorToFailure, loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { WaitingCalls } from '../../../service/temporal/waiting-calls.ts';
import { member, testSpeaker } from '../../workflows/speakers.ts';

const { PENDING_ACTIVITY_STATE_STARTED: started, PENDING_ACTIVITY_STATE_SCHEDULED: scheduled } =
  proto.temporal.api.enums.v1.PendingActivityState;
const workflowId = 'incident/lab/x';
const minute = 60_000;
const cell = loadDataConverter(testSpeaker('lab').dataConverter);
const desk = loadDataConverter(testSpeaker('lab', { signer: member('desk').signer }).dataConverter);
const stranger = loadDataConverter(testSpeaker('lab', { signer: member('desk', undefined, 'somebody').signer }).dataConverter);
const timedOut: ProtoFailure = { message: 'activity Heartbeat timeout', timeoutFailureInfo: {} };

/** A worker's failure when its store is away. */
function failure(by = desk, call = '5', to = 'failure:postQuestion', retryAfterMs?: number): Promise<ProtoFailure> {
  const value = { type: 'FB_ERR_UNAVAILABLE', retryAfterMs };
  const details = [{ to, workflow: workflowId, call, run: 'run-1', asked: 'digest', value }];
  return encodeErrorToFailure(by, ApplicationFailure.create({ message: 'Slack is away', details }));
}

function looked() {
  let now = minute;
  const said: Readonly<Record<string, unknown>>[] = [];
  const calls = new WaitingCalls({ now: () => now, log: { error: (fields, text) => void said.push({ ...fields, text }) } });
  return {
    said,
    pass: (ms: number) => {
      now += ms;
    },
    forget: () => calls.forget(workflowId),
    /** One waiting call, and when it is tried next. */
    lookAtWaiting: (scheduledInMs: number, lastFailure?: ProtoFailure) =>
      calls.look(
        { options: { loadedDataConverter: cell } },
        {
          workflowId,
          raw: {
            pendingActivities: [
              {
                activityId: '5',
                state: scheduled,
                activityType: { name: 'postQuestion' },
                activityOptions: { taskQueue: { name: 'desk-queue' } },
                scheduledTime: msToTs(now + scheduledInMs),
                ...(lastFailure && { lastFailure }),
              },
            ],
          },
        },
      ),
    /** One call whose previous attempt, the `n`th, ended with this failure. */
    look: async (lastFailure: ProtoFailure | undefined, n: number, { activityId = '5', attempt = n + 1 } = {}) => {
      const { areThere } = await calls.look(
        { options: { loadedDataConverter: cell } },
        {
          workflowId,
          raw: {
            pendingActivities: [
              {
                activityId,
                attempt,
                state: started,
                activityType: { name: 'postQuestion' },
                activityOptions: { taskQueue: { name: 'desk-queue' } },
                lastWorkerIdentity: 'somebody',
                ...(lastFailure && { lastFailure }),
                // As Temporal does: not for an attempt that timed out.
                ...(lastFailure && !lastFailure.timeoutFailureInfo && { lastAttemptCompleteTime: msToTs(n) }),
              },
            ],
          },
        },
      );
      return areThere;
    },
  };
}

test('a call that is picked up again and again without an answer is reported, with who picks it up', async () => {
  const { look, pass, said } = looked();
  for (const n of [1, 2, 3]) {
    expect(await look(timedOut, n)).toBe(false);
    pass(minute / 2);
  }
  pass(minute);
  expect(await look(timedOut, 4, { attempt: 5 })).toBe(true);
  expect(said).toEqual([
    expect.objectContaining({
      queue: 'desk-queue',
      incident: workflowId,
      activity: 'postQuestion',
      takenBy: 'somebody',
      attempt: 5,
      waitsSeconds: 150,
      text: expect.stringContaining('taken again and again'),
    }),
  ]);
});

test('one that was lost once, and takes long at its second attempt, is not reported', async () => {
  const { look, pass, said } = looked();
  for (const _ of [1, 2, 3, 4]) {
    expect(await look(timedOut, 1)).toBe(false);
    pass(3 * minute);
  }
  expect(said).toEqual([]);
});

test('one whose process says each time why it fails is reported by that process', async () => {
  const { look, pass, said } = looked();
  for (const n of [1, 2, 3, 4, 5]) {
    expect(await look(n === 2 ? timedOut : await failure(), n)).toBe(false);
    pass(2 * minute);
  }
  expect(said).toEqual([]);
});

test.each([
  [
    'unsigned',
    () => Promise.resolve<ProtoFailure>({ message: 'Slack is away', applicationFailureInfo: { type: 'FB_ERR_UNAVAILABLE' } }),
  ],
  ['by a key that nobody trusts', () => failure(stranger)],
  ['of another call', () => failure(desk, '4')],
  ['of another kind', () => failure(desk, '5', 'failure:recordAudit')],
])('a failure %s is not an answer', async (_, made) => {
  const { look, pass, said } = looked();
  for (const n of [1, 2, 3]) {
    await look(await made(), n);
    pass(2 * minute);
  }
  expect(await look(await made(), 4)).toBe(true);
  expect(said.length).toBeGreaterThan(0);
});

test('a signed failure that is replayed is not an answer either, nor are two in turn', async () => {
  const { look, pass, said } = looked();
  const heard = [await failure(), await failure()];
  for (const n of [0, 1, 2, 3, 4, 5]) {
    await look(heard[n % 2], n);
    pass(minute);
  }
  expect(await look(heard[0], 6)).toBe(true);
  expect(said.length).toBeGreaterThan(0);
});

test('a repeat as another call continues the count, unless it was gone for long', async () => {
  const { look, pass, forget } = looked();
  await look(timedOut, 1);
  pass(minute);
  expect(await look(undefined, 0, { activityId: '9', attempt: 1 })).toBe(false);
  pass(minute);
  expect(await look(timedOut, 2, { activityId: '9' })).toBe(true);
  forget();
  expect(await look(timedOut, 3, { activityId: '9' })).toBe(false);
});

describe('a call that waits', () => {
  const hour = 60 * minute;

  test('is reported when nobody picks it up, and at most every ten minutes as possibly changed', async () => {
    const { lookAtWaiting, pass, said } = looked();
    pass(2 * minute);
    expect(await lookAtWaiting(-minute)).toEqual({ areThere: false, putOff: [], perhapsChanged: [] });
    const ours = [expect.objectContaining({ activityId: '5' })];
    expect(await lookAtWaiting(-2 * minute)).toEqual({ areThere: true, putOff: [], perhapsChanged: ours });
    pass(9 * minute);
    expect(await lookAtWaiting(-11 * minute)).toEqual({ areThere: true, putOff: [], perhapsChanged: [] });
    pass(minute);
    expect(await lookAtWaiting(-12 * minute)).toEqual({ areThere: true, putOff: [], perhapsChanged: ours });
    expect(said[0]).toMatchObject({
      queue: 'desk-queue',
      waitsSeconds: 120,
      text: expect.stringContaining('no process takes them'),
    });
  });

  test('counts as put off if its next attempt is further away than any of ours, and is reported as such at once', async () => {
    const { lookAtWaiting, said } = looked();
    expect(await lookAtWaiting(10 * minute)).toEqual({ areThere: false, putOff: [], perhapsChanged: [] });
    expect(said).toEqual([]);
    const ours = [expect.objectContaining({ activityId: '5' })];
    expect(await lookAtWaiting(10_000 * hour)).toEqual({ areThere: true, putOff: ours, perhapsChanged: [] });
    expect(said).toEqual([
      expect.objectContaining({ putOffSeconds: 36_000_000, text: expect.stringContaining('postponed calls') }),
    ]);
  });

  test.each([
    ['its process has asked for that', () => failure(desk, '5', 'failure:postQuestion', hour), 0],
    ['its process has asked for less', () => failure(desk, '5', 'failure:postQuestion', minute), 1],
    ['somebody else has asked for that', () => failure(stranger, '5', 'failure:postQuestion', hour), 1],
    ['somebody has, without signing it', async () => timedOut, 1],
  ])('counts as put off or not: %s', async (_, made, putOff) => {
    const { lookAtWaiting } = looked();
    expect((await lookAtWaiting(hour, await made())).putOff).toHaveLength(putOff);
  });
});
