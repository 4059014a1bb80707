import type { TargetName } from '../action/plan.ts';
import { type HoldTerms, isHoldTerms, type ReleasedObject } from '../incident/hold.ts';
import { type CellKey, seal, unseal } from '../messages/sealed.ts';
import { canonicalJson, digestOf, sha256Hex } from '../text/digest.ts';
import { isJson, type Json } from '../text/plain-json.ts';

/**
 * What a step did to an object other than a pod, written onto the object in the same call as the change: who did it, and what exactly undoes it. Anyone who may
 * write the object may edit the note: the MAC with the cell's key detects that. (Pods have theirs in `before-state.ts`.)
 */
export interface ObjectNote {
  readonly version: 2;
  /** The incident's full id. */
  readonly incident: string;
  /** The key of the step that made the change. */
  readonly step: string;
  readonly action: string;
  readonly object: TargetName;
  /** Absent if the step created the object: it had no uid yet. */
  readonly uid?: string;
  readonly change: FieldChange | EntriesChange | MadeObjectNote;
  /** Everything that the same step changes, if that is more than this object: an interrupted step is finished on these only. */
  readonly together?: readonly TargetName[];
  /** Objects that grant the same in another way and were left, each with its uid: anything added later is news. */
  readonly left?: readonly string[];
  /** Number of annotations that did not fit into this note: they are not restored. Absent: none. */
  readonly lost?: number;
  readonly terms: HoldTerms;
}

export interface FieldChange {
  readonly kind: 'field';
  /** From the object's root: `['spec', 'replicas']`. */
  readonly path: readonly string[];
  /** Absent: the field did not exist. */
  readonly before?: Json;
  readonly set?: Json;
}

/**
 * Entries that were removed from a list. Anyone who can write the object could make the list so long that no note could hold all of it; what was removed is
 * always short.
 */
export interface EntriesChange {
  readonly kind: 'entries';
  readonly path: readonly string[];
  /** Each removed entry, with its places in the earlier list, each as the distance to the previous one. */
  readonly taken: readonly { readonly value: Json; readonly steps: readonly number[] }[];
  /** Digest of the list without them. */
  readonly rest: string;
}

interface MadeObjectNote {
  readonly kind: 'made';
  /** Digest of the object's content, without its metadata. */
  readonly digest: string;
  /** For a policy that blocks addresses: which ones, as CIDRs. */
  readonly denies?: readonly string[];
}

const domain = 'firebreak.object-note.v2\n';

/** Removes entries from a list: returns what is left, undefined if nothing is, and how to restore them. */
export function takeEntries(
  path: readonly string[],
  list: readonly Json[],
  isTaken: (entry: Json) => boolean,
): { readonly rest: readonly Json[]; readonly change: EntriesChange } {
  const taken = new Map<string, { readonly value: Json; readonly steps: number[]; last: number }>();
  const rest: Json[] = [];
  for (const [at, value] of list.entries()) {
    if (!isTaken(value)) {
      rest.push(value);
      continue;
    }
    const text = canonicalJson(value);
    const known = taken.get(text) ?? { value, steps: [], last: 0 };
    taken.set(text, known);
    known.steps.push(at - known.last);
    known.last = at;
  }
  const change: EntriesChange = {
    kind: 'entries',
    path,
    taken: [...taken.values()].map(({ value, steps }) => ({ value, steps })),
    rest: digestOf(rest),
  };
  return { rest, change };
}

/** Returns the list as it was before the entries were removed. */
export function withEntries({ taken }: EntriesChange, rest: readonly Json[]): readonly Json[] {
  const back = taken.flatMap(({ value, steps }) => {
    let at = 0;
    return steps.map((step) => {
      at += step;
      return { at, value };
    });
  });
  const list: Json[] = [];
  let next = 0;
  for (const { at, value } of back.sort((one, other) => one.at - other.at)) {
    for (; list.length < at && next < rest.length; next += 1) list.push(rest[next] ?? null);
    list.push(value);
  }
  return [...list, ...rest.slice(next)];
}

