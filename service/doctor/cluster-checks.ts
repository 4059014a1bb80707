import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';
import type { Pool } from '../../core/action/action.ts';
import { hasCode } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { KubernetesError, unreachableRemedy } from '../../integrations/kubernetes/client-error.ts';
import type { Role } from '../config/secrets.ts';
import { openClusterApi } from '../process/cluster-api.ts';
import { configuredManifests } from '../rbac/manifests.ts';
import { missingRightsOf } from '../rbac/missing.ts';
import { daemonSets, networkOf } from '../setup/cluster-sight.ts';
import { webhookBundles } from './certificate-checks.ts';
import {
  clockResult,
  type DoctorCheck,
  type Examined,
  failure,
  type LookResult,
  notTried,
  ok,
  reasonWhy,
  warning,
} from './diagnosis.ts';

const inCluster: readonly Role[] = ['cell', 'secrets', 'forensics', 'packs'];
/** Older versions have no admission policies to restrict an account to its purpose. */
const oldestMinor = 30;
const testedMinor = 36;
/** More missing rights than these have one cause, such as a missing binding, and are one finding. */
const mostNamed = 4;
/** For checks that need one call for each right or policy. */
const oneByOneMs = 60_000;

export const clusterChecks: readonly DoctorCheck[] = [
  { name: 'kubernetes', roles: inCluster, run: withApi(version) },
  { name: 'kubernetes clock', roles: inCluster, run: withApi(clock) },
  { name: 'rights', withinMs: oneByOneMs, roles: inCluster, run: withApi(rights) },
  { name: 'admission policies', withinMs: oneByOneMs, roles: inCluster, run: withApi(admission) },
  { name: 'admission webhooks', roles: inCluster, run: withApi((api, _, signal) => webhookBundles(api, signal)) },
  { name: 'network policies', roles: ['cell'], run: withApi(enforcement) },
];

/** Creates pods and a NetworkPolicy for a moment, so it runs only on request. */
export const networkProbe: DoctorCheck = {
  name: 'network probe',
  withinMs: 120_000,
  run: withApi(async (api, { config }, signal) => {
    const { probeNetwork } = await import('./network-probe.ts');
    const { ownNamespace } = config.kubernetes;
    return probeNetwork({ api, toolsImage: config.forensics.toolsImage, ownNamespace, signal });
  }),
};

function withApi(
  look: (api: KubernetesApi, examined: Examined, signal: AbortSignal) => Promise<readonly LookResult[]>,
): DoctorCheck['run'] {
  return async (examined, signal) => {
    let api: KubernetesApi;
    try {
      api = await openClusterApi(examined);
    } catch (error) {
      // Only the first check gives the reason.
      if (look !== version) return [notTried('there is no access to the API server')];
      return [
        failure(
          reasonWhy(error, 'the access to the API server cannot be read'),
          'Name a kubeconfig in kubernetes.kubeconfig or KUBECONFIG, or run it in a pod with an account.',
        ),
      ];
    }
    try {
      return await look(api, examined, signal);
    } catch (error) {
      const isAway = hasCode(error, 'FB_ERR_UNAVAILABLE');
      if (!isAway) throw error;
      if (look !== version) return [notTried('the API server cannot be reached')];
      return [failure(`${api.server}: ${reasonWhy(error, 'it does not answer')}`, unreachableRemedy)];
    } finally {
      api.close();
    }
  };
}

async function version(api: KubernetesApi, _: Examined, signal: AbortSignal): Promise<readonly LookResult[]> {
  const {
    major = '',
    minor = '',
    gitVersion = '',
  } = await api.json<{
    readonly major?: string;
    readonly minor?: string;
    readonly gitVersion?: string;
  }>({ method: 'GET', path: '/version', what: 'read its version', signal });
  const number = Number.parseInt(minor, 10);
  if (major !== '1' || Number.isNaN(number)) return [notTried(`the API server reports the version ${gitVersion || 'nothing'}`)];
  if (number < oldestMinor)
    return [
      failure(`Kubernetes ${gitVersion}: older than 1.${oldestMinor}`, 'Upgrade the cluster: the admission policies need it.'),
    ];
  if (number > testedMinor + 1)
    return [
      warning(
        `Kubernetes ${gitVersion}: tested with 1.${testedMinor}`,
        'Look for a newer Firebreak, or test it on another cluster.',
      ),
    ];
  return [ok(`Kubernetes ${gitVersion} answers at ${api.server}`)];
}

async function clock(api: KubernetesApi, _: Examined, signal: AbortSignal): Promise<readonly LookResult[]> {
  // Several calls, since each answer only gives the time to the second.
  for (let call = 0; call < 4; call += 1) await api.json({ method: 'GET', path: '/version', what: 'read its version', signal });
  const offset = api.clock();
  if (!offset) return [notTried('its answers have no date')];
  return [clockResult('the API server’s', offset.aheadMs, offset.withinMs)];
}

