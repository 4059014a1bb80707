import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, ScheduleNotFoundError, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import { scheduleBellName } from '../../core/messages/message-table.ts';
import { durationMs } from '../../core/playbook/duration.ts';
import { catchUpMs, dueLast } from '../../core/playbook/schedule.ts';
import type { ScheduledPlaybook } from '../../core/playbook/scheduled-runs.ts';
import { type Logger, reasonOf } from '../process/log.ts';

const lookEveryMs = 300_000;
const callMs = 10_000;

/** Id of a playbook's schedule in Temporal. */
export function scheduleIdOf(cluster: string, playbook: string): string {
  return `schedule/${cluster}/${playbook}`;
}

/** What Temporal stores: when to ring, and nothing about the subject. */
function scheduleOf(
  playbook: ScheduledPlaybook,
  { cluster, taskQueue }: { readonly cluster: string; readonly taskQueue: string },
): ScheduleOptions {
  const { schedule } = playbook.on;
  return {
    scheduleId: scheduleIdOf(cluster, playbook.id),
    spec:
      schedule.every !== undefined
        ? { intervals: [{ every: durationMs(schedule.every) }] }
        : { cronExpressions: [schedule.cron], timezone: schedule.timeZone },
    action: {
      type: 'startWorkflow',
      workflowType: scheduleBellName,
      workflowId: `bell/${cluster}/${playbook.id}`,
      taskQueue,
      args: [],
      workflowExecutionTimeout: '15m',
    },
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: catchUpMs(schedule, dueLast(schedule, Date.now()) ?? Date.now()),
    },
  };
}

interface FollowSchedulesOptions {
  readonly client: Client;
  readonly cluster: string;
  readonly taskQueue: string;
  readonly playbooks: readonly ScheduledPlaybook[];
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
}

/**
 * Maintains a Temporal schedule for each scheduled playbook that has a target, according to the configuration, and none for any other: schedules of playbooks
 * that are no longer enabled are removed, and one that somebody has paused or deleted is restored. Ends with `signal`. Never rejects.
 */
export async function followSchedules(options: FollowSchedulesOptions): Promise<void> {
  const { signal, log, everyMs = lookEveryMs } = options;
  let said: string | undefined;
  let isFirst = true;
  while (!signal.aborted) {
    try {
      await putSchedules(options, isFirst);
      isFirst = false;
      said = undefined;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== said && !signal.aborted)
        log.warn({ reason }, 'cannot update schedules in Temporal; scheduled runs may start some minutes late');
      said = reason;
    }
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function putSchedules(
  { client, cluster, taskQueue, playbooks, log }: FollowSchedulesOptions,
  isFirst: boolean,
): Promise<void> {
  const wanted = playbooks.map((playbook) => scheduleOf(playbook, { cluster, taskQueue }));
  await client.withDeadline(Date.now() + callMs, async () => {
    for (const options of wanted) {
      const state = await stateOf(client, options.scheduleId);
      if (state === 'none') {
        await client.schedule.create(options);
        log.info({ schedule: options.scheduleId }, 'created a schedule');
      } else if (isFirst || state === 'paused') {
        const { spec, action, policies } = options;
        await client.schedule
          .getHandle(options.scheduleId)
          .update(() => ({ spec, action, ...(policies && { policies }), state: { paused: false } }));
        if (state === 'paused') log.warn({ schedule: options.scheduleId }, 'somebody paused a schedule; it is resumed');
      }
    }
    const prefix = scheduleIdOf(cluster, '');
    for await (const { scheduleId } of client.schedule.list()) {
      if (!scheduleId.startsWith(prefix) || wanted.some((one) => one.scheduleId === scheduleId)) continue;
      await client.schedule.getHandle(scheduleId).delete();
      log.info({ schedule: scheduleId }, 'removed a schedule: its playbook is not enabled, or has no target');
    }
  });
}

async function stateOf(client: Client, id: string): Promise<'none' | 'paused' | 'running'> {
  try {
    const { state } = await client.schedule.getHandle(id).describe();
    return state.paused ? 'paused' : 'running';
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return 'none';
    throw error;
  }
}
