import type { ActionImplementation } from '../../../core/action/action.ts';
import type { SuspendRolloutInput, SuspendRolloutOutput } from '../../../core/actions/workloads/suspend-rollout.schema.ts';
import { suspendRollout } from '../../../core/actions/workloads/suspend-rollout.ts';
import { readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { type HeldField, plannedBefore, plannedRoom, requireHeld } from '../held-field.ts';
import type { PauseParts } from '../paused-declarer.ts';
import { heldWorkload } from './held-workload.ts';

type Implementation = ActionImplementation<SuspendRolloutInput, SuspendRolloutOutput>;

/** Pauses a Deployment; see the declaration in `core/actions/workloads/suspend-rollout.ts`. */
export function suspendRolloutImplementation(parts: PauseParts): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, cellKey } = parts;
  const { withDeclarer, hold, ...steps } = heldWorkload(parts, fieldOn, ({ wasPaused }) => wasPaused === false);

  return {
    ...steps,

    async plan({ deployment }, { incident, key, signal }) {
      const field = fieldOn({ deployment });
      const object = await readKnownObject({ api, ref: field.ref, signal });
      const before = plannedBefore({ object, cellKey, field, incident });
      const target = targetOf(field.ref);
      const plan = {
        target: { name: target, uid: object.metadata.uid },
        changes: [{ target, what: 'is paused: a changed template is not rolled out' }],
        blastRadius: [target],
        notes: [
          'Its pods keep running. It is still scaled and still replaces pods that end, from the template that it had.',
          'A rotation of its Secrets and a restart change the template too: they wait until it is resumed.',
          ...(before === true ? ['Somebody has already paused it: undoing this leaves it paused.'] : []),
          ...plannedRoom({ object, cellKey, field, incident, key }),
        ],
      };
      return withDeclarer(plan, { input: { deployment }, object, signal });
    },

    async apply({ deployment }, context) {
      const { before, ...paused } = await hold({ deployment }, context);
      return { deployment, wasPaused: before === true, ...paused };
    },

    async verify({ deployment }, { incident, signal }) {
      const field = fieldOn({ deployment });
      requireHeld({ object: await readKnownObject({ api, ref: field.ref, signal }), cellKey, field, incident });
      return { state: 'applied', detail: 'it is paused; its pods keep running' };
    },
  };
}

function fieldOn({ deployment }: { readonly deployment: SuspendRolloutInput['deployment'] }): HeldField {
  return {
    action: suspendRollout,
    ref: workloadRef({ kind: 'Deployment', ...deployment }),
    path: ['spec', 'paused'],
    value: () => true,
  };
}