/** Checks the rights of each pool for the account in use here; with one kubeconfig for all pools, the rights of that account. */
async function rights(api: KubernetesApi, { config, roles }: Examined, signal: AbortSignal): Promise<readonly LookResult[]> {
  const found: LookResult[] = [];
  for (const pool of poolsOf(roles)) {
    const missing = await missingRightsOf(config, { api, pool, signal });
    if (missing.length === 0) found.push(ok(`${pool}: has every right of its actions`));
    if (missing.length > mostNamed) {
      found.push(
        failure(
          `${pool}: its account lacks ${missing.length} rights, the first: ${missing
            .slice(0, mostNamed)
            .map(({ right }) => right)
            .join(', ')}`,
          `See whether its binding exists and names this account: kubectl get clusterrolebinding firebreak-${pool} --output wide. firebreak rbac manifests --pool ${pool} prints what grants the rights, firebreak rbac check --pool ${pool} lists them all.`,
        ),
      );
      continue;
    }
    for (const { right, neededBy } of missing)
      found.push(
        failure(
          `${pool}: may not ${right}, which ${neededBy.join(', ')} needs`,
          `firebreak rbac manifests --pool ${pool} prints what grants it.`,
        ),
      );
  }
  return found;
}

function poolsOf(roles: readonly Role[]): readonly Pool[] {
  return roles.filter((role) => role !== 'desk');
}

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: unknown;
}

const plurals: Readonly<Record<string, string>> = {
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: 'validatingadmissionpolicybindings',
};

/** The policies that restrict the accounts must exist, be in force, and match this configuration. */
async function admission(api: KubernetesApi, { config, roles }: Examined, signal: AbortSignal): Promise<readonly LookResult[]> {
  const manifests = configuredManifests(config);
  // With a kubeconfig this runs from outside, with that account's rights; only the pools in the cluster can tell what they may do.
  const state = config.kubernetes.kubeconfig === undefined ? failure : warning;
  const found: LookResult[] = [];
  for (const pool of poolsOf(roles)) {
    const wanted = [`${pool}.yaml`, `events-${pool}.yaml`, `resources-${pool}.yaml`].flatMap((file) =>
      policiesIn(manifests.get(file) ?? ''),
    );
    if (wanted.length === 0) continue;
    const standing = new Map<string, 'missing' | 'different' | 'forbidden'>();
    for (const policy of wanted) {
      const how = await standingOf(api, policy, signal);
      if (how === 'forbidden')
        return [notTried('this account may not read admission policies: run this with an administrator’s kubeconfig')];
      if (how !== 'as wanted') standing.set(policy.metadata.name, how);
    }
    const named = [...standing].map(([name, how]) => (how === 'missing' ? name : `${name} (different)`)).join(', ');
    found.push(
      standing.size === 0
        ? ok(`${pool}: all ${wanted.length / 2} policies that narrow its account are in force`)
        : state(
            `${pool}: policies that narrow its account are missing or different: ${named}`,
            'Apply what firebreak rbac manifests --config prints.',
          ),
    );
  }
  return found.length > 0 ? found : [ok('none of these accounts needs a policy')];
}

function policiesIn(manifest: string): readonly Named[] {
  return parseAllDocuments(manifest)
    .map((document): unknown => document.toJS())
    .filter((one): one is Named => isObject(one) && typeof one.kind === 'string' && one.kind in plurals);
}

async function standingOf(
  api: KubernetesApi,
  { kind, metadata: { name }, spec }: Named,
  signal: AbortSignal,
): Promise<'as wanted' | 'missing' | 'different' | 'forbidden'> {
  const path = pathOf({ group: 'admissionregistration.k8s.io', resource: plurals[kind] ?? '', name });
  try {
    const there = await api.json<{ readonly spec?: unknown }>({ method: 'GET', path, what: `get the ${kind} ${name}`, signal });
    return holds(there.spec, spec) ? 'as wanted' : 'different';
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 403) return 'forbidden';
    if (error instanceof KubernetesError && error.status === 404) return 'missing';
    throw error;
  }
}

/** Returns whether everything wanted is present: the API server fills in its own defaults. */
function holds(there: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(there) && there.length === wanted.length && wanted.every((one, index) => holds(there[index], one));
  if (isObject(wanted)) return isObject(there) && Object.entries(wanted).every(([key, value]) => holds(there[key], value));
  return isDeepStrictEqual(there, wanted);
}

/** Judged only by what runs in the cluster: an indication, not a proof. */
async function enforcement(api: KubernetesApi, _: Examined, signal: AbortSignal): Promise<readonly LookResult[]> {
  const proof = 'the forensics pool’s probeQuarantine proves it, for each containment';
  const remedy = 'Install a network that enforces them, such as Calico or Cilium. Without one, a quarantine is only a label.';
  const seen = networkOf(await daemonSets(api, signal));
  switch (seen.kind) {
    case 'enforces':
      return [ok(`${seen.by} runs, which enforces NetworkPolicies; ${proof}`)];
    case 'does not enforce':
      return [failure(`${seen.by} alone enforces no NetworkPolicy`, remedy)];
    case 'not seen':
      return [warning('nothing that enforces NetworkPolicies was found', remedy)];
    case 'not allowed to look':
      return [notTried(`this account may not list DaemonSets: whether NetworkPolicies are enforced is unknown; ${proof}`)];
  }
}
