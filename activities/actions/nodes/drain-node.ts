import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { DrainNodeInput, DrainNodeOutput } from '../../../core/actions/nodes/drain-node.schema.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { isHeldByCell } from '../../../core/cluster/before-state.ts';
import { names } from '../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import {
  despiteConflicts,
  fieldOf,
  listObjects,
  type ObjectJson,
  type ObjectRef,
  patchField,
  readKnownObject,
  targetOf,
} from '../../../integrations/kubernetes/objects.ts';
import { mirrorAnnotation, type PodJson, podRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { budgetsIn } from '../../../integrations/kubernetes/workloads/disruption.ts';
import { controllerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { crowdingOn, roomNotes, without } from '../note-room.ts';
import { budgetNote, evict, heldText, severalText } from '../workloads/eviction.ts';
import { endsLateText, lookFor, podsLeft } from '../workloads/pods-ended.ts';
import { evidenceOfSuspect } from '../workloads/rolled-out.ts';

/** How long to wait for evicted pods to end. */
const withinMs = 150_000;

interface DrainNodeOptions {
  readonly api: KubernetesApi;
  /** Identifies notes of other steps on the node, which stay, and pods in quarantine, which stay too. */
  readonly cellKey: CellKey;
  /** Pods of these namespaces stay: protected pods are not evicted as a side effect. */
  readonly isProtected: (namespace: string) => boolean;
  readonly pollMs?: number;
  /** How long to wait for budgets: 8 min. */
  readonly heldMs?: number;
}

interface Found {
  readonly pod: ResolvedPod;
  readonly text: string;
  readonly labels: PodRecord['labels'];
  /** Whether a controller starts another in its place. */
  readonly comesBack: boolean;
  /** Why it stays; absent: it is to be evicted. */
  readonly stays?: string;
}

/** Takes a node out of service and evicts its pods; see the declaration in `core/actions/nodes/drain-node.ts`. */
export function drainNodeImplementation(options: DrainNodeOptions): ActionImplementation<DrainNodeInput, DrainNodeOutput> {
  const { api, cellKey, isProtected, pollMs = 1_000, heldMs = 480_000 } = options;
  const marks = [names.stepAnnotation, names.incidentAnnotation];
  const crowding = (ref: ObjectRef, object: ObjectJson) => crowdingOn({ ref, object, names: marks, cellKey });

  const refOf = ({ node }: DrainNodeInput): ObjectRef => ({ kind: 'Node', resource: 'nodes', name: node.name });

  const podsOn = async ({ node }: DrainNodeInput, signal: AbortSignal): Promise<readonly Found[]> => {
    const query = { fieldSelector: `spec.nodeName=${node.name}` };
    const pods = await listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods' }, query, signal });
    return pods
      .filter(({ metadata = {}, status }) => !endsSoon(metadata) && status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
      .map((json) => foundOf(json, { isProtected, cellKey }))
      .sort((a, b) => (a.text < b.text ? -1 : 1));
  };

  const cordon = async (input: DrainNodeInput, { key, incident, signal }: StepContext): Promise<string> => {
    const ref = refOf(input);
    const seen = await readKnownObject({ api, ref, signal });
    if (seen.metadata.annotations?.[names.stepAnnotation] !== key || fieldOf(seen, ['spec', 'unschedulable']) !== true) {
      const own = { [names.stepAnnotation]: key, [names.incidentAnnotation]: incident };
      const annotations = { ...without(crowding(ref, seen)), ...own };
      await patchField({ api, ref, seen, path: ['spec', 'unschedulable'], value: true, annotations, signal });
    }
    return seen.metadata.uid;
  };

  return {
    async plan(input, { signal }) {
      const ref = refOf(input);
      const [node, pods] = await Promise.all([readKnownObject({ api, ref, signal }), podsOn(input, signal)]);
      const leaving = pods.filter(({ stays }) => stays === undefined);
      const held = await heldNotes(api, leaving, signal);
      const target = targetOf(ref);
      return {
        target: { name: target, uid: node.metadata.uid },
        ...evidenceOfSuspect(input.suspect),
        changes: [
          { target, what: 'becomes unschedulable' },
          ...leaving.map(({ text }) => ({ target: text, what: 'is evicted, when its disruption budgets allow it' })),
        ],
        blastRadius: [target, ...leaving.map(({ text }) => text)].sort(),
        notes: [
          'A drain contains nothing: anyone who is root on the node, or in a pod that stays, is still there.',
          ...pods.flatMap(({ text, stays }) => (stays === undefined ? [] : [`${text} stays: ${stays}.`])),
          ...held,
          ...roomNotes(target, crowding(ref, node).length),
          ...leaving.flatMap(({ text, comesBack }) => (comesBack ? [] : [`${text} has no controller: nothing restarts it.`])),
        ],
      };
    },

    async started(input, { key, signal }) {
      const node = await readKnownObject({ api, ref: refOf(input), signal });
      return node.metadata.annotations?.[names.stepAnnotation] === key;
    },

    async apply(input, context) {
      const { signal } = context;
      const uid = await despiteConflicts(() => cordon(input, context));
      const pods = await podsOn(input, signal);
      const left: { pod: string; reason: string }[] = pods.flatMap(({ text, stays }) =>
        stays === undefined ? [] : [{ pod: text, reason: stays }],
      );
      const evicted: ResolvedPod[] = [];
      let waiting = pods.filter(({ stays }) => stays === undefined);
      const end = Date.now() + heldMs;
      while (waiting.length > 0) {
        const held: Found[] = [];
        for (const found of waiting) {
          const outcome = await evict({ api, pod: found.pod, signal });
          if (outcome === 'held') held.push(found);
          else if (outcome === 'several') left.push({ pod: found.text, reason: severalText });
          else evicted.push(found.pod);
        }
        waiting = held;
        if (waiting.length === 0) break;
        if (Date.now() > end) {
          left.push(...waiting.map(({ text }) => ({ pod: text, reason: heldText })));
          break;
        }
        await sleep(pollMs, undefined, { signal });
      }
      return { node: { name: input.node.name, uid }, evicted, left };
    },

    async verify({ node, evicted, left }, { signal }) {
      const ref = refOf({ node });
      const { lasting, ending } = await podsLeft({ look: lookFor(api, evicted, signal), withinMs, ending: { pollMs }, signal });
      if (ending.length > 0)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${ending.join(', ')}: being ended, but not gone yet`);
      const now = await readKnownObject({ api, ref, signal });
      if (now.metadata.uid !== node.uid)
        throw new FirebreakError('FB_ERR_TARGET_REPLACED', `${targetOf(ref)} is another node now, with another uid`);
      const missing = [
        ...(fieldOf(now, ['spec', 'unschedulable']) === true ? [] : ['somebody has made it schedulable again']),
        ...lasting,
        ...left.filter(({ reason }) => isOpen(reason)).map(({ pod, reason }) => `${pod}: ${reason}`),
      ];
      const gone = evicted.length - lasting.length;
      const count = gone === 1 ? '1 pod has' : `${gone} pods have`;
      const stay = left.filter(({ reason }) => !isOpen(reason)).length;
      const detail = `the node is unschedulable, ${count} left it${stay > 0 ? `, and ${stay} stay as planned` : ''}`;
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };
}

/** Whether it was meant to leave, but did not. */
function isOpen(reason: string): boolean {
  return reason === heldText || reason === severalText || reason.startsWith(`it ${endsLateText('')}`);
}

/** Whether a pod is being deleted and is soon gone. With a longer grace period it stays for that long. */
function endsSoon({ deletionTimestamp, deletionGracePeriodSeconds = 0 }: NonNullable<PodJson['metadata']>): boolean {
  return deletionTimestamp !== undefined && deletionGracePeriodSeconds * 1_000 <= withinMs;
}

function foundOf(json: PodJson, by: Pick<DrainNodeOptions, 'cellKey' | 'isProtected'>): Found {
  const record = podRecord(json);
  const { namespace, name, uid } = record;
  const stays = whyItStays(json, by);
  return {
    pod: { namespace, name, uid },
    text: `pod/${namespace}/${name}`,
    labels: record.labels,
    comesBack: controllerOf(record.owners) !== undefined,
    ...(stays !== undefined && { stays }),
  };
}

async function heldNotes(api: KubernetesApi, leaving: readonly Found[], signal: AbortSignal): Promise<readonly string[]> {
  const namespaces = [...new Set(leaving.map(({ pod }) => pod.namespace))];
  const budgets = new Map(
    await Promise.all(namespaces.map(async (namespace) => [namespace, await budgetsIn({ api, namespace, signal })] as const)),
  );
  return leaving.flatMap(({ pod, text, labels }) => budgetNote(text, labels, budgets.get(pod.namespace) ?? []) ?? []);
}

function whyItStays(
  json: PodJson,
  { isProtected, cellKey }: Pick<DrainNodeOptions, 'cellKey' | 'isProtected'>,
): string | undefined {
  const record = podRecord(json);
  if (record.annotations[mirrorAnnotation] !== undefined) return 'it is a static pod of the node itself';
  // Nobody may postpone a deletion that was already ordered.
  if (json.metadata?.deletionTimestamp !== undefined) return `it ${endsLateText(json.metadata.deletionTimestamp)}`;
  if (controllerOf(record.owners)?.kind === 'DaemonSet') return 'its DaemonSet would put it back at once';
  if (json.spec?.priorityClassName?.startsWith('system-')) return 'it is critical for the cluster';
  if (isProtected(record.namespace)) return `the namespace ${record.namespace} is protected`;
  if (isHeldByCell(record, cellKey)) return 'it is quarantined: it is evidence';
  return undefined;
}
