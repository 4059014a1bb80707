import type { StepContext } from '../../core/action/action.ts';
import type { Pausing } from '../../core/action/pausing.ts';
import type { Plan, Reach } from '../../core/action/plan.ts';
import { stepHash } from '../../core/cluster/labels.ts';
import {
  type FieldChange,
  noteAnnotation,
  type ObjectNote,
  openNote,
  releasedBy,
  sealNote,
} from '../../core/cluster/object-note.ts';
import { type AllowRelease, holdTermsNow } from '../../core/incident/hold.ts';
import type { CellKey } from '../../core/messages/sealed.ts';
import type { Json } from '../../core/text/plain-json.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { findDeclarer, isPausePath, type PausePlace, pausedKinds } from '../../integrations/kubernetes/gitops/declarers.ts';
import {
  annotateObject,
  despiteConflicts,
  fieldOf,
  type ObjectJson,
  type ObjectRef,
  patchField,
  readKnownObject,
  readObject,
  targetOf,
} from '../../integrations/kubernetes/objects.ts';
import { otherWriter } from '../../integrations/kubernetes/workloads/writers.ts';
import { pathText, same } from './held-field.ts';
import { annotationAt, crowdingOn, lostBefore, roomNotes, without } from './note-room.ts';

export interface PauseParts {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
  /** Absent: nothing is looked up and nothing is paused. */
  readonly pausing?: Pausing | undefined;
  readonly isProtected?: ((namespace: string) => boolean) | undefined;
}

interface Declared {
  readonly ref: ObjectRef;
  readonly object: ObjectJson;
}

const prefix = noteAnnotation('pause-');

/** Each step has its own note there: an application is paused for as long as any of its workloads is held. */
function pauseNoteName(step: string): string {
  return `pause-${stepHash(step).slice(0, 16)}`;
}

/** The notes of pauses on an object, by their annotations. With a key, only those that the cell has written there. */
export function pauseNotes(
  { metadata }: ObjectJson,
  target: string,
  key: CellKey | undefined,
): ReadonlyMap<string, ObjectNote & { readonly change: FieldChange }> {
  const notes = new Map<string, ObjectNote & { readonly change: FieldChange }>();
  for (const [annotation, text] of Object.entries(metadata.annotations ?? {})) {
    if (!annotation.startsWith(prefix)) continue;
    const action = annotation.replace(noteAnnotation(''), '');
    const opened = openNote({ text, action, object: target, uid: metadata.uid, key });
    if (opened.kind !== 'read' || (key && opened.authentic !== 'yes')) continue;
    // A Deployment's annotations are copied onto its ReplicaSets.
    if (opened.note.object !== target) continue;
    const { change } = opened.note;
    if (change.kind === 'field' && isPausePath(change.path)) notes.set(annotation, { ...opened.note, change });
  }
  return notes;
}

interface DeclaredPlan extends Pick<Plan, 'changes' | 'blastRadius' | 'notes'> {
  /** Set if the pause affects more than the object of the step. */
  readonly reach?: Reach;
  readonly place?: PausePlace;
}

/** What a plan says about whatever declares the object elsewhere, and about pausing that. */
export async function planOfDeclarer(options: PauseParts & Declared & { readonly signal: AbortSignal }): Promise<DeclaredPlan> {
  const { api, cellKey, pausing = {}, isProtected = () => false, ref, object, signal } = options;
  const isPausedByUs: Parameters<typeof findDeclarer>[0]['isPausedByUs'] = (paused) =>
    pauseNotes(paused.object, targetOf(paused.ref), cellKey).size > 0;
  const found = await findDeclarer({ api, pausing, isProtected, isPausedByUs, ref, object, signal });
  if (!found) {
    const writer = otherWriter(object.metadata);
    return { changes: [], blastRadius: [], notes: writer ? [`It is managed by ${writer.named}, which may take this back.`] : [] };
  }
  const { says, place } = found;
  if (!place) return { changes: [], blastRadius: [], notes: says };
  const target = targetOf(place.ref);
  const declared = { changes: [{ target, what: place.what }], blastRadius: [target], place };
  if (target === targetOf(ref)) return { ...declared, notes: says };
  const seen = await readKnownObject({ api, ref: place.ref, signal });
  const lost = lostBefore({ ref: place.ref, object: seen, cellKey }) + crowdingFor(options, place, seen).length;
  return { ...declared, notes: [...says, ...roomNotes(target, lost)], reach: 'namespace' };
}

/** Annotations that leave no room for the note of a pause. What the pause itself sets is overwritten. */
function crowdingFor({ cellKey }: PauseParts, { ref, path }: PausePlace, object: ObjectJson, ...names: readonly string[]) {
  const set = annotationAt(path);
  return crowdingOn({ ref, object, cellKey, names: [...names, ...(set === undefined ? [] : [set])] });
}

