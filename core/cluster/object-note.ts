import type { TargetName } from '../action/plan.ts';
import { type HoldTerms, isHoldTerms, type ReleasedObject } from '../incident/hold.ts';
import { type CellKey, seal, unseal } from '../messages/sealed.ts';
import { sha256Hex } from '../text/digest.ts';
import { isJson, type Json } from '../text/plain-json.ts';

/**
 * What a step did to an object other than a pod, written onto the object in the same call as the change: who did it, and what gives it
 * back exactly. Who may write the object may edit the note: the MAC by the cell's key tells. (Pods have theirs in `before-state.ts`.)
 */
export interface ObjectNote {
  readonly version: 2;
  /** The incident's whole id. */
  readonly incident: string;
  /** The key of the step that made the change. */
  readonly step: string;
  readonly action: string;
  readonly object: TargetName;
  /** Absent where the step made the object: it had none yet. */
  readonly uid?: string;
  readonly change: FieldChange | MadeObjectNote;
  /** Everything that the same step changes, where that is more than this object: a step that was cut short is finished on these only. */
  readonly together?: readonly TargetName[];
  /** What gives the same in another way and was left, each with its uid: what comes after is news. */
  readonly left?: readonly string[];
  readonly terms: HoldTerms;
}

export interface FieldChange {
  readonly kind: 'field';
  /** From the object's root: `['spec', 'replicas']`. */
  readonly path: readonly string[];
  /** Absent: the field was not there. */
  readonly before?: Json;
  readonly set?: Json;
}

interface MadeObjectNote {
  readonly kind: 'made';
  /** Digest of what the object says, without its metadata. */
  readonly digest: string;
}

const domain = 'firebreak.object-note.v2\n';

/** One annotation an action: two different actions may hold the same object. */
export function noteAnnotation(action: string): string {
  return `firebreak.dev/before-${action.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The annotation's text. @throws RangeError when the key has less than 32 bytes. */
export function sealNote(note: ObjectNote, key: CellKey): string {
  return seal(domain, note, key);
}

type OpenedNote =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' }
  /** `unknown`: no key was given to tell whether the cell wrote it. */
  | { readonly kind: 'read'; readonly note: ObjectNote; readonly authentic: 'yes' | 'no' | 'unknown' };

/** Reads the note of one action on the object with this name and uid. One that was copied from another object is not authentic. */
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

/** What a note says, for whoever allows that it is given back. */
export function releasedBy({ object, uid, incident, step, terms }: ObjectNote): ReleasedObject {
  return { object, ...(uid !== undefined && { uid }), incident, step, terms };
}

/** Part of the names of objects that a step makes: the same for the same incident and input, so that it is made once. 12 hex digits. */
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
    terms,
  }: Partial<Record<keyof ObjectNote, unknown>> = value;
  if (version !== 2) return false;
  if (![incident, step, action, object].every((text) => typeof text === 'string')) return false;
  if (uid !== undefined && typeof uid !== 'string') return false;
  if ([together, left].some((list) => list !== undefined && !isTexts(list))) return false;
  if (!isHoldTerms(terms)) return false;
  return isChange(change);
}

function isChange(value: unknown): value is ObjectNote['change'] {
  if (typeof value !== 'object' || value === null) return false;
  const change: { kind?: unknown; digest?: unknown; path?: unknown; before?: unknown; set?: unknown } = value;
  if (change.kind === 'made') return typeof change.digest === 'string';
  const values = [change.before, change.set];
  return change.kind === 'field' && isTexts(change.path) && values.every((one) => one === undefined || isJson(one));
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
