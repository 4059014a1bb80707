import type { TargetName } from '../../core/action/plan.ts';
import { names } from '../../core/cluster/labels.ts';
import { type ErrorCode, FirebreakError, hasCode, undefinedIf } from '../../core/errors.ts';
import { isJson, isObject, type Json } from '../../core/text/plain-json.ts';
import { oneLine } from '../../core/text/visible-text.ts';
import { type KubernetesApi, pathOf } from './client.ts';
import { KubernetesError } from './client-error.ts';

/** Identifies one object of any kind. */
export interface ObjectRef {
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  /** Plural, as in the path: `networkpolicies`. */
  readonly resource: string;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
  readonly name: string;
}

/** An object of any kind, as in the API's JSON. */
export interface ObjectJson {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
    readonly finalizers?: string[];
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: OwnerReference[];
    readonly managedFields?: ManagedFields[];
  };
  readonly [field: string]: unknown;
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/ */
interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

/** https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management */
interface ManagedFields {
  readonly manager?: string;
  readonly time?: string;
  readonly fieldsV1?: unknown;
}

interface Call {
  readonly api: KubernetesApi;
  readonly ref: ObjectRef;
  readonly signal?: AbortSignal;
}

/** `deployment/shop/cart`, `node/worker-1`. */
export function targetOf({ kind, namespace, name }: ObjectRef): TargetName {
  return [kind.toLowerCase(), ...(namespace === undefined ? [] : [namespace]), name].join('/');
}

/** The object by name, or undefined if there is none. */
export async function readObject({ api, ref, signal }: Call): Promise<ObjectJson | undefined> {
  return api
    .json<ObjectJson>({ method: 'GET', path: pathOf(ref), what: doing('get', ref), ...(signal && { signal }) })
    .catch(undefinedIf('FB_ERR_NOT_FOUND'));
}

/** @throws FB_ERR_NOT_FOUND, and what `readObject` throws. */
export async function readKnownObject(call: Call): Promise<ObjectJson> {
  const object = await readObject(call);
  if (!object) throw new FirebreakError('FB_ERR_NOT_FOUND', `${targetOf(call.ref)} does not exist`);
  return object;
}

/** All objects of a kind, in a namespace or in the cluster. */
export async function listObjects<T = ObjectJson>(
  options: Omit<Call, 'ref'> & {
    readonly ref: Omit<ObjectRef, 'name'>;
    readonly query?: Readonly<Record<string, string>>;
    /** Objects for which it returns false are left out. Called for each page, so that no more than a page of them is in memory. */
    readonly keep?: (object: T) => boolean;
  },
): Promise<readonly T[]> {
  const { api, ref, query, keep, signal } = options;
  const found: T[] = [];
  let next: string | undefined;
  do {
    const page = await api.json<{ readonly items: readonly T[]; readonly metadata?: { readonly continue?: string } }>({
      method: 'GET',
      path: pathOf(ref),
      query: { limit: '500', ...query, ...(next && { continue: next }) },
      what: doing('list', ref),
      ...(signal && { signal }),
    });
    found.push(...(keep ? page.items.filter(keep) : page.items));
    next = page.metadata?.continue || undefined;
  } while (next);
  return found;
}

/** Undefined if one with this name already exists. */
export async function createObject(
  options: Call & { readonly metadata: object; readonly content: object },
): Promise<ObjectJson | undefined> {
  const { api, ref, metadata, content, signal } = options;
  const { name, ...place } = ref;
  const { group, version = 'v1', namespace } = place;
  try {
    return await api.json<ObjectJson>({
      method: 'POST',
      path: pathOf(place),
      query: { fieldManager: names.fieldManager },
      body: {
        apiVersion: group ? `${group}/${version}` : version,
        kind: ref.kind,
        metadata: { ...metadata, name, ...(namespace !== undefined && { namespace }) },
        ...content,
      },
      what: doing('create', ref),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 409) return undefined;
    throw error;
  }
}

/**
 * Retries, starting with the read, if somebody else wrote first: the controllers of a workload write its status all the time. `also`: other codes that mean a
 * conflict, such as FB_ERR_NOT_FOUND if the read handles that case.
 */
export async function despiteConflicts<T>(work: () => Promise<T>, ...also: readonly ErrorCode[]): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, 'FB_ERR_CONFLICT', ...also) || attempt > 5) throw error;
    }
  }
}

