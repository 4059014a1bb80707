import type { ActionDeclaration, StepContext, UndoResult } from '../../core/action/action.ts';
import {
  type EntriesChange,
  type FieldChange,
  noteAnnotation,
  type ObjectNote,
  openNote,
  releasedBy,
  sealNote,
  takeEntries,
  withEntries,
} from '../../core/cluster/object-note.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type AllowRelease, holdTermsNow } from '../../core/incident/hold.ts';
import type { CellKey } from '../../core/messages/sealed.ts';
import { canonicalJson, digestOf } from '../../core/text/digest.ts';
import type { Json } from '../../core/text/plain-json.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import {
  despiteConflicts,
  fieldOf,
  lastManagerOf,
  type ObjectJson,
  type ObjectRef,
  patchField,
  readKnownObject,
  readObject,
  targetOf,
} from '../../integrations/kubernetes/objects.ts';
import { crowdingOn, lostBefore, roomNotes, without } from './note-room.ts';

/** One field of one object that an action holds at a value of its own until its lease ends. */
export interface HeldField {
  /** The action that writes the note: a release finds notes by the declared name. */
  readonly action: Pick<ActionDeclaration, 'name'>;
  readonly ref: ObjectRef;
  readonly path: readonly string[];
  /** The value to hold the field at, given its previous value. */
  readonly value: (before: Json | undefined) => Json | undefined;
  /** For a list shared with others: which entries are removed. `value` is then what is left. */
  readonly takes?: (entry: Json) => boolean;
  /** Further annotations that admission looks at; they are set and removed together with the note. */
  readonly marks?: Readonly<Record<string, string>>;
}

interface Parts {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
  readonly field: HeldField;
}

/** Who holds the field. Only an authentic note counts: nobody escapes by writing one. */
type Holder = { readonly kind: 'none' } | { readonly kind: 'ours'; readonly change: HeldChange; readonly note: ObjectNote };
type HeldChange = FieldChange | EntriesChange;

/** Sets the field and notes its previous value, in one conditional patch; changes nothing if this incident already holds it. */
export async function holdField(
  options: Parts & {
    readonly context: StepContext;
    readonly together?: ObjectNote['together'] | undefined;
    readonly left?: ObjectNote['left'] | undefined;
  },
): Promise<{ readonly object: ObjectJson; readonly before: Json | undefined }> {
  const { api, cellKey, field, context, together, left } = options;
  const { ref, path, action, marks = {} } = field;
  return despiteConflicts(async () => {
    const seen = await readKnownObject({ api, ref, signal: context.signal });
    const holder = holderOf({ object: seen, cellKey, field, incident: context.incident });
    const found = fieldOf(seen, path);
    if (holder.kind === 'ours' && isAsLeft(holder.change, found))
      return { object: seen, before: valueBefore(holder.change, found) };
    const held = holder.kind === 'ours' ? holder.change : undefined;
    const change = changeOf(field, found, held);
    const value = change.kind === 'field' ? change.set : field.value(found);
    const going = goingFor(options, seen);
    const note: ObjectNote =
      holder.kind === 'ours'
        ? { ...holder.note, change }
        : {
            version: 2,
            incident: context.incident,
            step: context.key,
            action: action.name,
            object: targetOf(ref),
            uid: seen.metadata.uid,
            change,
            ...(together && { together }),
            ...(left && { left }),
            ...(going.length > 0 && { lost: going.length }),
            terms: holdTermsNow(context),
          };
    const annotations = { ...without(going), ...marks, [noteAnnotation(action.name)]: sealNote(note, cellKey) };
    const object = await patchField({ api, ref, seen, path, value, annotations, signal: context.signal });
    return { object, before: valueBefore(change, value) };
  });
}

/** The field's value before the hold: the same before and after, for the plan. */
export function plannedBefore(
  options: Omit<Parts, 'api'> & { readonly object: ObjectJson; readonly incident: string },
): Json | undefined {
  const holder = holderOf(options);
  const found = fieldOf(options.object, options.field.path);
  return holder.kind === 'ours' ? valueBefore(holder.change, found) : found;
}

