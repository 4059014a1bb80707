import type { StepContext, UndoResult } from '../../core/action/action.ts';
import { incidentHash, names } from '../../core/cluster/labels.ts';
import { noteAnnotation, type ObjectNote, openNote, releasedBy, sealNote } from '../../core/cluster/object-note.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type AllowRelease, holdTermsNow } from '../../core/incident/hold.ts';
import type { CellKey } from '../../core/messages/sealed.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import {
  createObject,
  deleteObject,
  despiteConflicts,
  type ObjectJson,
  type ObjectRef,
  readObject,
  targetOf,
} from '../../integrations/kubernetes/objects.ts';

/**
 * An object that an action creates and later removes. `content` is written out in full, with every default that the API server would add: any difference from
 * it was made by somebody else.
 */
export interface MadeObject extends MadePlace {
  readonly content: Readonly<Record<string, unknown>>;
  /** For a policy that blocks addresses: which ones, as CIDRs. */
  readonly denies?: readonly string[];
  /** Anyone who may write there knows its name beforehand: an object that somebody else created under it must not block ours, and is deleted. */
  readonly replaces?: true;
}

/** Where it is: enough to check and remove it, as its note says what it was created with. */
interface MadePlace {
  readonly action: string;
  readonly ref: ObjectRef;
}

interface Parts<M extends MadePlace = MadePlace> {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
  readonly made: M;
}

/**
 * Creates the object, or finds it already created by this incident.
 * @throws FB_ERR_REFUSED if somebody else has one of this name, or FB_ERR_API_REFUSED if that is to be replaced but finalizers keep it
 */
export async function makeObject(options: Parts<MadeObject> & { readonly context: StepContext }): Promise<ObjectJson> {
  const { api, cellKey, made, context } = options;
  const { ref, action, content, denies, replaces = false } = made;
  const { signal } = context;
  const note: ObjectNote = {
    version: 2,
    incident: context.incident,
    step: context.key,
    action,
    object: targetOf(ref),
    change: { kind: 'made', digest: digestOf(content), ...(denies && { denies }) },
    terms: holdTermsNow(context),
  };
  const metadata = {
    labels: { [names.managedByLabel]: 'firebreak', [names.incidentLabel]: incidentHash(context.incident) },
    annotations: { [names.incidentAnnotation]: context.incident, [noteAnnotation(action)]: sealNote(note, cellKey) },
  };
  return despiteConflicts(async () => {
    const created = await createObject({ api, ref, metadata, content, signal });
    if (created) return created;
    const found = await readObject({ api, ref, signal });
    if (found && (!replaces || madeNote(options, found))) return requireMade({ ...options, incident: context.incident, signal });
    if (found) await removeForeign({ api, ref, found, signal });
    throw new FirebreakError('FB_ERR_CONFLICT', `${targetOf(ref)} keeps appearing and disappearing`);
  }, 'FB_ERR_NOT_FOUND');
}

