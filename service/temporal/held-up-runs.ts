import type { Client, WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import type { WorkerDeploymentVersion } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { CallsThatWait } from './waiting-calls.ts';

const callMs = 5_000;
const identity = 'firebreak';
const reason = 'it was not held up by a cell';

/** Whether the run has not ended; a paused one is open too. */
export function isOpenRun({ status }: Pick<WorkflowExecutionInfo, 'status'>): boolean {
  return status.name === 'RUNNING' || status.name === 'PAUSED';
}

/** What was found, and whether Temporal has undone it. */
interface TakenBack {
  readonly heldUp: readonly HeldUp[];
  /** Temporal refused, or someone else was faster; each is tried regardless of the others. */
  readonly failed: readonly HeldUp[];
}

/** What anyone who can reach Temporal can do to keep a run from going on, and what Temporal undoes on request. */
type HeldUp = 'paused' | 'given to another build' | 'has paused calls' | 'has its time skipped';

/**
 * Undoes whatever holds up a run of ours: Firebreak never pauses a run or a call or skips its time, and the cell that started a run determines its build. What
 * the run has heard and done stays. `pinnedTo`: the build that a cell has set in Temporal, `none` if it has set none; `as it is` if the caller does not know.
 * Never rejects: a caller that cannot undo it must still notify people.
 */
export async function takeBack(
  client: Client,
  { workflowId, runId, raw, status }: WorkflowExecutionDescription,
  pinnedTo: WorkerDeploymentVersion | 'none' | 'as it is',
): Promise<TakenBack> {
  const { namespace } = client.options;
  const execution = { workflowId, runId };
  const heldUp: HeldUp[] = [];
  const failed: HeldUp[] = [];
  const undo = async (what: HeldUp, ...calls: readonly (() => Promise<unknown>)[]): Promise<void> => {
    const ended = await Promise.allSettled(calls.map((call) => client.withDeadline(Date.now() + callMs, call)));
    (ended.every(({ status }) => status === 'fulfilled') ? heldUp : failed).push(what);
  };
  if (raw.workflowExtendedInfo?.pauseInfo || status.name === 'PAUSED')
    await undo('paused', () =>
      client.workflowService.unpauseWorkflowExecution({ namespace, workflowId, runId, identity, reason }),
    );
  const { versioningOverride } = raw.workflowExecutionInfo?.versioningInfo ?? {};
  if (pinnedTo !== 'as it is' && !isAsSaid(versioningOverride, pinnedTo))
    await undo('given to another build', () =>
      client.workflowService.updateWorkflowExecutionOptions({
        namespace,
        workflowExecution: execution,
        workflowExecutionOptions: pinnedTo === 'none' ? {} : { versioningOverride: overrideTo(pinnedTo) },
        updateMask: { paths: ['versioning_override'] },
      }),
    );
  if (raw.workflowExtendedInfo?.timeSkippingInfo?.effectiveConfig?.enabled)
    await undo('has its time skipped', () =>
      client.workflowService.updateWorkflowExecutionOptions({
        namespace,
        workflowExecution: execution,
        workflowExecutionOptions: {},
        updateMask: { paths: ['time_skipping_config'] },
      }),
    );
  const paused = (raw.pendingActivities ?? []).filter((activity) => activity.paused && activity.activityId);
  if (paused.length > 0)
    await undo(
      'has paused calls',
      ...paused.map(
        ({ activityId }) =>
          () =>
            client.workflowService.unpauseActivity({ namespace, execution, identity, id: activityId ?? '' }),
      ),
    );
  return { heldUp, failed };
}

/**
 * Runs postponed calls now, and restores what a run has set for those that wait: their queue and timeouts. `WaitingCalls` reports which these are. Never
 * rejects: it is retried as long as they wait.
 */
export async function askAnew(
  client: Client,
  { workflowId, runId }: Pick<WorkflowExecutionDescription, 'workflowId' | 'runId'>,
  { putOff, perhapsChanged }: Pick<CallsThatWait, 'putOff' | 'perhapsChanged'>,
): Promise<void> {
  const { namespace } = client.options;
  const common = { namespace, execution: { workflowId, runId }, identity };
  const calls = [
    ...putOff.map(({ activityId }) => {
      return () => client.workflowService.resetActivity({ ...common, id: activityId ?? '', restoreOriginalOptions: true });
    }),
    // An attempt in progress goes on.
    ...perhapsChanged.map(({ activityId }) => {
      return () => client.workflowService.updateActivityOptions({ ...common, id: activityId ?? '', restoreOriginal: true });
    }),
  ];
  await Promise.allSettled(calls.map((call) => client.withDeadline(Date.now() + callMs, call)));
}

type Override = NonNullable<
  NonNullable<WorkflowExecutionDescription['raw']['workflowExecutionInfo']>['versioningInfo']
>['versioningOverride'];

function isAsSaid(override: Override, pinnedTo: WorkerDeploymentVersion | 'none'): boolean {
  const { pinned, autoUpgrade } = override ?? {};
  if (pinnedTo === 'none') return !pinned && !autoUpgrade;
  const { buildId, deploymentName } = pinned?.version ?? {};
  return !autoUpgrade && buildId === pinnedTo.buildId && deploymentName === pinnedTo.deploymentName;
}

function overrideTo(version: WorkerDeploymentVersion) {
  const { PinnedOverrideBehavior } = proto.temporal.api.workflow.v1.VersioningOverride;
  return { pinned: { behavior: PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED, version } };
}
