import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';

/**
 * What somebody with access to Temporal can run: it schedules an activity on a queue that is not theirs, and returns the answer. `activityId`: that of a call
 * that is sent again.
 */
export async function order(taskQueue: string, name: string, args: unknown, activityId?: string): Promise<string> {
  const activities = proxyActivities<Record<string, (given: unknown) => Promise<unknown>>>({
    taskQueue,
    startToCloseTimeout: '20s',
    retry: { maximumAttempts: 1 },
    ...(activityId !== undefined && { activityId }),
  });
  try {
    await activities[name]?.(args);
    return 'done';
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : error;
    return cause instanceof ApplicationFailure ? String(cause.type) : String(cause);
  }
}
