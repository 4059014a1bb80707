import type { ActionImplementation } from '../../../core/action/action.ts';
import type { RestartWorkloadInput, RestartWorkloadOutput } from '../../../core/actions/workloads/restart-workload.schema.ts';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { whyNoRoomForMark } from '../../../integrations/kubernetes/annotation-room.ts';
import { despiteConflicts, fieldOf, patchField, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { type RollingObject, whyNotRoll } from '../../../integrations/kubernetes/workloads/rollout.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { evidenceOfSuspect, type RollingParts, readRolling, rolloutVerdict, waitForRollout } from './rolled-out.ts';

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'];
const markAt = ['spec', 'template', 'metadata', 'annotations'];

/** Rolls a workload with one annotation on its template; see the declaration in `core/actions/workloads/restart-workload.ts`. */
export function restartWorkloadImplementation(
  parts: RollingParts,
): ActionImplementation<RestartWorkloadInput, RestartWorkloadOutput> {
  const { api } = parts;
  const isMarked = (object: RollingObject, key: string): boolean =>
    fieldOf(object, [...markAt, names.restartedByAnnotation]) === stepHash(key);

  const whyNoRoom = (object: RollingObject, key: string): string | undefined => {
    const found = fieldOf(object, markAt);
    const notes = isObject(found)
      ? Object.entries(found).filter((one): one is [string, string] => typeof one[1] === 'string')
      : [];
    const mark = { name: names.restartedByAnnotation, value: stepHash(key), of: 'a restart' };
    return whyNoRoomForMark(Object.fromEntries(notes), mark);
  };

  return {
    async plan({ workload, suspect }, { key, signal }) {
      const { ref, object } = await readRolling(api, { workload, kinds }, signal);
      const why = whyNotRoll(ref.kind, object) ?? whyNoRoom(object, key);
      const target = targetOf(ref);
      if (why !== undefined) throw new FirebreakError('FB_ERR_REFUSED', `${target}: ${why}`);
      const writer = otherWriter(object.metadata);
      return {
        target: { name: target, uid: object.metadata.uid },
        ...evidenceOfSuspect(suspect),
        changes: [{ target, what: 'rolls: each of its pods is ended and replaced by a new one of the same template' }],
        blastRadius: [target],
        notes: [
          'What is only in the memory and the file system of its pods is gone for good. Quarantined pods are no longer its own: they stay.',
          ...(ref.kind === 'StatefulSet' ? ['A StatefulSet rolls one pod after another, and its volumes stay.'] : []),
          'It rolls as fast as its own strategy allows; the same image and configuration come back, with the same vulnerability.',
          ...(writer ? [`It is managed by ${writer.named}, which may remove the mark again: then it rolls once more.`] : []),
        ],
      };
    },

    async started({ workload }, { key, signal }) {
      return isMarked((await readRolling(api, { workload, kinds }, signal)).object, key);
    },

    async apply({ workload }, { key, signal }) {
      return despiteConflicts(async () => {
        const { ref, object } = await readRolling(api, { workload, kinds }, signal);
        const output = { workload, uid: object.metadata.uid };
        if (isMarked(object, key)) return output;
        const value = { [names.restartedByAnnotation]: stepHash(key) };
        await patchField({ api, ref, seen: object, path: markAt, value, annotations: {}, signal });
        return output;
      });
    },

    async verify({ workload, uid }, { key, signal }) {
      const ref = workloadRef(workload, kinds);
      const object = await waitForRollout(parts, { ref, uid, signal });
      const undone = isMarked(object, key)
        ? undefined
        : 'somebody has since removed the mark of this restart: it may have rolled twice';
      return rolloutVerdict(parts, { ref, object, signal }, { undone, done: 'all its pods are new and available' });
    },
  };
}
