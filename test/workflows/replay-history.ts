import type proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { workflowThread } from '../../service/temporal/workers.ts';
import { bundlePath } from './bundle.ts';
import { testSpeaker } from './speakers.ts';

interface ToReplay {
  readonly workflowId: string;
  readonly history: proto.temporal.api.history.v1.IHistory;
}

/**
 * The workflow ids of those histories that do not replay on today's workflows. All are replayed together: one worker each would load the workflows again, half
 * a second of CPU time.
 */
export async function unreplayed(histories: readonly ToReplay[], workflowsPath?: string): Promise<ReadonlyMap<string, Error>> {
  let errors = await replay(histories, workflowsPath);
  for (let tries = 1; tries < mostTries && [...errors.values()].some(isOutOfTime); tries += 1) {
    const late = await replay(
      histories.filter(({ workflowId }) => isOutOfTime(errors.get(workflowId))),
      workflowsPath,
    );
    errors = new Map([...[...errors].filter(([, error]) => !isOutOfTime(error)), ...late]);
  }
  return errors;
}

const mostTries = 3;

/** The SDK gives each task five seconds. On a machine that stalls that long, a late task says nothing about the history; an endless loop stays late. */
function isOutOfTime(error: Error | undefined): boolean {
  return error?.message.includes('Script execution timed out') === true;
}

async function replay(histories: readonly ToReplay[], workflowsPath: string | undefined): Promise<Map<string, Error>> {
  const byId = new Map(histories.map((one) => [one.workflowId, one.history]));
  if (byId.size < histories.length) throw new Error('two histories are of one workflow: which of them failed could not be told');
  const options = {
    workflowBundle: { codePath: await bundlePath(workflowsPath) },
    ...testSpeaker().workflows,
    ...workflowThread,
  };
  const errors = new Map<string, Error>();
  let replayed = 0;
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories)) {
    replayed += 1;
    if (!error) continue;
    error.message += `\nIn this history:\n${outlineOf(byId.get(workflowId) ?? {})}`;
    errors.set(workflowId, error);
  }
  if (replayed < histories.length) throw new Error(`${replayed} of ${histories.length} histories were replayed`);
  return errors;
}

/** The result of replaying a history on today's workflows: one entry, or undefined if the replay matches. */
export async function replayHistory(workflowId: string, history: ToReplay['history'], workflowsPath?: string) {
  return [(await unreplayed([{ workflowId, history }], workflowsPath)).get(workflowId)];
}

/** One event per line, with what distinguishes it from similar ones: a fault seen once in a hundred runs must be clear from its report. */
export function outlineOf({ events }: proto.temporal.api.history.v1.IHistory): string {
  return (events ?? [])
    .map((event) => {
      const { activityTaskScheduledEventAttributes: activity, timerStartedEventAttributes: timer } = event;
      const { timerFiredEventAttributes: fired, activityTaskCompletedEventAttributes: completed } = event;
      const started =
        timer && `${timer.timerId} for ${timer.startToFireTimeout?.seconds ?? 0}.${timer.startToFireTimeout?.nanos ?? 0}`;
      const about = activity?.activityType?.name ?? started ?? fired?.timerId ?? completed?.scheduledEventId?.toString() ?? '';
      return `${event.eventId} ${event.eventType} ${about} ${event.eventTime?.seconds}.${event.eventTime?.nanos ?? 0}`;
    })
    .join('\n');
}
