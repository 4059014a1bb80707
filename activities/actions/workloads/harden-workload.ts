import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ActionImplementation } from '../../../core/action/action.ts';
import {
  type HardenedSpec,
  type Hardening,
  harden,
  hardenedFieldsText,
  hardeningBefore,
  unharden,
} from '../../../core/action/hardening.ts';
import type { HardenWorkloadInput, HardenWorkloadOutput } from '../../../core/actions/workloads/harden-workload.schema.ts';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { templateDifference } from '../../../core/cluster/template-difference.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { despiteConflicts, type ObjectRef, targetOf } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type RollingObject, rolloutOf, whyNotRoll } from '../../../integrations/kubernetes/workloads/rollout.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { annotationPointer, crowdingOn, removing, roomNotes } from '../note-room.ts';
import { whyNoAppArmor } from './app-armor.ts';
import { evidenceOfSuspect, type RollingParts, readRolling, rolloutVerdict } from './rolled-out.ts';

const kinds = ['Deployment', 'StatefulSet', 'DaemonSet'];
const fields = z.record(z.string(), z.unknown()).nullable();
/** Mark on the workload: which step, since when, how far, and the previous values of the touched fields. */
const markSchema = z.object({
  step: z.string(),
  at: z.iso.datetime(),
  state: z.enum(['hardened', 'rolled back']),
  before: z.object({
    pod: z.object({
      securityContext: fields,
      hostUsers: z.boolean().nullable(),
      automountServiceAccountToken: z.boolean().nullable(),
    }),
    containers: z.record(z.string(), fields),
  }),
});
type Mark = z.infer<typeof markSchema>;