/** How many annotations the hold removes: the same before and after, for the plan. */
export function plannedRoom(
  options: Omit<Parts, 'api'> & { readonly object: ObjectJson } & Pick<StepContext, 'incident' | 'key'>,
): readonly string[] {
  const { field, object, cellKey, key } = options;
  // What pausing its declarer has removed from the same object was planned, too.
  const before = lostBefore({ ref: field.ref, object, cellKey, step: key });
  const more = holderOf(options).kind === 'ours' ? 0 : goingFor(options, object).length;
  return roomNotes(targetOf(field.ref), before + more);
}

function goingFor({ field, cellKey }: Omit<Parts, 'api'>, object: ObjectJson): readonly string[] {
  const { ref, action, marks = {} } = field;
  return crowdingOn({ ref, object, cellKey, names: [noteAnnotation(action.name), ...Object.keys(marks)] });
}

/** The authentic note that this action left on the object, of any incident. */
export function noteOn(options: Omit<Parts, 'api'> & { readonly object: ObjectJson }): ObjectNote | undefined {
  const opened = openedNote(options);
  return opened.kind === 'read' && opened.authentic === 'yes' ? opened.note : undefined;
}

/** @throws FB_ERR_DRIFTED if the object is no longer held. */
export function requireHeld(options: Omit<Parts, 'api'> & { readonly object: ObjectJson; readonly incident: string }): void {
  const { object, field } = options;
  const holder = holderOf(options);
  const found = fieldOf(object, field.path);
  if (holder.kind === 'ours' && isAsLeft(holder.change, found)) return;
  const why =
    holder.kind === 'ours'
      ? `${pathText(field.path)} was changed to ${text(found)}${byManager(object, field.path)}`
      : 'the note of this incident is gone';
  throw new FirebreakError('FB_ERR_DRIFTED', `${targetOf(field.ref)}: ${why}`);
}

interface FieldLook {
  readonly state: 'clear' | 'drifted' | 'none';
  readonly note?: ObjectNote;
  readonly change?: HeldChange;
  readonly difference: readonly string[];
}

/** What prevents an exact undo. Pure. */
export function lookAtField(
  options: Omit<Parts, 'api'> & { readonly object: ObjectJson; readonly holder?: (note: ObjectNote) => boolean },
): FieldLook {
  const { object, field, holder } = options;
  const opened = openedNote(options);
  const annotation = noteAnnotation(field.action.name);
  if (opened.kind === 'absent') return { state: 'none', difference: [] };
  if (opened.kind === 'unreadable') return drifted([`annotation ${annotation} cannot be read: somebody edited it`]);
  if (opened.authentic !== 'yes')
    return drifted([`annotation ${annotation} is not what this cell wrote on this object: somebody edited it`]);
  const { note } = opened;
  if (note.change.kind === 'made') return drifted([`annotation ${annotation} belongs to another kind of change`]);
  if (holder && !holder(note)) return drifted([`it now belongs to another step, of ${note.incident}`]);
  const found = fieldOf(object, note.change.path);
  const shown = { note, change: note.change };
  if (isAsLeft(note.change, found)) return { state: 'clear', ...shown, difference: [] };
  return { state: 'drifted', ...shown, difference: [changedText(note.change, object)] };
}

/** Restores the field exactly and removes the note; changes nothing if somebody else has changed either. */
export async function releaseField(
  options: Parts & {
    readonly key: string;
    readonly context: StepContext;
    readonly allow?: AllowRelease | undefined;
    /** The field had another value before, or nobody here knows. */
    readonly hasChanged?: boolean;
  },
): Promise<UndoResult> {
  const { api, field, key, context, allow, hasChanged = false } = options;
  const { ref, action, marks = {} } = field;
  const target = targetOf(ref);
  const holder = ({ step, incident }: ObjectNote): boolean => step === key || incident === context.incident;
  return despiteConflicts(async (): Promise<UndoResult> => {
    const seen = await readObject({ api, ref, signal: context.signal });
    if (!seen) return { state: 'gone', detail: `${target} no longer exists` };
    const { state, note, change, difference } = lookAtField({ ...options, object: seen, holder });
    if (state === 'none') {
      const found = fieldOf(seen, field.path);
      // A release removes the note and changes the field in one call. So if only the note was removed, the field was not released.
      if (hasChanged && same(found, field.value(found))) return robbed(target, field, found);
      return { state: 'already', detail: `${target} is not held` };
    }
    if (state === 'drifted' || !change || !note)
      return { state: 'drifted', detail: `${target} is no longer as the step left it; nothing was changed`, difference };
    await allow?.([releasedBy(note)]);
    const ours = [...Object.keys(marks), noteAnnotation(action.name)];
    const annotations = Object.fromEntries(ours.map((name) => [name, null]));
    const value = valueBefore(change, fieldOf(seen, change.path));
    await patchField({ api, ref, seen, path: change.path, value, annotations, signal: context.signal });
    const lost =
      note.lost === undefined
        ? ''
        : `; ${note.lost === 1 ? '1 annotation' : `${note.lost} annotations`} removed to make room for its note ${note.lost === 1 ? 'is' : 'are'} not restored`;
    return { state: 'undone', detail: `${target}: ${pathText(change.path)} is ${text(value)} again${lost}` };
  });
}

