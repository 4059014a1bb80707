import { notesOn, type ObjectNote } from '../../core/cluster/object-note.ts';
import type { CellKey } from '../../core/messages/sealed.ts';
import { crowdingIn } from '../../integrations/kubernetes/annotation-room.ts';
import { type ObjectJson, type ObjectRef, targetOf } from '../../integrations/kubernetes/objects.ts';

interface Crowded {
  readonly ref: ObjectRef;
  readonly object: ObjectJson;
  /** Annotations that are overwritten, or have to stay. */
  readonly names: readonly string[];
  /** Absent if not known: then other steps' notes count like any other annotation. */
  readonly cellKey?: CellKey | undefined;
}

/** Annotations of an object that leave no room for a note or a mark. Other steps' notes, and the annotations set with them, stay. */
export function crowdingOn({ ref, object, names, cellKey }: Crowded): readonly string[] {
  const { annotations = {} } = object.metadata;
  const kept = new Set(names);
  for (const [name, { change }] of cellKey ? ourNotes(ref, object, cellKey) : []) {
    kept.add(name);
    const set = change.kind === 'field' ? annotationAt(change.path) : undefined;
    if (set !== undefined && change.kind === 'field' && annotations[set] === change.set) kept.add(set);
  }
  return crowdingIn(annotations, (name) => kept.has(name));
}

/** How many annotations the notes of a step have already cost the object. */
export function lostBefore(options: {
  readonly ref: ObjectRef;
  readonly object: ObjectJson;
  readonly cellKey: CellKey;
  /** The key of the step. Absent: any step. */
  readonly step?: string;
}): number {
  const { ref, object, cellKey, step } = options;
  let sum = 0;
  for (const { step: of, lost = 0 } of ourNotes(ref, object, cellKey).values())
    if (step === undefined || of === step) sum += lost;
  return sum;
}

function ourNotes(ref: ObjectRef, { metadata }: ObjectJson, key: CellKey): ReadonlyMap<string, ObjectNote> {
  return notesOn({ annotations: metadata.annotations ?? {}, object: targetOf(ref), uid: metadata.uid, key });
}

/** The name of the annotation at this path; undefined if the path is another field. */
export function annotationAt([first, second, name]: readonly string[]): string | undefined {
  return first === 'metadata' && second === 'annotations' ? name : undefined;
}

/** Patch of annotations that removes these. */
export function without(going: readonly string[]): Readonly<Record<string, null>> {
  return Object.fromEntries(going.map((name) => [name, null]));
}

/** The same as operations of a JSON Patch. */
export function removing(going: readonly string[]): readonly { readonly op: 'remove'; readonly path: string }[] {
  return going.map((name) => ({ op: 'remove', path: annotationPointer(name) }));
}

/** The path of an annotation, as a JSON pointer. */
export function annotationPointer(name: string): string {
  return `/metadata/annotations/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Describes what is removed to make room for a note or a mark. */
export function roomNotes(who: string, lost: number): readonly string[] {
  if (lost === 0) return [];
  return [
    `${who} has too many annotations to leave room for the note: ${lost} ${lost === 1 ? 'annotation is' : 'annotations are'} removed and not restored.`,
  ];
}
