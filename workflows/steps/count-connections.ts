import type { StepCall } from '../../core/action/step.ts';
import type { CountConnectionsOutput } from '../../core/actions/containment/count-connections.schema.ts';
import { countConnections } from '../../core/actions/index.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { ConnectionCount } from '../../core/incident/connections.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import { stepFailure } from '../calls.ts';
import { condition } from '../world.ts';
import type { StepOrder } from './step-calls.ts';

/** Pods of one quarantine whose connections are counted per check: each briefly needs a pod of ours on its node. */
const mostPods = 4;
/** Pods that are gone by now are skipped. */
const mostTried = 20;
/** A check does not wait longer. The steps go on, and are recorded on their own. */
const withinMs = 120_000;

const isGone: ReadonlySet<ErrorCode> = new Set(['FB_ERR_NOT_FOUND', 'FB_ERR_TARGET_REPLACED']);

/**
 * Counts the open connections of a quarantine's pods, with a step of the forensics pool for each of the first few. Pods that are gone are not reported.
 * @throws never: anything that cannot be determined is reported as such
 */
export async function countAtPods({
  call: { playbook, workload, doubt },
  pods,
  run,
}: {
  /** Call of the quarantine. */
  readonly call: StepCall;
  readonly pods: readonly ResolvedPod[];
  readonly run: (order: StepOrder) => Promise<StepResult>;
}): Promise<readonly ConnectionCount[]> {
  const counts: ConnectionCount[] = [];
  const waiting = pods.slice(0, mostTried);
  let isOver = false;

  const countAt = async (pod: ResolvedPod): Promise<void> => {
    // Separate from what the playbook itself may count at the pod.
    const caller = { playbook, subjectKey: `pod:${pod.uid}/effect`, workload, doubt };
    const count = await run({ caller, declaration: countConnections, input: { pod } }).then(
      (result) => countOf(result, pod),
      (error: unknown) => {
        const { code, message } = stepFailure(error);
        return isGone.has(code) ? undefined : { unknown: message };
      },
    );
    if (count && !isOver) counts.push(count);
  };
  const inTurns = async (): Promise<void> => {
    while (waiting.length > 0 && counts.length < mostPods && !isOver)
      await Promise.all(waiting.splice(0, mostPods - counts.length).map(countAt));
    isOver = true;
  };

  void inTurns();
  if (await condition(() => isOver, withinMs)) return counts;
  isOver = true;
  return [...counts, { unknown: `the forensics pool did not count them within ${withinMs / 60_000} minutes` }];
}

/** It is the pool's own answer to this very step; an answer about another pod does not count. */
function countOf({ output }: StepResult, { uid }: ResolvedPod): ConnectionCount {
  // The chokepoint has checked its output against its schema.
  const found = output as CountConnectionsOutput;
  return found.pod.uid === uid ? { found } : { unknown: 'another pod was counted' };
}