/**
 * Sets one field and one annotation, in one call that succeeds only on exactly the object that was read.
 * @throws FB_ERR_CONFLICT if it has changed since (read again), FB_ERR_NOT_FOUND if it is gone.
 */
export async function patchField(
  options: Call & {
    readonly seen: ObjectJson;
    readonly path: readonly string[];
    /** undefined removes the field. */
    readonly value: Json | undefined;
    /** null removes an annotation. */
    readonly annotations: Readonly<Record<string, string | null>>;
  },
): Promise<ObjectJson> {
  const { api, ref, seen, path, value, annotations, signal } = options;
  const { uid, resourceVersion } = seen.metadata;
  const field = path.reduceRight<Json>((inner, part) => ({ [part]: inner }), value ?? null);
  return api.json<ObjectJson>({
    method: 'PATCH',
    patch: 'merge',
    path: pathOf(ref),
    query: { fieldManager: names.fieldManager },
    body: { metadata: { uid, resourceVersion, annotations }, ...(typeof field === 'object' && field) },
    what: doing('patch', ref),
    ...(signal && { signal }),
  });
}

/** Sets annotations, in one call that succeeds only on exactly the object that was read. @throws as `patchField`. */
export function annotateObject(options: Omit<Parameters<typeof patchField>[0], 'path' | 'value'>): Promise<ObjectJson> {
  return patchField({ ...options, path: [], value: undefined });
}

/** Deletes exactly the object that was read, unchanged. @throws FB_ERR_CONFLICT if it has changed since. */
export async function deleteObject({ api, ref, seen, signal }: Call & { readonly seen: ObjectJson }): Promise<void> {
  const { uid, resourceVersion } = seen.metadata;
  await api.json({
    method: 'DELETE',
    path: pathOf(ref),
    body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
    what: doing('delete', ref),
    ...(signal && { signal }),
  });
}

/** The field at this path; undefined if it does not exist. */
export function fieldOf(object: ObjectJson, path: readonly string[]): Json | undefined {
  let at: unknown = object;
  for (const part of path)
    at = typeof at === 'object' && at !== null ? Object.entries(at).find(([key]) => key === part)?.[1] : undefined;
  return isJson(at) ? at : undefined;
}

/**
 * The last field manager other than us that set the field at this path: a controller chooses that name itself, and nothing proves it. Undefined if the field
 * does not exist: Kubernetes does not remember what removed it.
 */
export function lastManagerOf(
  { metadata }: { readonly metadata?: { readonly managedFields?: ManagedFields[] } },
  path: readonly string[],
): string | undefined {
  const others = (metadata?.managedFields ?? []).filter(({ manager, fieldsV1 }) => {
    let at: unknown = fieldsV1;
    for (const part of path) at = isObject(at) ? at[`f:${part}`] : undefined;
    return manager !== undefined && manager !== names.fieldManager && at !== undefined;
  });
  const last = others.reduce<ManagedFields | undefined>((a, b) => (a && (a.time ?? '') > (b.time ?? '') ? a : b), undefined);
  return last?.manager === undefined ? undefined : oneLine(last.manager, 128);
}

/** `patch deployments in shop`: the call with the right that it needs. */
function doing(verb: string, { resource, namespace }: Omit<ObjectRef, 'name'>): string {
  return namespace === undefined ? `${verb} ${resource}` : `${verb} ${resource} in ${namespace}`;
}
