import type { V1CronJob } from '@kubernetes/client-node';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type { SuspendCronJobInput, SuspendCronJobOutput } from '../../../core/actions/workloads/suspend-cron-job.schema.ts';
import { suspendCronJob } from '../../../core/actions/workloads/suspend-cron-job.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { type ObjectJson, readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import type { Jsonify } from '../../../integrations/kubernetes/watch/projection.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { type HeldField, heldFieldSteps, holdField, plannedChange, requireHeld } from '../held-field.ts';

type Implementation = ActionImplementation<SuspendCronJobInput, SuspendCronJobOutput>;
type CronJobJson = ObjectJson & Partial<Pick<Jsonify<V1CronJob>, 'spec' | 'status'>>;

/** Keeps a CronJob from starting Jobs; see the declaration in `core/actions/workloads/suspend-cron-job.ts`. */
export function suspendCronJobImplementation(options: {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
}): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, cellKey } = options;
  const read = async (field: HeldField, signal: AbortSignal): Promise<CronJobJson> =>
    readKnownObject({ api, ref: field.ref, signal });

  return {
    ...heldFieldSteps({ api, cellKey }, fieldOn),

    async plan({ cronJob }, { incident, signal }) {
      const field = fieldOn({ cronJob });
      const object = await read(field, signal);
      const { before } = plannedChange({ object, cellKey, field, incident });
      const target = targetOf(field.ref);
      const writer = otherWriter(object.metadata);
      const { startingDeadlineSeconds: deadline } = object.spec ?? {};
      return {
        target: { name: target, uid: object.metadata.uid },
        changes: [{ target, what: 'is suspended: it starts no more Jobs' }],
        blastRadius: [target],
        notes: [
          'A Job of it that runs now runs on.',
          deadline === undefined
            ? 'When it is given back, a run that was missed meanwhile starts at once.'
            : `When it is given back, a run that was missed in the last ${deadline} s starts at once.`,
          ...(before === true ? ['Somebody has suspended it already: giving this back leaves it suspended.'] : []),
          ...(writer ? [`It is managed by ${writer.named}, which may take this back.`] : []),
        ],
      };
    },

    async apply({ cronJob }, context) {
      const { change } = await holdField({ api, cellKey, field: fieldOn({ cronJob }), context });
      return { cronJob, wasSuspended: change.before === true };
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
