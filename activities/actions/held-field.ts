import type { ActionDeclaration, StepContext, UndoResult } from '../../core/action/action.ts';
import {
  type FieldChange,
  noteAnnotation,
  type ObjectNote,
  openNote,
  releasedBy,
  sealNote,
} from '../../core/cluster/object-note.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type AllowRelease, holdTermsNow } from '../../core/incident/hold.ts';
import type { CellKey } from '../../core/messages/sealed.ts';
import { canonicalJson } from '../../core/text/digest.ts';
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

/** One field of one object that an action holds at a value of its own for as long as its lease lasts. */
export interface HeldField {
  /** Whose note it is: what the way out finds, it finds by the declared name. */
  readonly action: Pick<ActionDeclaration, 'name'>;
  readonly ref: ObjectRef;
  readonly path: readonly string[];
  /** What the field is held at, from what it was. */
  readonly value: (before: Json | undefined) => Json | undefined;
  /** Annotations besides the note that admission looks at; they come and go with it. */
  readonly marks?: Readonly<Record<string, string>>;
}

interface Parts {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
  readonly field: HeldField;
}

/** Whose the field is. Only an authentic note counts: nobody escapes by writing one. */
type Holder = { readonly kind: 'none' } | { readonly kind: 'ours'; readonly change: FieldChange; readonly note: ObjectNote };

/** Sets the field and notes what it was, in one conditional patch; changes nothing where this incident holds it already. */
export async function holdField(
  options: Parts & { readonly context: StepContext } & Pick<ObjectNote, 'together' | 'left'>,
): Promise<{ readonly object: ObjectJson; readonly change: FieldChange }> {
  const { api, cellKey, field, context, together, left } = options;
  const { ref, path, action, marks = {} } = field;
  return despiteConflicts(async () => {
    const seen = await readKnownObject({ api, ref, signal: context.signal });
    const holder = holderOf({ object: seen, cellKey, field, incident: context.incident });
    const found = fieldOf(seen, path);
    const change = holder.kind === 'ours' ? holder.change : changeOf(field, found);
    if (holder.kind === 'ours' && same(found, change.set)) return { object: seen, change };
    const note: ObjectNote =
      holder.kind === 'ours'
        ? holder.note
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
            terms: holdTermsNow(context),
          };
    const annotations = { ...marks, [noteAnnotation(action.name)]: sealNote(note, cellKey) };
    const object = await patchField({ api, ref, seen, path, value: change.set, annotations, signal: context.signal });
    return { object, change };
  });
}

/** What the hold changes, or has changed: the same before and after, for the plan. */
export function plannedChange(
  options: Omit<Parts, 'api'> & { readonly object: ObjectJson; readonly incident: string },
): FieldChange {
  const holder = holderOf(options);
  return holder.kind === 'ours' ? holder.change : changeOf(options.field, fieldOf(options.object, options.field.path));
}

/** The authentic note that this action left on the object, whoever's it is. */
export function noteOn(options: Omit<Parts, 'api'> & { readonly object: ObjectJson }): ObjectNote | undefined {
  const opened = openedNote(options);
  return opened.kind === 'read' && opened.authentic === 'yes' ? opened.note : undefined;
}

/** @throws FB_ERR_DRIFTED when the object is not held any more. */
export function requireHeld(
  options: Omit<Parts, 'api'> & { readonly object: ObjectJson; readonly incident: string },
): FieldChange {
  const { object, field } = options;
  const holder = holderOf(options);
  const found = fieldOf(object, field.path);
  if (holder.kind === 'ours' && same(found, holder.change.set)) return holder.change;
  const why =
    holder.kind === 'ours'
      ? `${pathText(field.path)} was changed to ${text(found)}${byManager(object, field.path)}`
      : 'the note of this incident is gone';
  throw new FirebreakError('FB_ERR_DRIFTED', `${targetOf(field.ref)}: ${why}`);
}

interface FieldLook {
  readonly state: 'clear' | 'drifted' | 'none';
  readonly note?: ObjectNote;
  readonly change?: FieldChange;
  readonly difference: readonly string[];
}

/** What stands in the way of an exact undo. Pure. */
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
  if (note.change.kind !== 'field') return drifted([`annotation ${annotation} is of another kind of change`]);
  if (holder && !holder(note)) return drifted([`it now belongs to another step, of ${note.incident}`]);
  const found = fieldOf(object, note.change.path);
  const shown = { note, change: note.change };
  if (same(found, note.change.set)) return { state: 'clear', ...shown, difference: [] };
  const what = `${pathText(note.change.path)} was changed from ${text(note.change.set)} to ${text(found)}${byManager(object, note.change.path)}`;
  return { state: 'drifted', ...shown, difference: [what] };
}

/** Gives the field exactly back and takes the note off; nothing is changed where somebody else has changed either. */
export async function releaseField(
  options: Parts & {
    readonly key: string;
    readonly context: StepContext;
    readonly allow?: AllowRelease | undefined;
    /** It was something else before, or nobody here knows. */
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
      // Who gives it back takes the note off and changes the field in one call. Who only took the note off has not freed it.
      if (hasChanged && same(found, field.value(found))) return robbed(target, field, found);
      return { state: 'already', detail: `${target} is not held` };
    }
    if (state === 'drifted' || !change || !note)
      return { state: 'drifted', detail: `${target} is no longer as the step left it; nothing was changed`, difference };
    await allow?.([releasedBy(note)]);
    const ours = [...Object.keys(marks), noteAnnotation(action.name)];
    const annotations = Object.fromEntries(ours.map((name) => [name, null]));
    await patchField({ api, ref, seen, path: change.path, value: change.before, annotations, signal: context.signal });
    return { state: 'undone', detail: `${target}: ${pathText(change.path)} is ${text(change.before)} again` };
  });
}

function robbed(target: string, { action, path }: HeldField, found: Json | undefined): UndoResult {
  const what = `annotation ${noteAnnotation(action.name)} was removed, and ${pathText(path)} is ${text(found)} still: what was before is not known, so change it by hand`;
  return { state: 'drifted', detail: `${target} is no longer as the step left it; nothing was changed`, difference: [what] };
}

/** ` by argocd-controller`: who changed it, as they call themselves. */
export function byManager(object: ObjectJson, path: readonly string[]): string {
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
  if (opened.kind === 'read' && opened.authentic === 'yes' && opened.note.change.kind === 'field') {
    if (opened.note.incident === incident) return { kind: 'ours', change: opened.note.change, note: opened.note };
    throw new FirebreakError('FB_ERR_REFUSED', `${target} is already held by ${opened.note.incident}`);
  }
  const found = fieldOf(object, field.path);
  if (opened.kind !== 'absent' && same(found, field.value(found)))
    throw new FirebreakError('FB_ERR_UNVERIFIED_STATE', `${target} is held, but the note of what it was before was edited`);
  return { kind: 'none' };
}

function openedNote({ object, cellKey, field }: Omit<Parts, 'api'> & { readonly object: ObjectJson }) {
  const { uid, annotations } = object.metadata;
  const text = annotations?.[noteAnnotation(field.action.name)];
  return openNote({ text, action: field.action.name, object: targetOf(field.ref), uid, key: cellKey });
}

function changeOf({ path, value }: HeldField, before: Json | undefined): FieldChange {
  const set = value(before);
  return { kind: 'field', path, ...(before !== undefined && { before }), ...(set !== undefined && { set }) };
}

function drifted(difference: readonly string[]): FieldLook {
  return { state: 'drifted', difference };
}

/** `undefined` is a field that is not there. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);
}

function text(value: Json | undefined): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
