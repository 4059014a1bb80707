import { expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { FailedCalls } from '../../../service/temporal/runtime.ts';

const failing = (activityType: string, type: string, nonRetryable: boolean) => ({
  activityType,
  attempt: 1,
  error: ApplicationFailure.create({ type, message: 'a text that is on record', nonRetryable }),
});

test('an activity that fails is logged with its code, and one that is retried automatically is not logged each time', () => {
  let at = 0;
  const failed = new FailedCalls({ now: () => at });
  const busy = failing('postInThread', 'FB_ERR_UNAVAILABLE', false);
  const said = { activity: 'postInThread', attempt: 1, code: 'FB_ERR_UNAVAILABLE' };
  expect(failed.of(busy)).toEqual({ ...said, times: 1, forSeconds: 0 });
  for (let n = 0; n < 100; n += 1) expect(failed.of(busy)).toBeUndefined();
  at += 60_000;
  expect(failed.of(busy)).toEqual({ ...said, times: 102, forSeconds: 60 });
  // A different failure is reported, and so is the same one when it occurs again later.
  expect(failed.of(failing('postQuestion', 'FB_ERR_UNAVAILABLE', false))).toMatchObject({ activity: 'postQuestion', times: 1 });
  at += 660_000;
  expect(failed.of(busy)).toMatchObject({ times: 1 });
});

test('what is refused for good is logged each time, and what is not about an activity stays as it is', () => {
  const failed = new FailedCalls();
  const refused = failing('applyStep', 'FB_ERR_PROTECTED', true);
  for (let n = 0; n < 3; n += 1)
    expect(failed.of(refused)).toEqual({ activity: 'applyStep', attempt: 1, code: 'FB_ERR_PROTECTED' });
  expect(failed.of(undefined)).toEqual({});
  expect(failed.of({ runId: 'a' })).toEqual({});
});
