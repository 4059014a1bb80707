import { pathText, same } from '../../activities/actions/held-field.ts';
import { isChanged } from '../../activities/actions/made-object.ts';
import type { UndoResult } from '../../core/action/action.ts';
import { actions } from '../../core/actions/index.ts';
import { names } from '../../core/cluster/labels.ts';
import { noteAnnotation, type ObjectNote, openNote } from '../../core/cluster/object-note.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import type { Json } from '../../core/text/plain-json.ts';
import {
  deleteObject,
  fieldOf,
  listObjects,
  type ObjectJson,
  type ObjectRef,
  patchField,
  targetOf,
} from '../../integrations/kubernetes/objects.ts';
import type { Containment, FindOptions } from './containments.ts';

interface Place extends Omit<ObjectRef, 'name' | 'namespace'> {
  readonly namespaced: boolean;
}

const rbac = 'rbac.authorization.k8s.io';
const admission = 'admissionregistration.k8s.io';

/** Where actions hold a field or make an object. A binding goes before its policy. */
const places: readonly Place[] = [
  { kind: 'NetworkPolicy', group: 'networking.k8s.io', resource: 'networkpolicies', namespaced: true },
  { kind: 'Deployment', group: 'apps', resource: 'deployments', namespaced: true },
  { kind: 'StatefulSet', group: 'apps', resource: 'statefulsets', namespaced: true },
  { kind: 'ReplicaSet', group: 'apps', resource: 'replicasets', namespaced: true },
  { kind: 'CronJob', group: 'batch', resource: 'cronjobs', namespaced: true },
  { kind: 'RoleBinding', group: rbac, resource: 'rolebindings', namespaced: true },
  { kind: 'ClusterRoleBinding', group: rbac, resource: 'clusterrolebindings', namespaced: false },
  { kind: 'Node', resource: 'nodes', namespaced: false },
  {
    kind: 'ValidatingAdmissionPolicyBinding',
    group: admission,
    resource: 'validatingadmissionpolicybindings',
    namespaced: false,
  },
  { kind: 'ValidatingAdmissionPolicy', group: admission, resource: 'validatingadmissionpolicies', namespaced: false },
];

/** What an action did beside the cluster, to which nothing leads from here. */
const outsideOf: Readonly<Record<string, string>> = {
  cordonNode:
    'where actions.nodeIsolation is configured, the provider may still keep this node from its network, and is not asked from here: give it back there, too',
};

/** Objects other than pods on which an action has left its note. */
export async function findHeldObjects(options: FindOptions): Promise<readonly Containment[]> {
  const { api, namespace } = options;
  const found: Containment[] = [];
  for (const { namespaced, ...place } of places) {
    if (namespace !== undefined && !namespaced) continue;
    const objects = await listObjects({ api, ref: { ...place, ...(namespace !== undefined && { namespace }) } });
    for (const object of objects) {
      const { name, namespace: where } = object.metadata;
      const ref: ObjectRef = { ...place, name, ...(where !== undefined && { namespace: where }) };
      for (const { name: action } of actions) {
        const held = { ...options, ref, object, action };
        if (object.metadata.annotations?.[noteAnnotation(action)] !== undefined && !isCopy(held)) found.push(containmentOf(held));
      }
    }
  }
  return found;
}

interface Held extends FindOptions {
  readonly ref: ObjectRef;
  readonly object: ObjectJson;
  readonly action: string;
}

function noteOn({ ref, object, action, cellKey }: Held) {
  const { uid, annotations } = object.metadata;
  return openNote({ text: annotations?.[noteAnnotation(action)], action, object: targetOf(ref), uid, key: cellKey });
}

/** The Deployment controller copies a Deployment's annotations onto its ReplicaSets: the note there is about the Deployment. */
function isCopy(held: Held): boolean {
  const opened = noteOn(held);
  return held.ref.kind === 'ReplicaSet' && opened.kind === 'read' && opened.note.object !== targetOf(held.ref);
}

function containmentOf(held: Held): Containment {
  const { ref, object, action } = held;
  const { uid } = object.metadata;
  const annotation = noteAnnotation(action);
  const target = targetOf(ref);
  const opened = noteOn(held);
  const elsewhere = outsideOf[action];
  const same = { target, uid, action, ...(elsewhere !== undefined && { elsewhere }) };
  if (opened.kind !== 'read') {
    const difference = [`annotation ${annotation} cannot be read: somebody edited it`];
    const release = async (): Promise<UndoResult> => refused(target, difference);
    return { ...same, incident: undefined, state: 'drifted', authentic: 'no', difference, changes: [], before: null, release };
  }
  const { note, authentic } = opened;
  const forged = authentic === 'no' ? [`annotation ${annotation} is not what this cell wrote on this object`] : [];
  const difference = [...forged, ...differenceOf(note, object)];
  return {
    ...same,
    incident: note.incident,
    state: difference.length > 0 ? 'drifted' : 'clear',
    authentic,
    difference,
    changes: changesOf(note, object),
    before: note.change.kind === 'field' ? (note.change.before ?? null) : null,
    release: async (force) => {
      if (forged.length > 0 || (difference.length > 0 && !force)) return refused(target, difference);
      return release(held, note);
    },
  };
}

async function release({ api, ref, object, action }: Held, { change }: ObjectNote): Promise<UndoResult> {
  const target = targetOf(ref);
  if (change.kind === 'made') {
    await deleteObject({ api, ref, seen: object });
    return { state: 'undone', detail: `${target} is gone again` };
  }
  const marks = [noteAnnotation(action), names.revokedAnnotation].filter((name) => object.metadata.annotations?.[name]);
  const annotations = Object.fromEntries(marks.map((name) => [name, null]));
  await patchField({ api, ref, seen: object, path: change.path, value: change.before, annotations });
  return { state: 'undone', detail: `${target}: ${pathText(change.path)} is ${text(change.before)} again` };
}

function refused(target: string, difference: readonly string[]): UndoResult {
  return { state: 'drifted', detail: `${target} is no longer as the step left it; nothing was changed`, difference };
}

function differenceOf({ change }: ObjectNote, object: ObjectJson): readonly string[] {
  if (change.kind === 'made') return isChanged({ change }, object) ? ['what it says was changed'] : [];
  const now = fieldOf(object, change.path);
  if (same(now, change.set)) return [];
  return [`${pathText(change.path)} was changed from ${text(change.set)} to ${text(now)}`];
}

function changesOf({ change }: ObjectNote, object: ObjectJson): readonly string[] {
  if (change.kind === 'made') return ['- all of it: Firebreak made it'];
  const field = pathText(change.path);
  const [now, then] = [fieldOf(object, change.path), change.before];
  return [
    ...(now === undefined ? [] : [`- ${field}: ${text(now)}`]),
    ...(then === undefined ? [] : [`+ ${field}: ${text(then)}`]),
  ];
}

function text(value: Json | undefined): string {
  return value === undefined ? 'absent' : canonicalJson(value);
}