/** Pauses what declares the object, if the plan says so. Returns the paused target; undefined if there is none. */
export async function pauseDeclarer(
  options: PauseParts & { readonly ref: ObjectRef; readonly context: StepContext },
): Promise<string | undefined> {
  const { api, cellKey, pausing, ref, context } = options;
  if (!pausing) return undefined;
  const { signal, key, incident } = context;
  const object = await readKnownObject({ api, ref, signal });
  const { place } = await planOfDeclarer({ ...options, object, signal });
  if (!place) return undefined;
  const target = targetOf(place.ref);
  await despiteConflicts(async () => {
    const seen = await readKnownObject({ api, ref: place.ref, signal });
    const notes = pauseNotes(seen, target, cellKey);
    const action = pauseNoteName(key);
    const annotation = noteAnnotation(action);
    if (notes.has(annotation)) return;
    const found = fieldOf(seen, place.path);
    // The value before any of our steps, not the value that the first of them set.
    const [other] = notes.values();
    const before = other && same(found, place.value) ? other.change.before : notedValue(found);
    const going = crowdingFor(options, place, seen, annotation);
    const lost = going.length + (other || same(before, found) ? 0 : 1);
    const note: ObjectNote = {
      version: 2,
      incident,
      step: key,
      action,
      object: target,
      uid: seen.metadata.uid,
      change: { kind: 'field', path: place.path, ...(before !== undefined && { before }), set: place.value },
      ...(lost > 0 && { lost }),
      terms: holdTermsNow(context),
    };
    const to = { value: place.value, annotations: { ...without(going), [annotation]: sealNote(note, cellKey) } };
    await setField({ api, ref: place.ref, seen, path: place.path, signal, ...to });
  });
  return target;
}

/** Finds what this step has paused, among the named targets and whatever declares the object now. */
export async function findPaused(
  options: PauseParts & {
    readonly ref: ObjectRef;
    readonly named: readonly (string | undefined)[];
    readonly key: string;
    readonly signal: AbortSignal;
  },
): Promise<readonly { readonly ref: ObjectRef; readonly note: ObjectNote }[]> {
  const { api, cellKey, ref, named, key, signal } = options;
  const refs = new Map([
    [targetOf(ref), ref],
    ...named.flatMap((target) => refOfPaused(target)).map((one) => [targetOf(one), one] as const),
  ]);
  const object = options.pausing && (await readObject({ api, ref, signal }));
  const now = object && (await planOfDeclarer({ ...options, object, signal })).place?.ref;
  if (now) refs.set(targetOf(now), now);
  const found: { readonly ref: ObjectRef; readonly note: ObjectNote }[] = [];
  for (const [target, one] of refs) {
    const seen = await readObject({ api, ref: one, signal });
    const note = seen && pauseNotes(seen, target, cellKey).get(noteAnnotation(pauseNoteName(key)));
    if (note) found.push({ ref: one, note });
  }
  return found;
}

/** Restores exactly what was paused, unless another step still needs the pause or somebody has changed it meanwhile. Describes the result. */
export async function resumeDeclarer(options: {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey | undefined;
  readonly ref: ObjectRef;
  readonly annotation: string;
  readonly signal?: AbortSignal;
}): Promise<string | undefined> {
  const { api, cellKey, ref, annotation, signal } = options;
  const target = targetOf(ref);
  return despiteConflicts(async () => {
    const seen = await readObject({ api, ref, ...(signal && { signal }) });
    const notes = seen && pauseNotes(seen, target, cellKey);
    const note = notes?.get(annotation);
    if (!seen || !note) return undefined;
    const { path, before, set } = note.change;
    const found = fieldOf(seen, path);
    const isOurs = same(found, set);
    const isNeeded = (notes?.size ?? 0) > 1;
    const value = isOurs && !isNeeded ? before : found;
    await setField({ api, ref, seen, path, value, annotations: { [annotation]: null }, ...(signal && { signal }) });
    if (!isOurs) return `${target}: ${pathText(path)} stays as somebody set it meanwhile`;
    if (isNeeded) return `${target} stays paused for another step`;
    return `${target} is no longer paused`;
  });
}

export function releasedPauses(paused: readonly { readonly note: ObjectNote }[]): Parameters<AllowRelease>[0] {
  return paused.map(({ note }) => releasedBy(note));
}

/** A pause value is one word. Anyone who may write an annotation could make it so long that no note of it fits: then it is not restored. */
function notedValue(found: Json | undefined): Json | undefined {
  return typeof found === 'string' && found.length > longestNoted ? undefined : found;
}

const longestNoted = 1_024;

/** The field may itself be an annotation: then there is one patch of annotations. */
function setField(
  options: Omit<Parameters<typeof patchField>[0], 'annotations'> & {
    readonly annotations: Readonly<Record<string, string | null>>;
  },
): Promise<ObjectJson> {
  const { path, value, annotations } = options;
  const name = annotationAt(path);
  if (name === undefined) return patchField(options);
  const own = { [name]: typeof value === 'string' ? value : null };
  return annotateObject({ ...options, annotations: { ...annotations, ...own } });
}

/** `application/argocd/cart` */
function refOfPaused(target: string | undefined): readonly ObjectRef[] {
  const [kind, namespace, name] = (target ?? '').split('/');
  if (namespace === undefined || name === undefined) return [];
  return pausedKinds.filter((one) => one.kind.toLowerCase() === kind).map((one) => ({ ...one, namespace, name }));
}
