import { z } from 'zod';
import { type LabelSelector, selects } from '../../../core/cluster/pod-record.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import type { KubernetesCall, StreamCall } from '../call.ts';
import type { KubernetesApi } from '../client.ts';
import { errorOfConnection, errorOfStatus } from '../client-error.ts';
import { refusedToWrite } from './read-only.ts';
import { recordedRight } from './recorded-rights.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** A client that answers from a snapshot, as the API server did when it was recorded. It changes nothing, and a watch yields nothing. */
export function snapshotApi(snapshot: ClusterSnapshot): KubernetesApi {
  const kinds = new Map(snapshot.resources.map((one) => [`${one.group}/${one.version}/${one.resource}`, one]));
  const notAllowed = new Set(snapshot.missing.map(({ group, resource }) => `${group}/${resource}`));
  const isAllowed = ({ body, what }: KubernetesCall): boolean => {
    const spec = isObject(body) && isObject(body.spec) ? body.spec : {};
    const asked = subjectReview.safeParse(spec);
    if (!asked.success || rbac.some((resource) => !kinds.has(`${rbacGroup}/v1/${resource}`))) throw refusedToWrite(what);
    const { resourceAttributes, ...subject } = asked.data;
    return recordedRight((resource) => kinds.get(`${rbacGroup}/v1/${resource}`)?.items ?? [], subject, resourceAttributes);
  };
  const answer = (call: KubernetesCall): unknown => {
    const { method, path, what } = call;
    if (method === 'POST' && path === subjectReviews) return { status: { allowed: isAllowed(call) } };
    if (method !== 'GET') throw refusedToWrite(what);
    const asked = partsOf(path);
    const kind = asked && kinds.get(`${asked.group}/${asked.version}/${asked.resource}`);
    if (!asked || !kind || asked.subresource !== undefined)
      throw errorOfStatus({ status: asked && notAllowed.has(`${asked.group}/${asked.resource}`) ? 403 : 404, text: '', what });
    const items = kind.items.filter((item) => asked.namespace === undefined || metadataOf(item).namespace === asked.namespace);
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    if (asked.name !== undefined) {
      const found = items.find((item) => metadataOf(item).name === asked.name);
      if (!found) throw errorOfStatus({ status: 404, text: '', what });
      return { apiVersion, kind: kind.kind, ...found };
    }
    const query = new URLSearchParams(call.query);
    const chosen = items.filter((item) => isSelected(item, query, what));
    return { apiVersion, kind: `${kind.kind}List`, metadata: {}, items: chosen };
  };
  return {
    server: snapshot.server,
    // Cloned, so that a caller that changes its answer does not change other callers' answers.
    json: async (call) => structuredClone(answer(call)) as never,
    stream: (call) => (call.query && new URLSearchParams(call.query).has('watch') ? untilStopped(call) : nothingRecorded(call)),
    socket: async ({ what }) => {
      throw refusedToWrite(what);
    },
    clock: () => undefined,
    close: () => undefined,
  };
}

const subjectReviews = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const rbacGroup = 'rbac.authorization.k8s.io';
const rbac = ['clusterrolebindings', 'clusterroles', 'rolebindings', 'roles'];
const subjectReview = z.object({
  user: z.string(),
  groups: z.array(z.string()),
  resourceAttributes: z.object({
    group: z.string().exactOptional(),
    resource: z.string(),
    subresource: z.string().exactOptional(),
    verb: z.string(),
    namespace: z.string().exactOptional(),
    name: z.string().exactOptional(),
  }),
});

async function nothingRecorded({ what }: StreamCall): Promise<never> {
  throw errorOfStatus({ status: 404, text: '', what });
}

function untilStopped({ signal, what }: StreamCall): Promise<never> {
  return new Promise((_, reject) => {
    const stopped = (): void => reject(errorOfConnection({ error: signal?.reason, what }));
    if (signal?.aborted) stopped();
    else signal?.addEventListener('abort', stopped, { once: true });
  });
}

interface Asked {
  readonly group: string;
  readonly version: string;
  readonly namespace?: string;
  readonly resource: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Parses a path made by `pathOf`; a trailing slash makes no difference, as for an API server. */
function partsOf(path: string): Asked | undefined {
  const [root, ...rest] = path.split('/').filter(Boolean).map(decodeURIComponent);
  const [group = '', version = ''] = root === 'api' ? ['', rest.shift()] : [rest.shift(), rest.shift()];
  const namespace = rest[0] === 'namespaces' && rest.length > 2 ? rest.splice(0, 2)[1] : undefined;
  const [resource, name, subresource] = rest;
  if (resource === undefined) return undefined;
  return {
    group,
    version,
    resource,
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(subresource !== undefined && { subresource }),
  };
}

function metadataOf(item: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return isObject(item.metadata) ? item.metadata : {};
}

function isSelected(item: Readonly<Record<string, unknown>>, query: URLSearchParams, what: string): boolean {
  const { labels } = metadataOf(item);
  const [byLabels, byFields] = [query.get('labelSelector'), query.get('fieldSelector')];
  if (byLabels && !selects(labelSelectorOf(byLabels, what), isObject(labels) ? stringsIn(labels) : {})) return false;
  return (byFields?.split(',') ?? []).every((term) => {
    const [field = '', ...value] = term.split('=');
    const found = field.split('.').reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), item);
    return String(found ?? '') === value.join('=');
  });
}

function stringsIn(labels: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)]));
}

/** Supports only the selector forms (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api) that Firebreak writes. */
function labelSelectorOf(text: string, what: string): LabelSelector {
  const terms = text.split(',').map((term) => /^([\w./-]+)(?:==?([\w.-]*))?$/.exec(term));
  return {
    matchExpressions: terms.map((term) => {
      if (!term) throw refusedToWrite(`${what} by the labels ${text}`);
      const [, key = '', value] = term;
      return value === undefined ? { key, operator: 'Exists' } : { key, operator: 'In', values: [value] };
    }),
  };
}
