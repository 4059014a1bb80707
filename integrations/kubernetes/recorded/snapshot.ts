import { z } from 'zod';
import type { Right } from '../../../core/action/action.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import type { KubernetesApi } from '../client.ts';
import { KubernetesError } from '../client-error.ts';

const resourceKind = z.strictObject({
  group: z.string(),
  version: z.string(),
  /** Plural, as in the path. */
  resource: z.string(),
  kind: z.string(),
  items: z.array(z.looseObject({})),
});

/** A cluster's API server answers at one time, without secret values. */
export const clusterSnapshot = z.strictObject({
  format: z.literal('firebreak/cluster-snapshot/v1'),
  server: z.string(),
  /** ISO 8601, UTC. */
  at: z.iso.datetime(),
  resources: z.array(resourceKind),
  /** What could not be read, and why. */
  missing: z.array(z.strictObject({ group: z.string(), resource: z.string(), reason: z.string() })),
});
export type ClusterSnapshot = z.infer<typeof clusterSnapshot>;
type RecordedKind = z.infer<typeof resourceKind>;

interface Discovered {
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
}

const pageSize = 500;
const listMs = 60_000;

/**
 * Records what the actions read from a cluster: the resources of these rights, in each version that the API server has.
 *
 * @throws KubernetesError if the server does not answer; what it does not allow is listed in `missing`.
 */
export async function recordCluster(options: {
  readonly api: KubernetesApi;
  readonly rights: readonly Pick<Right, 'apiGroup' | 'resource'>[];
  readonly now?: () => Date;
}): Promise<ClusterSnapshot> {
  const { api, rights, now = () => new Date() } = options;
  const wanted = new Map<string, Set<string>>();
  for (const { apiGroup, resource } of rights) {
    if (resource.includes('/') || resource.includes('*')) continue;
    wanted.set(apiGroup, (wanted.get(apiGroup) ?? new Set()).add(resource));
  }
  const at = now().toISOString();
  const resources: RecordedKind[] = [];
  const missing: ClusterSnapshot['missing'] = [];
  for (const [group, names] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const { version, resource, kind } of await discover(api, group)) {
      if (!names.has(resource)) continue;
      try {
        const items = await listAll(api, { group, version, resource });
        resources.push({ group, version, resource, kind, items: items.map((item) => withoutSecrets(kind, item)) });
      } catch (error) {
        if (!(error instanceof KubernetesError) || error.code === 'FB_ERR_UNAVAILABLE') throw error;
        missing.push({ group, resource, reason: error.detail });
      }
    }
  }
  return { format: 'firebreak/cluster-snapshot/v1', server: api.server, at, resources, missing };
}

/** The listable resources of a group, in each of its versions; none if the cluster does not have the group. */
async function discover(api: KubernetesApi, group: string): Promise<readonly Discovered[]> {
  const get = <T>(path: string): Promise<T> =>
    api.json<T>({ method: 'GET', path, what: `discover ${group || 'the core group'}` });
  try {
    const versions =
      group === ''
        ? ['v1']
        : (await get<{ readonly versions: readonly { readonly version: string }[] }>(`/apis/${group}`)).versions.map(
            ({ version }) => version,
          );
    const found = await Promise.all(
      versions.map(async (version) => {
        const { resources } = await get<{
          readonly resources: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly string[] }[];
        }>(group === '' ? '/api/v1' : `/apis/${group}/${version}`);
        return resources
          .filter(({ verbs }) => verbs.includes('list'))
          .map(({ name, kind }) => ({ version, resource: name, kind }));
      }),
    );
    return found.flat();
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 404) return [];
    throw error;
  }
}

async function listAll(
  api: KubernetesApi,
  { group, version, resource }: Pick<RecordedKind, 'group' | 'version' | 'resource'>,
): Promise<readonly Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  let next: string | undefined;
  do {
    const page = await api.json<{
      readonly items?: readonly Record<string, unknown>[];
      readonly metadata?: { readonly continue?: string };
    }>({
      method: 'GET',
      path: group === '' ? `/api/v1/${resource}` : `/apis/${group}/${version}/${resource}`,
      query: { limit: String(pageSize), ...(next && { continue: next }) },
      what: `list ${resource}`,
      timeoutMs: listMs,
    });
    items.push(...(page.items ?? []));
    next = page.metadata?.continue || undefined;
  } while (next);
  return items;
}

/** Contains a second copy of the whole object as it was applied, including values: https://kubernetes.io/docs/reference/labels-annotations-taints/ */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The object without potential secrets: values of Secrets and ConfigMaps, of environment variables and charts, and the copy of all that in an annotation. The
 * keys stay: a plan needs them to say what it would change.
 */
function withoutSecrets(kind: string, object: Record<string, unknown>): Record<string, unknown> {
  const { stringData: _, ...known } = object;
  const holdsValues = kind === 'Secret' || kind === 'ConfigMap';
  const emptied = holdsValues
    ? Object.fromEntries(
        Object.entries(known).map(([field, value]) =>
          field === 'data' || field === 'binaryData' ? [field, withoutValues(value)] : [field, value],
        ),
      )
    : known;
  const left = declarers.has(kind) ? valuesOfCharts : noFields;
  return Object.fromEntries(Object.entries(emptied).map(([field, value]) => [field, cleaned(field, value, left)]));
}

/** Objects that declare workloads elsewhere may contain chart values in plain text. */
const declarers: ReadonlySet<string> = new Set(['Application', 'HelmRelease', 'Kustomization']);
const valuesOfCharts: ReadonlySet<string> = new Set(['values', 'valuesObject', 'parameters', 'substitute']);
const noFields: ReadonlySet<string> = new Set();

/** A Secret’s values are base64, and an empty value would be planned differently from an existing one. */
const leftOut = Buffer.from('left out').toString('base64');

function withoutValues(value: unknown): unknown {
  return isObject(value) ? Object.fromEntries(Object.keys(value).map((key) => [key, leftOut])) : value;
}

function cleaned(field: string, value: unknown, left: ReadonlySet<string>): unknown {
  if (Array.isArray(value))
    return value.map((one) => (field === 'env' && isObject(one) ? withoutValue(one) : cleaned('', one, left)));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'managedFields' && !left.has(key) && !(field === 'annotations' && key === lastApplied))
      .map(([key, inner]) => [key, cleaned(key, inner, left)]),
  );
}

/** Clears a literal environment variable; one that refers to a Secret keeps its reference. */
function withoutValue(variable: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return 'value' in variable ? { ...variable, value: '' } : variable;
}
