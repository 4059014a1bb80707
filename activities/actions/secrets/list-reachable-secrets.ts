import type { ActionImplementation } from '../../../core/action/action.ts';
import type {
  ListReachableSecretsInput,
  ListReachableSecretsOutput,
} from '../../../core/actions/secrets/list-reachable-secrets.schema.ts';
import { type AskedRight, mayAccount } from '../../../integrations/kubernetes/access-review.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readObject } from '../../../integrations/kubernetes/objects.ts';
import { readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { isOfKubelet, type PodJson, type SecretUse, secretUses } from '../../../integrations/kubernetes/watch/projection.ts';
import { planToRead } from '../../chokepoint/pod-reading.ts';

/** Maximum number of concurrent requests to the API server. */
const atOnce = 8;
/** Maximum number of namespaces that are queried one by one. */
const mostNamespaces = 200;

const wayTexts: Readonly<Record<SecretUse['as'], string>> = {
  env: 'in its environment',
  envFrom: 'all of it in its environment',
  volume: 'mounted as a volume',
  projected: 'mounted in a projected volume',
  mounting: 'used by the kubelet to mount a volume: not in the container, but readable by anyone who gets onto the node',
  imagePull: 'used by the kubelet to pull its image: not in the container, but readable by anyone who gets onto the node',
};

/** Rights that reach Secrets without the right to read them. */
const detours: readonly { readonly access: AskedRight; readonly means: string }[] = [
  { access: { verb: 'create', resource: 'pods' }, means: 'a pod of its own can mount any Secret there' },
  { access: { verb: 'create', resource: 'pods', subresource: 'exec' }, means: 'it can read what any pod there has' },
  { access: { verb: 'patch', resource: 'pods', subresource: 'ephemeralcontainers' }, means: 'it can look into any pod there' },
  ...[
    ['apps', 'deployments'],
    ['apps', 'statefulsets'],
    ['apps', 'daemonsets'],
    ['apps', 'replicasets'],
    ['batch', 'jobs'],
    ['batch', 'cronjobs'],
  ].map(([group = '', resource = '']) => ({
    access: { verb: 'create', group, resource },
    means: 'pods of its own can mount any Secret there',
  })),
  { access: { verb: 'patch', group: 'apps', resource: 'deployments' }, means: 'it can have them mount any Secret there' },
  { access: { verb: 'create', resource: 'serviceaccounts', subresource: 'token' }, means: 'it can become any account there' },
  { access: { verb: 'impersonate', resource: 'serviceaccounts' }, means: 'it can act as any account there' },
  {
    access: { verb: 'bind', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
    means: 'it can give itself any role there',
  },
];

/** Lists the Secrets that a pod could read; see the declaration in `core/actions/secrets/list-reachable-secrets.ts`. */
export function listReachableSecretsImplementation(options: {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
}): ActionImplementation<ListReachableSecretsInput, ListReachableSecretsOutput> {
  const { api, view } = options;

  return {
    plan: ({ pod }, { signal }) =>
      planToRead({
        api,
        pod,
        signal,
        notes: ['Reads the pod, and asks the API server what its account may read; reads no Secret, and changes nothing.'],
      }),

    async started() {
      return false;
    },

    async apply({ pod: target }, { signal }) {
      const { namespace } = target;
      const pod = await readSamePod({ api, pod: target, signal });
      const ways = new Map<string, Set<string>>();
      const add = (secret: string, way: string): void => {
        const name = `secret/${namespace}/${secret}`;
        ways.set(name, (ways.get(name) ?? new Set()).add(way));
      };
      for (const { name, as } of pod.spec ? secretUses(pod.spec) : []) add(name, wayTexts[as]);
      const account = pod.spec?.serviceAccountName ?? 'default';
      const hasToken = await tokenIsMounted(pod, account, signal);
      const base = { pod: target, secrets: secretsOf(ways) };
      // To know its type, the cell would have to read the Secret, which it may not.
      const unknown =
        pod.spec && secretUses(pod.spec).some((use) => !isOfKubelet(use))
          ? [
              'what the rights of another account reach, if one of these Secrets is its token (kubernetes.io/service-account-token)',
            ]
          : [];
      if (!hasToken) return { ...base, wide: [], detours: [], unknown };

      const may = (right: AskedRight): Promise<boolean> =>
        mayAccount({ api, account: { namespace, name: account }, right, signal });
      const wide = await wideAccess(may, unknown);
      const everywhere = wide.some((text) => text.endsWith('all namespaces'));
      if (!everywhere && !wide.some((text) => text === `get secrets in ${namespace}`))
        for (const name of await allowedNames(may, namespace)) add(name, 'by RBAC: get this Secret');
      return {
        ...base,
        account: `system:serviceaccount:${namespace}:${account}`,
        secrets: secretsOf(ways),
        wide: [...wide],
        detours: [...(await detoursOf(may, namespace))],
        unknown: [
          ...unknown,
          'a Secret that no pod names, but that a role allows by name, is not found: only known names can be checked',
        ],
      };
    },

    async verify({ account, secrets, wide }) {
      const count = secrets.length === 1 ? '1 Secret' : `${secrets.length} Secrets`;
      const more = wide.length > 0 ? `, and may ${wide.join(', ')}` : '';
      return { state: 'applied', detail: `it has ${count}${more}${account === undefined ? '; it has no token' : ''}` };
    },
  };

  async function tokenIsMounted(pod: PodJson, account: string, signal: AbortSignal): Promise<boolean> {
    const projected = pod.spec?.volumes?.some(({ projected: volume }) =>
      volume?.sources?.some(({ serviceAccountToken }) => serviceAccountToken !== undefined),
    );
    if (projected) return true;
    // Before 1.22 the token came as a Secret, and only the settings show that there is one.
    if (pod.spec?.automountServiceAccountToken !== undefined) return pod.spec.automountServiceAccountToken;
    const ref = { kind: 'ServiceAccount', resource: 'serviceaccounts', namespace: pod.metadata?.namespace ?? '', name: account };
    const found = await readObject({ api, ref, signal });
    return found?.automountServiceAccountToken !== false;
  }

  async function wideAccess(may: (right: AskedRight) => Promise<boolean>, unknown: string[]): Promise<readonly string[]> {
    const verbs = ['get', 'list', 'watch'];
    const all = await filtered(verbs, (verb) => may({ verb, resource: 'secrets' }));
    if (all.length > 0) return all.map((verb) => `${verb} secrets in all namespaces`);
    const namespaces = [...view.namespaces()].sort();
    if (namespaces.length > mostNamespaces)
      unknown.push(`only the first ${mostNamespaces} of ${namespaces.length} namespaces were asked about`);
    const pairs = namespaces.slice(0, mostNamespaces).flatMap((namespace) => verbs.map((verb) => ({ verb, namespace })));
    const found = await filtered(pairs, ({ verb, namespace }) => may({ verb, resource: 'secrets', namespace }));
    return found.map(({ verb, namespace }) => `${verb} secrets in ${namespace}`);
  }

  async function allowedNames(may: (right: AskedRight) => Promise<boolean>, namespace: string): Promise<readonly string[]> {
    const known = new Set<string>();
    for (const pod of view.pods(namespace)) for (const name of pod.secrets) known.add(name);
    return filtered([...known].sort(), (name) => may({ verb: 'get', resource: 'secrets', namespace, name }));
  }
}

async function detoursOf(may: (right: AskedRight) => Promise<boolean>, namespace: string): Promise<readonly string[]> {
  const found = await filtered(detours, ({ access }) => may({ ...access, namespace }));
  return found.map(({ access, means }) => {
    const { verb, resource, subresource } = access;
    return `${verb} ${resource}${subresource ? `/${subresource}` : ''} in ${namespace}: ${means}`;
  });
}

function secretsOf(ways: ReadonlyMap<string, ReadonlySet<string>>): { secret: string; ways: string[] }[] {
  return [...ways].sort(([a], [b]) => (a < b ? -1 : 1)).map(([secret, how]) => ({ secret, ways: [...how].sort() }));
}

/** The items for which the answer is yes, in order; asks a few questions at a time. */
async function filtered<T>(all: readonly T[], ask: (one: T) => Promise<boolean>): Promise<readonly T[]> {
  const kept: T[] = [];
  for (let at = 0; at < all.length; at += atOnce) {
    const some = all.slice(at, at + atOnce);
    const answers = await Promise.all(some.map(ask));
    kept.push(...some.filter((_, index) => answers[index]));
  }
  return kept;
}
