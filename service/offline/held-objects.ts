import { isDeepStrictEqual } from 'node:util';
import { pathText, valueBefore } from '../../activities/actions/held-field.ts';
import { notedDifference } from '../../activities/actions/noted-object.ts';
import { pauseNotes, resumeDeclarer } from '../../activities/actions/paused-declarer.ts';
import { type HeldKind, heldKinds, type UndoResult } from '../../core/action/action.ts';
import { actions } from '../../core/actions/index.ts';
import { names } from '../../core/cluster/labels.ts';
import { noteAnnotation, type ObjectNote, openNote } from '../../core/cluster/object-note.ts';
import { undefinedIf } from '../../core/errors.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import type { Json } from '../../core/text/plain-json.ts';
import { pausedKinds } from '../../integrations/kubernetes/gitops/declarers.ts';
import {
  deleteObject,
  despiteConflicts,
  fieldOf,
  listObjects,
  type ObjectJson,
  type ObjectRef,
  patchField,
  readObject,
  targetOf,
} from '../../integrations/kubernetes/objects.ts';
import type { Containment, FindOptions } from './containment.ts';

/** Kinds in which actions hold a field or create an object; a Deployment's note is copied onto its ReplicaSets. */
const places: readonly (HeldKind & Pick<ObjectRef, 'version'>)[] = [
  { kind: 'NetworkPolicy', apiGroup: 'networking.k8s.io', resource: 'networkpolicies' },
  { kind: 'ReplicaSet', apiGroup: 'apps', resource: 'replicasets' },
  ...heldKinds(actions),
  ...pausedKinds.map(({ group = '', ...kind }) => ({ ...kind, apiGroup: group })),
];

/** Finds objects other than pods on which an action has left its note. */
export async function findHeldObjects(options: FindOptions): Promise<readonly Containment[]> {
  const { api, namespace } = options;
  const found: Containment[] = [];
  for (const { clusterWide, apiGroup: group, ...named } of places) {
    if (namespace !== undefined && clusterWide) continue;
    const place = { ...named, group };
    const objects = await listInstalled({ api, ref: { ...place, ...(namespace !== undefined && { namespace }) } });
    for (const object of objects) {
      const { name, namespace: where } = object.metadata;
      const ref: ObjectRef = { ...place, name, ...(where !== undefined && { namespace: where }) };
      for (const { name: action, outside } of actions) {
        const held = { ...options, ref, object, action, outside };
        if (object.metadata.annotations?.[noteAnnotation(action)] !== undefined && !isCopy(held)) found.push(containmentOf(held));
      }
      found.push(...pausesOn(options, ref, object));
    }
  }
  return found;
}

/** Returns nothing if Argo CD or Flux is not installed. */
async function listInstalled(options: Parameters<typeof listObjects<ObjectJson>>[0]): Promise<readonly ObjectJson[]> {
  return (await listObjects(options).catch(undefinedIf('FB_ERR_NOT_FOUND'))) ?? [];
}

/** What declares a workload, if a step has paused it: listed after what the step holds, so that it is restored afterwards. */
function pausesOn({ api, cellKey }: FindOptions, ref: ObjectRef, object: ObjectJson): readonly Containment[] {
  const target = targetOf(ref);
  const { uid } = object.metadata;
  return [...pauseNotes(object, target, cellKey)].map(([annotation, note]) => ({
    target,
    uid,
    action: 'pause',
    incident: note.incident,
    state: 'clear',
    authentic: cellKey ? 'yes' : 'unknown',
    difference: [],
    changes: changesOf(note, object),
    before: note.change.before ?? null,
    release: async () => {
      const detail = await resumeDeclarer({ api, cellKey, ref, annotation });
      return detail === undefined ? { state: 'already', detail: `${target} is not paused` } : { state: 'undone', detail };
    },
  }));
}

interface Held extends FindOptions {
  readonly ref: ObjectRef;
  readonly object: ObjectJson;
  readonly action: string;
  readonly outside: string | undefined;
}

function noteOn({ ref, object, action, cellKey }: Held) {
  const { uid, annotations } = object.metadata;
  return openNote({ text: annotations?.[noteAnnotation(action)], action, object: targetOf(ref), uid, key: cellKey });
}