/** One annotation per action: two different actions may hold the same object. */
export function noteAnnotation(action: string): string {
  return `firebreak.dev/before-${action.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Returns the annotation's text. @throws RangeError when the key has less than 32 bytes. */
export function sealNote(note: ObjectNote, key: CellKey): string {
  return seal(domain, note, key);
}

type OpenedNote =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' }
  /** `unknown`: no key was given to check whether the cell wrote it. */
  | { readonly kind: 'read'; readonly note: ObjectNote; readonly authentic: 'yes' | 'no' | 'unknown' };

/** Reads the note of one action on the object with this name and uid. A note copied from another object is not authentic. */
export function openNote(options: {
  readonly text: string | undefined;
  readonly action: string;
  readonly object: TargetName;
  readonly uid: string;
  readonly key: CellKey | undefined;
}): OpenedNote {
  const { text, action, object, uid, key } = options;
  const opened = unseal(domain, text, key);
  if (opened.kind !== 'read') return opened;
  const { value: note, authentic } = opened;
  if (!isObjectNote(note)) return { kind: 'unreadable' };
  const isOfThis = note.action === action && note.object === object && (note.uid === undefined || note.uid === uid);
  return { kind: 'read', note, authentic: authentic === 'yes' && !isOfThis ? 'no' : authentic };
}

/** Returns our own notes on exactly this object, from any step, by their annotations. */
export function notesOn(options: {
  readonly annotations: Readonly<Record<string, string>>;
  readonly object: TargetName;
  readonly uid: string;
  readonly key: CellKey;
}): ReadonlyMap<string, ObjectNote> {
  const { annotations, ...of } = options;
  const prefix = noteAnnotation('');
  const found = new Map<string, ObjectNote>();
  for (const [name, text] of Object.entries(annotations)) {
    if (!name.startsWith(prefix)) continue;
    const rest = name.slice(prefix.length);
    for (const action of [rest, rest.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]) {
      const opened = openNote({ ...of, text, action });
      if (opened.kind === 'read' && opened.authentic === 'yes') found.set(name, opened.note);
    }
  }
  return found;
}

/** Returns what a note says, for the check that allows the release. */
export function releasedBy({ object, uid, incident, step, terms }: ObjectNote): ReleasedObject {
  return { object, ...(uid !== undefined && { uid }), incident, step, terms };
}

/** Returns part of the names of objects that a step creates: the same for the same incident and input, so that each is created once. 12 hex digits. */
export function madeNameOf(options: {
  readonly incident: string;
  readonly action: string;
  readonly inputDigest: string;
}): string {
  const { incident, action, inputDigest } = options;
  return sha256Hex([incident, action, inputDigest].join('\n')).slice(0, 12);
}

function isObjectNote(value: object): value is ObjectNote {
  const {
    version,
    incident,
    step,
    action,
    object,
    uid,
    change,
    together,
    left,
    lost,
    terms,
  }: Partial<Record<keyof ObjectNote, unknown>> = value;
  if (version !== 2) return false;
  if (![incident, step, action, object].every((text) => typeof text === 'string')) return false;
  if (uid !== undefined && typeof uid !== 'string') return false;
  if ([together, left].some((list) => list !== undefined && !isTexts(list))) return false;
  if (lost !== undefined && !Number.isSafeInteger(lost)) return false;
  if (!isHoldTerms(terms)) return false;
  return isChange(change);
}

function isChange(value: unknown): value is ObjectNote['change'] {
  if (typeof value !== 'object' || value === null) return false;
  const change: Partial<Record<'kind' | 'digest' | 'denies' | 'path' | 'before' | 'set' | 'taken' | 'rest', unknown>> = value;
  if (change.kind === 'made') return typeof change.digest === 'string' && (change.denies === undefined || isTexts(change.denies));
  if (change.kind === 'entries')
    return isTexts(change.path) && typeof change.rest === 'string' && Array.isArray(change.taken) && change.taken.every(isTaken);
  const values = [change.before, change.set];
  return change.kind === 'field' && isTexts(change.path) && values.every((one) => one === undefined || isJson(one));
}

function isTaken(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('value' in value && 'steps' in value)) return false;
  return (
    isJson(value.value) && Array.isArray(value.steps) && value.steps.every((step) => Number.isSafeInteger(step) && step >= 0)
  );
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