/** @throws FB_ERR_API_REFUSED if it stays */
async function removeForeign(options: {
  readonly api: KubernetesApi;
  readonly ref: ObjectRef;
  readonly found: ObjectJson;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { api, ref, found, signal } = options;
  if (found.metadata.deletionTimestamp === undefined) await deleteObject({ api, ref, seen: found, signal });
  const left = await readObject({ api, ref, signal });
  if (isKept(left))
    throw new FirebreakError(
      'FB_ERR_API_REFUSED',
      `somebody else created ${targetOf(ref)}, and finalizers keep it: ${(left.metadata.finalizers ?? []).join(', ')}`,
    );
}

/**
 * The object as the API server has it, if it is exactly what this incident created.
 * @throws FB_ERR_DRIFTED if it is gone or was changed, FB_ERR_REFUSED if it is somebody else's.
 */
export async function requireMade(
  options: Parts & { readonly incident: string; readonly signal: AbortSignal },
): Promise<ObjectJson> {
  const { api, made, incident, signal } = options;
  const target = targetOf(made.ref);
  const found = await readObject({ api, ref: made.ref, signal });
  if (!found) throw new FirebreakError('FB_ERR_DRIFTED', `${target} is missing`);
  const note = madeNote(options, found);
  if (note?.incident !== incident)
    throw new FirebreakError('FB_ERR_REFUSED', `${target} already exists, and does not belong to this incident`);
  if (isChanged(note, found)) throw new FirebreakError('FB_ERR_DRIFTED', `${target} was changed`);
  return found;
}

/** Whether this very step has created it. */
export async function isMadeBy(options: Parts & { readonly key: string; readonly signal: AbortSignal }): Promise<boolean> {
  const { api, made, key, signal } = options;
  const found = await readObject({ api, ref: made.ref, signal });
  return found !== undefined && madeNote(options, found)?.step === key;
}

/** Removes the created objects, in this order, if all of them are exactly as created and belong to this step or incident. */
export async function removeMade(
  options: Omit<Parts, 'made'> & {
    readonly made: MadePlace | readonly MadePlace[];
    readonly key: string;
    readonly context: StepContext;
    readonly allow?: AllowRelease | undefined;
  },
): Promise<UndoResult> {
  const { api, made, context, allow } = options;
  const { signal } = context;
  const all = 'ref' in made ? [made] : made;
  const targets = all.map(({ ref }) => targetOf(ref)).join(', ');
  return despiteConflicts(async (): Promise<UndoResult> => {
    const found = await Promise.all(all.map((one) => readObject({ api, ref: one.ref, signal })));
    if (found.every((object) => object === undefined)) return { state: 'already', detail: `${targets} does not exist` };
    const difference = all.flatMap((one, at) => (found[at] ? differenceOf({ ...options, made: one }, found[at]) : []));
    if (difference.length > 0)
      return { state: 'drifted', detail: `${targets} is no longer as the step left it; nothing was changed`, difference };
    await allow?.(
      all.flatMap((one, at) => {
        const note = found[at] && madeNote({ ...options, made: one }, found[at]);
        return note ? [releasedBy(note)] : [];
      }),
    );
    for (const [at, { ref }] of all.entries()) if (found[at]) await deleteObject({ api, ref, seen: found[at], signal });
    const kept = (await Promise.all(all.map((one) => readObject({ api, ref: one.ref, signal })))).filter(isKept);
    // Until the finalizers are removed, it still exists and still denies.
    if (kept.length > 0)
      throw new FirebreakError(
        'FB_ERR_API_REFUSED',
        `${targets} is being deleted, and finalizers keep it in force: ${[...new Set(kept.flatMap(({ metadata }) => metadata.finalizers ?? []))].join(', ')}`,
      );
    return { state: 'undone', detail: `${targets} is gone again` };
  }, 'FB_ERR_NOT_FOUND');
}

function isKept(object: ObjectJson | undefined): object is ObjectJson {
  return object?.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length > 0;
}

function differenceOf(
  options: Parts & { readonly key: string; readonly context: StepContext },
  found: ObjectJson,
): readonly string[] {
  const { made, key, context } = options;
  const target = targetOf(made.ref);
  const note = madeNote(options, found);
  if (!note) return [`${target}: annotation ${noteAnnotation(made.action)} is not what this cell wrote: somebody edited it`];
  if (note.step !== key && note.incident !== context.incident) return [`${target} belongs to another step, of ${note.incident}`];
  return isChanged(note, found) ? [`the content of ${target} was changed`] : [];
}

function madeNote({ cellKey, made }: Parts, { metadata }: ObjectJson): ObjectNote | undefined {
  const { action, ref } = made;
  const text = metadata.annotations?.[noteAnnotation(action)];
  const opened = openNote({ text, action, object: targetOf(ref), uid: metadata.uid, key: cellKey });
  return opened.kind === 'read' && opened.authentic === 'yes' ? opened.note : undefined;
}

/** Whether its content differs from what it was created with. */
export function isChanged({ change }: Pick<ObjectNote, 'change'>, found: ObjectJson): boolean {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, status: _status, ...content } = found;
  return change.kind !== 'made' || change.digest !== digestOf(content);
}
