import { Connection } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { incidentNames } from '../../core/incident/incident.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** One measured click: when it was sent, and when the API server had answered the patch. Milliseconds of wall time. */
export interface MeasuredClick {
  /** `Deployment/app-1`: the workload that its incident is about. */
  readonly workload: string;
  readonly sentAt: number;
  readonly patchedAt: number;
}

/** The parts of a click's path, in order. */
export const pathParts = [
  'click until Temporal has the vote',
  'until a worker begins its task',
  'until the task has ordered its check',
  'until its check begins',
  'until its check is done',
  'until a worker begins the next task',
  'until the task has ordered the step',
  'until the step begins',
  'until the API server has answered its patch',
] as const;

/** How long each part took, in milliseconds. They add up to the total. */
type ClickPath = Readonly<Record<(typeof pathParts)[number], number>>;

/** Reads the path of each click from the history of its incident. All clocks are those of this machine. */
export async function clickPaths(
  at: { readonly address: string; readonly namespace: string },
  clicks: readonly MeasuredClick[],
): Promise<readonly ClickPath[]> {
  const connection = await Connection.connect({ address: at.address });
  try {
    const { workflowService } = connection;
    const paths: ClickPath[] = [];
    for (const click of clicks) {
      const { executions } = await workflowService.listWorkflowExecutions({
        namespace: at.namespace,
        query: `WorkflowType = 'incident' AND FirebreakWorkload = '${click.workload}'`,
      });
      const execution = executions[0]?.execution;
      if (!execution) throw new Error(`no incident of ${click.workload}`);
      const { history } = await workflowService.getWorkflowExecutionHistory({ namespace: at.namespace, execution });
      paths.push(pathOf(click, history?.events ?? []));
    }
    return paths;
  } finally {
    await connection.close();
  }
}

function pathOf({ workload, sentAt, patchedAt }: MeasuredClick, events: readonly HistoryEvent[]): ClickPath {
  const signal = events.findIndex(
    ({ workflowExecutionSignaledEventAttributes: signaled }) => signaled?.signalName === incidentNames.voteSignal,
  );
  const after = events.slice(signal);
  const check = activity(after, 'verifyVote');
  const step = activity(after, 'applyStepNow');
  const moments = [
    sentAt,
    timeOf(after[0]),
    check.task,
    check.ordered,
    check.begun,
    check.done,
    step.task,
    step.ordered,
    step.begun,
    patchedAt,
  ];
  if (moments.some(Number.isNaN)) throw new Error(`the history of ${workload} lacks a part of the click’s path`);
  return Object.fromEntries(
    pathParts.map((part, index) => [part, (moments[index + 1] ?? 0) - (moments[index] ?? 0)]),
  ) as ClickPath;
}

function activity(events: readonly HistoryEvent[], type: string) {
  const ordered = events.find(({ activityTaskScheduledEventAttributes: made }) => made?.activityType?.name === type);
  const id = ordered?.eventId?.toString();
  const begun = events.find(({ activityTaskStartedEventAttributes: made }) => made?.scheduledEventId?.toString() === id);
  const done = events.find(({ activityTaskCompletedEventAttributes: made }) => made?.scheduledEventId?.toString() === id);
  const completed = ordered?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId?.toString();
  const task = events.find(({ eventId }) => eventId?.toString() === completed)?.workflowTaskCompletedEventAttributes;
  const begunTask = events.find(({ eventId }) => eventId?.toString() === task?.startedEventId?.toString());
  return { task: timeOf(begunTask), ordered: timeOf(ordered), begun: timeOf(begun), done: timeOf(done) };
}

function timeOf(event: HistoryEvent | undefined): number {
  const { seconds, nanos } = event?.eventTime ?? {};
  return Number(seconds ?? Number.NaN) * 1_000 + (nanos ?? 0) / 1e6;
}