/** Takes away what a workload need not be able to do; see the declaration in `core/actions/workloads/harden-workload.ts`. */
export function hardenWorkloadImplementation({
  api,
  cellKey,
  view,
  appArmorOnEveryNode = false,
  pollMs = 500,
  rollMs = 150_000,
}: RollingParts & {
  /** Identifies notes of other steps on the workload, which stay. */
  readonly cellKey?: CellKey;
  readonly view: Pick<ClusterView, 'ready' | 'pods'>;
  /** What the configuration says; without it, what the pods that run there show. */
  readonly appArmorOnEveryNode?: boolean;
}): ActionImplementation<HardenWorkloadInput, HardenWorkloadOutput> {
  const noAppArmor = ({ spec }: RollingObject): string | undefined =>
    whyNoAppArmor({ view, everywhere: appArmorOnEveryNode, template: spec?.template });
  const left = ({ leave = [] }: HardenWorkloadInput, object: RollingObject): readonly Hardening[] =>
    noAppArmor(object) === undefined ? leave : [...leave, 'appArmor'];
  const read = ({ workload }: Pick<HardenWorkloadInput, 'workload'>, signal: AbortSignal) =>
    readRolling(api, { workload, kinds }, signal);

  const crowding = (ref: ObjectRef, object: RollingObject) =>
    crowdingOn({ ref, object, names: [names.hardenedAnnotation, names.hardenedFromAnnotation], cellKey });

  const patch = (call: {
    readonly ref: ObjectRef;
    readonly seen: RollingObject;
    readonly spec: HardenedSpec;
    readonly mark?: Mark;
    readonly signal: AbortSignal;
  }): Promise<RollingObject> => {
    const { ref, seen, spec, mark, signal } = call;
    const { uid, resourceVersion, annotations } = seen.metadata;
    const lines = hardenedFieldsText(specOf(seen));
    return api.json<RollingObject>({
      method: 'PATCH',
      patch: 'json',
      path: pathOf(ref),
      query: { fieldManager: names.fieldManager, ...(mark === undefined && { dryRun: 'All' }) },
      body: [
        // Set, not tested: the API server does not treat a failed test as a conflict, so it would not be retried.
        { op: 'replace', path: '/metadata/uid', value: uid },
        { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
        { op: 'replace', path: '/spec/template/spec', value: spec },
        ...(mark ? removing(crowding(ref, seen)) : []),
        ...(mark && !annotations ? [{ op: 'add', path: '/metadata/annotations', value: {} }] : []),
        ...(mark ? [{ op: 'add', path: annotationPointer(names.hardenedAnnotation), value: JSON.stringify(mark) }] : []),
        ...(mark?.state === 'hardened'
          ? [{ op: 'add', path: annotationPointer(names.hardenedFromAnnotation), value: lines }]
          : []),
      ],
      what: `patch ${ref.resource} in ${ref.namespace}`,
      signal,
    });
  };

  /** Waits until it is as it should be; returns true if its pods are available in time. */
  const stands = async (input: HardenWorkloadInput, until: number, signal: AbortSignal): Promise<boolean> => {
    for (;;) {
      const { ref, object } = await read(input, signal);
      const rollout = rolloutOf(ref.kind, object);
      if (rollout.state === 'done') return true;
      if (rollout.state === 'stuck' || Date.now() > until) return false;
      await sleep(pollMs, undefined, { signal });
    }
  };

  const giveBack = (input: HardenWorkloadInput, key: string, signal: AbortSignal): Promise<void> =>
    despiteConflicts(async () => {
      const { ref, object } = await read(input, signal);
      const mark = markOf(object, key);
      if (mark?.state !== 'hardened') return;
      const spec = unharden(specOf(object), mark.before);
      await patch({ ref, seen: object, spec, mark: { ...mark, state: 'rolled back' }, signal });
    });

  return {
    async plan(input, { signal }) {
      const { ref, object, dry } = await despiteConflicts(async () => {
        const { ref, object } = await read(input, signal);
        const why = whyNotRoll(ref.kind, object);
        if (why !== undefined) throw new FirebreakError('FB_ERR_REFUSED', `${targetOf(ref)}: ${why}`);
        // As the API server would store it, admission included; a missing right is reported before people are asked.
        return {
          ref,
          object,
          dry: await patch({ ref, seen: object, spec: harden(specOf(object), left(input, object)), signal }),
        };
      });
      const target = targetOf(ref);
      const difference = templateDifference(object.spec?.template, dry.spec?.template);
      if (difference.length === 0)
        throw new FirebreakError('FB_ERR_REFUSED', `${target} already has everything that it would be given`);
      const writer = otherWriter(object.metadata);
      const noProfile = input.leave?.includes('appArmor') ? undefined : noAppArmor(object);
      return {
        target: { name: target, uid: object.metadata.uid },
        ...evidenceOfSuspect(input.suspect),
        changes: [
          {
            target,
            what: 'gets a hardened pod template, and rolls: each of its pods is ended and replaced by a new one',
          },
        ],
        blastRadius: [target],
        notes: [
          ...difference.map((line) => `Difference: ${line}.`),
          `If its pods are not available within ${Math.round(rollMs / 1_000)} s, the old fields are restored automatically, and it rolls once more.`,
          'What is only in the memory and the file system of its pods is gone for good. Quarantined pods are no longer its own: they stay.',
          'Only its users can tell whether it works as well as it did: a pod can be ready, and still fail at what it is rarely asked for.',
          ...roomNotes(target, crowding(ref, object).length),
          ...(noProfile === undefined ? [] : [`It gets no AppArmor profile: ${noProfile}.`]),
          ...(writer ? [`It is managed by ${writer.named}, which may take this back: harden it there too.`] : []),
        ],
      };
    },

    async started(input, { key, signal }) {
      return markOf((await read(input, signal)).object, key) !== undefined;
    },

    async apply(input, { key, signal }) {
      const begun = await despiteConflicts(async () => {
        const { ref, object } = await read(input, signal);
        const known = markOf(object, key);
        if (known) return { mark: known, uid: object.metadata.uid };
        const spec = specOf(object);
        const at = new Date().toISOString();
        const mark: Mark = { step: stepHash(key), at, state: 'hardened', before: structuredClone(hardeningBefore(spec)) };
        await patch({ ref, seen: object, spec: harden(spec, left(input, object)), mark, signal });
        return { mark, uid: object.metadata.uid };
      });
      const { kind, namespace, name } = input.workload;
      const target = `${kind.toLowerCase()}/${namespace}/${name}`;
      if (begun.mark.state === 'hardened') {
        if (await stands(input, Date.parse(begun.mark.at) + rollMs, signal)) return { workload: input.workload, uid: begun.uid };
        await giveBack(input, key, signal);
      }
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `${target} does not become ready that way: its old fields were restored, and it rolls back to them`,
      );
    },

    async verify({ workload, uid }, { key, signal }) {
      const { ref, object } = await read({ workload }, signal);
      if (object.metadata.uid !== uid)
        throw new FirebreakError('FB_ERR_TARGET_REPLACED', `${targetOf(ref)} is another object now, with another uid`);
      const rollout = rolloutOf(ref.kind, object);
      if (rollout.state !== 'done') return { state: 'unverified', detail: rollout.detail };
      const undone = markOf(object, key) ? undefined : 'somebody has since removed the mark of this hardening';
      return rolloutVerdict(
        { api, pollMs },
        { ref, object, signal },
        { undone, done: 'all its pods are hardened and available' },
      );
    },
  };
}

function specOf(object: RollingObject): HardenedSpec {
  const spec = object.spec?.template?.spec;
  return typeof spec === 'object' && spec !== null ? (spec as HardenedSpec) : {};
}

/** The mark of this very step. Anything else in the annotation is somebody else's. */
function markOf({ metadata }: RollingObject, key: string): Mark | undefined {
  try {
    const parsed = markSchema.safeParse(JSON.parse(metadata.annotations?.[names.hardenedAnnotation] ?? ''));
    return parsed.success && parsed.data.step === stepHash(key) ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