function robbed(target: string, { action, path }: HeldField, found: Json | undefined): UndoResult {
  const what = `annotation ${noteAnnotation(action.name)} was removed, and ${pathText(path)} is still ${text(found)}: its earlier value is unknown, so change it by hand`;
  return { state: 'drifted', detail: `${target} is no longer as the step left it; nothing was changed`, difference: [what] };
}

/** ` by argocd-controller`: who changed it, by the name they gave themselves. */
function byManager(object: ObjectJson, path: readonly string[]): string {
  const manager = lastManagerOf(object, path);
  return manager === undefined ? '' : ` by ${manager}`;
}

/** `spec.replicas` */
export function pathText(path: readonly string[]): string {
  return path.join('.');
}

function holderOf(options: Omit<Parts, 'api'> & { readonly object: ObjectJson; readonly incident: string }): Holder {
  const { object, field, incident } = options;
  const opened = openedNote(options);
  const target = targetOf(field.ref);
  if (opened.kind === 'read' && opened.authentic === 'yes' && opened.note.change.kind !== 'made') {
    if (opened.note.incident === incident) return { kind: 'ours', change: opened.note.change, note: opened.note };
    // If the field has another value, nothing is held: somebody has changed it, or put back a note of a hold that is over.
    if (isAsLeft(opened.note.change, fieldOf(object, opened.note.change.path)))
      throw new FirebreakError('FB_ERR_REFUSED', `${target} is already held by ${opened.note.incident}`);
  }
  const found = fieldOf(object, field.path);
  if (opened.kind !== 'absent' && same(found, field.value(found)))
    throw new FirebreakError('FB_ERR_UNVERIFIED_STATE', `${target} is held, but the note on its earlier state was edited`);
  return { kind: 'none' };
}

function openedNote({ object, cellKey, field }: Omit<Parts, 'api'> & { readonly object: ObjectJson }) {
  const { uid, annotations } = object.metadata;
  const text = annotations?.[noteAnnotation(field.action.name)];
  return openNote({ text, action: field.action.name, object: targetOf(field.ref), uid, key: cellKey });
}

/** @param held what the same incident has changed there, if somebody has changed it since: the value before that remains the before-value */
function changeOf({ path, value, takes }: HeldField, found: Json | undefined, held: HeldChange | undefined): HeldChange {
  if (takes) {
    const { change } = takeEntries(path, Array.isArray(found) ? found : [], takes);
    return held?.kind === 'entries' && change.taken.length === 0 ? { ...change, taken: held.taken } : change;
  }
  if (held) return held;
  const set = value(found);
  return { kind: 'field', path, ...(found !== undefined && { before: found }), ...(set !== undefined && { set }) };
}

/** Whether the field is as the step left it. */
export function isAsLeft(change: HeldChange, found: Json | undefined): boolean {
  if (change.kind === 'field') return same(found, change.set);
  return change.rest === digestOf(Array.isArray(found) ? found : []);
}

/** The field's previous value, given its value as the step left it. */
export function valueBefore(change: HeldChange, found: Json | undefined): Json | undefined {
  return change.kind === 'field' ? change.before : [...withEntries(change, Array.isArray(found) ? found : [])];
}

/** Describes how the field differs from what the step left. */
export function changedText(change: HeldChange, object: ObjectJson): string {
  const found = fieldOf(object, change.path);
  const was = change.kind === 'field' ? text(change.set) : `what the step left`;
  return `${pathText(change.path)} was changed from ${was} to ${text(found)}${byManager(object, change.path)}`;
}

function drifted(difference: readonly string[]): FieldLook {
  return { state: 'drifted', difference };
}

/** `undefined` means that the field does not exist. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);
}

function text(value: Json | undefined): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
