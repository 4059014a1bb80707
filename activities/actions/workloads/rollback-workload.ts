import type { ActionImplementation } from '../../../core/action/action.ts';
import type { RollbackWorkloadInput, RollbackWorkloadOutput } from '../../../core/actions/workloads/rollback-workload.schema.ts';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { templateDifference } from '../../../core/cluster/template-difference.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { plainJson } from '../../../core/text/plain-json.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import {
  despiteConflicts,
  listObjects,
  type ObjectJson,
  type ObjectRef,
  targetOf,
} from '../../../integrations/kubernetes/objects.ts';
import { type RollingObject, whyNotRoll } from '../../../integrations/kubernetes/workloads/rollout.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { annotationPointer, crowdingOn, removing, roomNotes } from '../note-room.ts';
import { evidenceOfSuspect, type RollingParts, readRolling, rolloutVerdict, waitForRollout } from './rolled-out.ts';

const kinds = ['Deployment'];
const revisionAnnotation = 'deployment.kubernetes.io/revision';
const hashLabel = 'pod-template-hash';

interface ReplicaSet extends RollingObject {
  readonly metadata: RollingObject['metadata'] & { readonly ownerReferences?: readonly { readonly uid: string }[] };
}

type Template = Readonly<Record<string, unknown>>;

interface Work {
  readonly ref: ReturnType<typeof workloadRef>;
  readonly object: RollingObject;
  readonly revision: number;
  readonly template: Template;
}

/** Annotations that leave no room for the mark. The Deployment's controller counts by the revision. */
function crowding(ref: ObjectRef, object: ObjectJson): readonly string[] {
  return crowdingOn({ ref, object, names: [names.rolledBackByAnnotation, revisionAnnotation] });
}

function revisionOf({ metadata }: ObjectJson): number {
  return Number(metadata.annotations?.[revisionAnnotation] ?? 0);
}

/** The template as the Deployment had it, without the hash that the controller adds to the ReplicaSet's. */
function templateOf({ spec }: RollingObject): Template {
  const { metadata, ...rest } = { ...spec?.template };
  const { labels, ...others } = { ...(metadata as Template | undefined) };
  const { [hashLabel]: _, ...kept } = { ...(labels as Template | undefined) };
  return { metadata: { ...others, labels: kept }, ...rest };
}

/** Restores an earlier template of a Deployment; see the declaration in `core/actions/workloads/rollback-workload.ts`. */
export function rollbackWorkloadImplementation(
  parts: RollingParts,
): ActionImplementation<RollbackWorkloadInput, RollbackWorkloadOutput> {
  const { api } = parts;
  const isMarked = ({ metadata }: ObjectJson, key: string): boolean =>
    metadata.annotations?.[names.rolledBackByAnnotation]?.startsWith(`${stepHash(key)}/`) === true;

  const workOf = async ({ workload, toRevision }: RollbackWorkloadInput, signal: AbortSignal): Promise<Work> => {
    const { ref, object } = await readRolling(api, { workload, kinds }, signal);
    const sets = await listObjects<ReplicaSet>({
      api,
      ref: { kind: 'ReplicaSet', group: 'apps', resource: 'replicasets', namespace: workload.namespace },
      signal,
    });
    const target = targetOf(ref);
    const now = canonicalJson(plainJson(templateOf(object)));
    const earlier = sets
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid))
      .filter((set) => canonicalJson(plainJson(templateOf(set))) !== now)
      .sort((a, b) => revisionOf(b) - revisionOf(a));
    const wanted = toRevision === undefined ? earlier[0] : earlier.find((set) => revisionOf(set) === toRevision);
    if (!wanted)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `${target} has no ${toRevision === undefined ? 'earlier revision' : `revision ${toRevision} that differs`}: its history is kept as spec.revisionHistoryLimit says`,
      );
    return { ref, object, revision: revisionOf(wanted), template: templateOf(wanted) };
  };

  return {
    async plan(input, { signal }) {
      const { ref, object, revision, template } = await workOf(input, signal);
      const target = targetOf(ref);
      const why = whyNotRoll(ref.kind, object);
      if (why !== undefined) throw new FirebreakError('FB_ERR_REFUSED', `${target}: ${why}`);
      const writer = otherWriter(object.metadata);
      return {
        target: { name: target, uid: object.metadata.uid },
        ...evidenceOfSuspect(input.suspect),
        changes: [{ target, what: `gets the pod template of its revision ${revision}, and rolls` }],
        blastRadius: [target],
        notes: [
          ...templateDifference(templateOf(object), template).map((line) => `Difference: ${line}.`),
          'ConfigMaps and Secrets that it refers to stay as they are now.',
          ...roomNotes(target, crowding(ref, object).length),
          ...(writer ? [`It is managed by ${writer.named}, which will roll it forward again: roll back there too.`] : []),
        ],
      };
    },

    async started({ workload }, { key, signal }) {
      return isMarked((await readRolling(api, { workload, kinds }, signal)).object, key);
    },

    async apply(input, { key, signal }) {
      return despiteConflicts(async () => {
        const { object: seen } = await readRolling(api, { workload: input.workload, kinds }, signal);
        const mark = seen.metadata.annotations?.[names.rolledBackByAnnotation];
        if (isMarked(seen, key))
          return { workload: input.workload, uid: seen.metadata.uid, revision: Number(mark?.split('/')[1] ?? 0) };
        const { ref, object, revision, template } = await workOf(input, signal);
        const { uid, resourceVersion, annotations } = object.metadata;
        const value = `${stepHash(key)}/${revision}`;
        await api.json({
          method: 'PATCH',
          patch: 'json',
          path: pathOf(ref),
          query: { fieldManager: names.fieldManager },
          body: [
            // Set, not tested: the API server does not treat a failed test as a conflict, so it would not be retried.
            { op: 'replace', path: '/metadata/uid', value: uid },
            { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
            { op: 'replace', path: '/spec/template', value: template },
            ...removing(crowding(ref, object)),
            ...(annotations ? [] : [{ op: 'add', path: '/metadata/annotations', value: {} }]),
            { op: 'add', path: annotationPointer(names.rolledBackByAnnotation), value },
          ],
          what: `patch deployments in ${input.workload.namespace}`,
          signal,
        });
        return { workload: input.workload, uid, revision };
      });
    },

    async verify({ workload, uid }, { key, signal }) {
      const ref = workloadRef(workload, kinds);
      const object = await waitForRollout(parts, { ref, uid, signal });
      const undone = isMarked(object, key) ? undefined : 'somebody has changed it since this rollback';
      return rolloutVerdict(
        parts,
        { ref, object, signal },
        { undone, done: 'all its pods are of the earlier template and available' },
      );
    },
  };
}
