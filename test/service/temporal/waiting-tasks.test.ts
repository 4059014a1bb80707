import { expect, test } from '@jest/globals';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { WaitingTasks } from '../../../service/temporal/waiting-tasks.ts';

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

const { WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;
const minute = 60_000;
const run = 'run-1';

/** A run as Temporal describes it, whose next task has been waiting since a moment ago, and its clock. */
function runAt(at: number) {
  let now = at;
  const events: HistoryEvent[] = [];
  const add = (event: HistoryEvent): void =>
    void events.push({
      ...event,
      eventTime: msToTs(now),
      eventId: proto.temporal.api.history.v1.HistoryEvent.fromObject({ eventId: events.length + 1 }).eventId,
    });
  const client = {
    options: { namespace: 'default' },
    withDeadline: <R>(_: number, call: () => Promise<R>): Promise<R> => call(),
    workflowService: {
      getWorkflowExecutionHistoryReverse: async ({
        maximumPageSize: size,
        nextPageToken: token = new Uint8Array(),
      }: {
        maximumPageSize: number;
        nextPageToken?: Uint8Array;
      }) => {
        const from = Number(Buffer.from(token).toString() || '0');
        const page = events.toReversed().slice(from, from + size);
        return { history: { events: page }, nextPageToken: Buffer.from(from + size < events.length ? String(from + size) : '') };
      },
    },
  };
  const tasks = new WaitingTasks({ now: () => now });
  const look = (runId = run) =>
    tasks.look(client, { workflowId: 'incident/x', runId, raw: { pendingWorkflowTask: { scheduledTime: msToTs(now) } } });
  return {
    look,
    pass: (ms: number) => {
      now += ms;
    },
    done: () => add({ workflowTaskCompletedEventAttributes: {} }),
    scheduled: () => add({ workflowTaskScheduledEventAttributes: {} }),
    failed: (attributes: proto.temporal.api.history.v1.IWorkflowTaskFailedEventAttributes = {}) =>
      add({ workflowTaskFailedEventAttributes: { baseRunId: '', newRunId: '', ...attributes } }),
    signalled: (times: number) => {
      for (let n = 0; n < times; n += 1) add({ workflowExecutionSignaledEventAttributes: {} });
    },
  };
}

test('a task that somebody fails again and again has been waiting since the first time', async () => {
  const { look, pass, done, scheduled, failed } = runAt(minute);
  done();
  scheduled();
  failed();
  pass(3 * minute);
  expect(await look()).toEqual({ forMs: 3 * minute });
});

test('so it has if too much happened meanwhile to read back to the last one that was done', async () => {
  const { look, pass, done, scheduled, failed, signalled } = runAt(minute);
  done();
  scheduled();
  failed({ cause: WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR });
  expect(await look()).toEqual({ forMs: 0, unreadable: { forMs: 0, isForGood: false } });
  for (const _ of [1, 2, 3]) {
    pass(minute);
    signalled(600);
    scheduled();
    failed();
    await look();
  }
  expect(await look()).toEqual({ forMs: 3 * minute, unreadable: { forMs: 3 * minute, isForGood: false } });
  done();
  pass(minute);
  scheduled();
  expect(await look()).toEqual({ forMs: 0 });
});

test('a hundred signals do not postpone this at the first look either', async () => {
  const { look, pass, done, scheduled, failed, signalled } = runAt(minute);
  done();
  scheduled();
  failed();
  pass(3 * minute);
  signalled(100);
  expect(await look()).toEqual({ forMs: 3 * minute });
});

test('what a run took over in a reset is none of its tasks; passing off a failed task as a reset gains nothing', async () => {
  const { look, pass, scheduled, failed } = runAt(minute);
  const { WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW: cause } = WorkflowTaskFailedCause;
  scheduled();
  pass(60 * minute);
  failed({ cause, baseRunId: 'run-0', newRunId: run });
  scheduled();
  pass(minute);
  failed({ cause });
  scheduled();
  pass(minute);
  expect(await look()).toEqual({ forMs: 2 * minute });
});
