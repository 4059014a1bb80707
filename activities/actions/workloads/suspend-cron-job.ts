import type { V1CronJob } from '@kubernetes/client-node';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type { SuspendCronJobInput, SuspendCronJobOutput } from '../../../core/actions/workloads/suspend-cron-job.schema.ts';
import { suspendCronJob } from '../../../core/actions/workloads/suspend-cron-job.ts';
import { type ObjectJson, readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import type { Jsonify } from '../../../integrations/kubernetes/watch/projection.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { type HeldField, plannedBefore, plannedRoom, requireHeld } from '../held-field.ts';
import type { PauseParts } from '../paused-declarer.ts';
import { heldWorkload } from './held-workload.ts';

type Implementation = ActionImplementation<SuspendCronJobInput, SuspendCronJobOutput>;
type CronJobJson = ObjectJson & Partial<Pick<Jsonify<V1CronJob>, 'spec' | 'status'>>;

/** Stops a CronJob from starting Jobs; see the declaration in `core/actions/workloads/suspend-cron-job.ts`. */
export function suspendCronJobImplementation(parts: PauseParts): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, cellKey } = parts;
  const { withDeclarer, hold, ...steps } = heldWorkload(parts, fieldOn, ({ wasSuspended }) => wasSuspended === false);
  const read = async (field: HeldField, signal: AbortSignal): Promise<CronJobJson> =>
    readKnownObject({ api, ref: field.ref, signal });

  return {
    ...steps,

    async plan({ cronJob }, { incident, key, signal }) {
      const field = fieldOn({ cronJob });
      const object = await read(field, signal);
      const before = plannedBefore({ object, cellKey, field, incident });
      const target = targetOf(field.ref);
      const { startingDeadlineSeconds: deadline } = object.spec ?? {};
      const plan = {
        target: { name: target, uid: object.metadata.uid },
        changes: [{ target, what: 'is suspended: it starts no more Jobs' }],
        blastRadius: [target],
        notes: [
          'A Job of it that is running keeps running.',
          deadline === undefined
            ? 'When it is resumed, a run that was missed meanwhile starts at once.'
            : `When it is resumed, a run that was missed in the last ${deadline} s starts at once.`,
          ...(before === true ? ['Somebody has already suspended it: undoing this leaves it suspended.'] : []),
          ...plannedRoom({ object, cellKey, field, incident, key }),
        ],
      };
      return withDeclarer(plan, { input: { cronJob }, object, signal });
    },

    async apply({ cronJob }, context) {
      const { before, ...paused } = await hold({ cronJob }, context);
      return { cronJob, wasSuspended: before === true, ...paused };
    },

    async verify({ cronJob }, { incident, signal }) {
      const field = fieldOn({ cronJob });
      const object = await read(field, signal);
      requireHeld({ object, cellKey, field, incident });
      const running = (object.status?.active ?? []).map(({ name }) => name ?? '').sort();
      return {
        state: 'applied',
        detail:
          running.length > 0
            ? `it starts no more Jobs; still running: ${running.join(', ')}`
            : 'it starts no more Jobs, and none runs',
      };
    },
  };
}

function fieldOn({ cronJob }: { readonly cronJob: SuspendCronJobInput['cronJob'] }): HeldField {
  return {
    action: suspendCronJob,
    ref: workloadRef({ kind: 'CronJob', ...cronJob }),
    path: ['spec', 'suspend'],
    value: () => true,
  };
}
