import type proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { workflowThread } from '../../service/temporal/workers.ts';
import { bundlePath } from './bundle.ts';
import { testSpeaker } from './speakers.ts';

/** Those of the histories that do not replay on the workflows of today, by their workflows' ids. */
export async function unreplayed(
  histories: Iterable<{ readonly workflowId: string; readonly history: proto.temporal.api.history.v1.IHistory }>,
): Promise<ReadonlyMap<string, Error>> {
  const options = { workflowBundle: { codePath: await bundlePath() }, ...testSpeaker().workflows, ...workflowThread };
  const errors = new Map<string, Error>();
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories))
    if (error) errors.set(workflowId, error);
  return errors;
}

/** What replaying a history on the workflows of today comes to: one entry, undefined when it comes out the same. */
export async function replayHistory(workflowId: string, history: proto.temporal.api.history.v1.IHistory, workflowsPath?: string) {
  const results = Worker.runReplayHistories(
    { workflowBundle: { codePath: await bundlePath(workflowsPath) }, ...testSpeaker().workflows, ...workflowThread },
    [{ workflowId, history }],
  );
  const errors: (Error | undefined)[] = [];
  for await (const { error } of results) {
    if (error) error.message += `\nIn this history:\n${outlineOf(history)}`;
    errors.push(error);
  }
  return errors;
}

/** An event a line, with what tells it from others of its kind: a fault that comes once in a hundred runs has to be understood from its report. */
function outlineOf({ events }: proto.temporal.api.history.v1.IHistory): string {
  return (events ?? [])
    .map((event) => {
      const { activityTaskScheduledEventAttributes: activity, timerStartedEventAttributes: timer } = event;
      const { timerFiredEventAttributes: fired, activityTaskCompletedEventAttributes: completed } = event;
      const about =
        activity?.activityType?.name ?? timer?.timerId ?? fired?.timerId ?? completed?.scheduledEventId?.toString() ?? '';
      return `${event.eventId} ${event.eventType} ${about} ${event.eventTime?.seconds}.${event.eventTime?.nanos ?? 0}`;
    })
    .join('\n');
}