/** The Deployment controller copies a Deployment's annotations onto its ReplicaSets: the note there describes the Deployment. */
function isCopy(held: Held): boolean {
  const opened = noteOn(held);
  return held.ref.kind === 'ReplicaSet' && opened.kind === 'read' && opened.note.object !== targetOf(held.ref);
}

function containmentOf(held: Held): Containment {
  const { ref, object, action, outside } = held;
  const { uid } = object.metadata;
  const annotation = noteAnnotation(action);
  const target = targetOf(ref);
  const opened = noteOn(held);
  const same = { target, uid, action, ...(outside !== undefined && { elsewhere: outside }) };
  if (opened.kind !== 'read') {
    const difference = [`annotation ${annotation} cannot be read: somebody edited it`];
    const release = async (): Promise<UndoResult> => refused(target, difference);
    return { ...same, incident: undefined, state: 'drifted', authentic: 'no', difference, changes: [], before: null, release };
  }
  const { note, authentic } = opened;
  const forged = authentic === 'no' ? [`annotation ${annotation} is not what this cell wrote on this object`] : [];
  const difference = [...forged, ...notedDifference(note, object)];
  return {
    ...same,
    incident: note.incident,
    state: difference.length > 0 ? 'drifted' : 'clear',
    authentic,
    difference,
    changes: changesOf(note, object),
    before: beforeIn(note, object) ?? null,
    release: async (force) => {
      if (forged.length > 0 || (difference.length > 0 && !force)) return refused(target, difference);
      return despiteConflicts(() => releaseAsShown(held, note));
    },
  };
}

/**
 * Controllers write into objects all the time. Only what a person was shown and based the decision on must not have changed since: the note, and what would be
 * restored. This holds with --force, too, because it was given for the difference shown.
 */
async function releaseAsShown(held: Held, note: ObjectNote): Promise<UndoResult> {
  const { api, ref, object, action } = held;
  const target = targetOf(ref);
  const now = await readObject({ api, ref });
  if (now?.metadata.uid !== object.metadata.uid) return { state: 'gone', detail: `${target} with this uid no longer exists` };
  const annotation = noteAnnotation(action);
  const text = now.metadata.annotations?.[annotation];
  if (text === undefined) return { state: 'already', detail: `${target} is no longer held` };
  if (text !== object.metadata.annotations?.[annotation])
    return refused(target, [`annotation ${annotation} was changed since it was shown: look again`]);
  if (!isDeepStrictEqual(notedDifference(note, now), notedDifference(note, object)))
    return refused(target, [...notedDifference(note, now), 'that is not what was shown: look again']);
  return release({ ...held, object: now }, note);
}

async function release({ api, ref, object, action }: Held, { change }: ObjectNote): Promise<UndoResult> {
  const target = targetOf(ref);
  if (change.kind === 'made') {
    await deleteObject({ api, ref, seen: object });
    return { state: 'undone', detail: `${target} is removed again` };
  }
  const marks = [noteAnnotation(action), names.revokedAnnotation].filter((name) => object.metadata.annotations?.[name]);
  const annotations = Object.fromEntries(marks.map((name) => [name, null]));
  const then = valueBefore(change, fieldOf(object, change.path));
  await patchField({ api, ref, seen: object, path: change.path, value: then, annotations });
  return { state: 'undone', detail: `${target}: ${pathText(change.path)} is ${text(then)} again` };
}

function refused(target: string, difference: readonly string[]): UndoResult {
  return { state: 'drifted', detail: `${target} is no longer as the step left it; nothing was changed`, difference };
}

function changesOf({ change }: ObjectNote, object: ObjectJson): readonly string[] {
  if (change.kind === 'made') return ['- all of it: Firebreak made it'];
  const field = pathText(change.path);
  const now = fieldOf(object, change.path);
  const then = valueBefore(change, now);
  return [
    ...(now === undefined ? [] : [`- ${field}: ${text(now)}`]),
    ...(then === undefined ? [] : [`+ ${field}: ${text(then)}`]),
  ];
}

function beforeIn({ change }: ObjectNote, object: ObjectJson): Json | undefined {
  return change.kind === 'made' ? undefined : valueBefore(change, fieldOf(object, change.path));
}

function text(value: Json | undefined): string {
  return value === undefined ? 'absent' : canonicalJson(value);
}
