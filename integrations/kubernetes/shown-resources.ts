import { isDeepStrictEqual } from 'node:util';
import type { Right } from '../../core/action/action.ts';
import {
  type ResourceKind,
  resourceGroup,
  resourcePlurals,
  resourceVersion,
  type ShownResource,
} from '../../core/cluster/cluster-resources.ts';
import { undefinedIf } from '../../core/errors.ts';
import { type KubernetesApi, pathOf } from './client.ts';
import { createObject, listObjects, type ObjectJson, type ObjectRef, readObject } from './objects.ts';

const resources = Object.values(resourcePlurals);

/** Rights to maintain the resources that show what Firebreak does. */
export const resourceRights: readonly Right[] = [
  ...resources.map((resource) => ({
    apiGroup: resourceGroup,
    resource,
    verbs: ['get', 'list', 'create', 'patch', 'delete'],
  })),
  ...resources.map((resource) => ({ apiGroup: resourceGroup, resource: `${resource}/status`, verbs: ['patch'] })),
];

const withinMs = 5_000;

/** The place of a resource: `incidents/shop/deployment-cart-0123456789`. */
export function placeOf({ kind, namespace, name }: Pick<ShownResource, 'kind' | 'namespace' | 'name'>): string {
  return `${resourcePlurals[kind]}/${namespace}/${name}`;
}

/** Reads and writes the resources that show what Firebreak does. */
export class ShownResources {
  readonly #api: KubernetesApi;
  readonly #signal: AbortSignal;

  constructor(api: KubernetesApi, signal: AbortSignal) {
    this.#api = api;
    this.#signal = signal;
  }

  /** All objects of these kinds in the cluster, whoever wrote them; undefined if the API server does not have the kinds. */
  async list(): Promise<ReadonlyMap<string, { readonly kind: ResourceKind; readonly object: ObjectJson }> | undefined> {
    const found = new Map<string, { readonly kind: ResourceKind; readonly object: ObjectJson }>();
    for (const kind of ['Incident', 'Containment'] as const) {
      const ref = { kind, group: resourceGroup, version: resourceVersion, resource: resourcePlurals[kind] };
      const listing = listObjects({ api: this.#api, ref, signal: this.#limit() });
      const objects = await listing.catch(undefinedIf('FB_ERR_NOT_FOUND'));
      if (!objects) return undefined;
      for (const object of objects) {
        const { name, namespace = '' } = object.metadata;
        found.set(placeOf({ kind, namespace, name }), { kind, object });
      }
    }
    return found;
  }

  /** Whether the object matches what the resource should say. */
  isAsShown({ status, labels }: ShownResource, object: ObjectJson): boolean {
    const found = object.metadata.labels ?? {};
    return isDeepStrictEqual(object.status, status) && Object.entries(labels).every(([name, value]) => found[name] === value);
  }

  /** Creates the object, or corrects its content. */
  async write(resource: ShownResource): Promise<void> {
    const ref = refOf(resource);
    const { labels, status } = resource;
    const made = await createObject({ api: this.#api, ref, metadata: { labels }, content: {}, signal: this.#limit() });
    const object = made ?? (await readObject({ api: this.#api, ref, signal: this.#limit() }));
    if (!object || this.isAsShown(resource, object)) return;
    const labelled = Object.entries(labels).every(([name, value]) => object.metadata.labels?.[name] === value);
    if (!labelled) await this.#patch(ref, { metadata: { labels } });
    // Fields that are no longer set must be removed.
    const said = typeof object.status === 'object' && object.status !== null ? object.status : {};
    const over = Object.fromEntries(Object.keys(said).map((field) => [field, null]));
    await this.#patch(ref, { status: { ...over, ...status } }, 'status');
  }

  async remove(resource: Pick<ShownResource, 'kind' | 'namespace' | 'name'>): Promise<void> {
    const ref = refOf(resource);
    const call = { method: 'DELETE', path: pathOf(ref), what: `delete ${ref.resource}`, signal: this.#limit() } as const;
    await this.#api.json(call).catch(undefinedIf('FB_ERR_NOT_FOUND'));
  }

  async #patch(ref: ObjectRef, body: object, subresource?: string): Promise<void> {
    const path = pathOf({ ...ref, ...(subresource !== undefined && { subresource }) });
    const what = `patch ${ref.resource}${subresource === undefined ? '' : `/${subresource}`}`;
    await this.#api.json({ method: 'PATCH', patch: 'merge', path, body, what, signal: this.#limit() });
  }

  #limit(): AbortSignal {
    return AbortSignal.any([this.#signal, AbortSignal.timeout(withinMs)]);
  }
}

function refOf({ kind, namespace, name }: Pick<ShownResource, 'kind' | 'namespace' | 'name'>): ObjectRef {
  return { kind, group: resourceGroup, version: resourceVersion, resource: resourcePlurals[kind], namespace, name };
}
