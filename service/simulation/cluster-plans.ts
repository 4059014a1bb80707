import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { RegisteredAction } from '../../activities/chokepoint/parts.ts';
import type { Right } from '../../core/action/action.ts';
import type { Plan } from '../../core/action/plan.ts';
import { actions as allActions } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { FirebreakError } from '../../core/errors.ts';
import { fileProblem } from '../../core/system-error.ts';
import { createKubernetesApi, type KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { pausingRights } from '../../integrations/kubernetes/gitops/declarers.ts';
import type { ClusterAccess } from '../../integrations/kubernetes/kubeconfig.ts';
import { DenyTierWatch, denyTierRights } from '../../integrations/kubernetes/policies/deny-tier.ts';
import { isRefusedToWrite, readOnlyApi } from '../../integrations/kubernetes/recorded/read-only.ts';
import { type ClusterSnapshot, clusterSnapshot } from '../../integrations/kubernetes/recorded/snapshot.ts';
import { snapshotApi } from '../../integrations/kubernetes/recorded/snapshot-api.ts';
import { createSubjectResolver } from '../../integrations/kubernetes/watch/resolver.ts';
import { viewRights } from '../../integrations/kubernetes/watch/view-rights.ts';
import { WatchCache } from '../../integrations/kubernetes/watch/watch-cache.ts';
import { cellActions } from '../cell/pools/cell-actions.ts';
import { forensicsActions } from '../cell/pools/forensics-actions.ts';
import { readImageTrust } from '../cell/pools/images.ts';
import { secretsActions } from '../cell/pools/secrets-actions.ts';
import { usualNamespace } from '../config/fields.ts';
import type { Config } from '../config/load.ts';
import { actions } from '../config/sections/actions-section.ts';
import { forensics } from '../config/sections/forensics-section.ts';
import { guardrails } from '../config/sections/guardrails-section.ts';
import { images } from '../config/sections/images-section.ts';
import type { EvidencePart } from '../process/evidence.ts';
import { asFound } from './read-alerts.ts';

/** What plans depend on besides the cluster. */
type PlanRules = Pick<Config, 'actions' | 'forensics' | 'guardrails' | 'images'> & {
  readonly cluster: string;
  readonly kubernetes: { readonly ownNamespace: string };
};

/** The rules of the shipped configuration, for a cluster whose configuration is not available. */
export function shippedRules(cluster: string): PlanRules {
  const { nodeIsolation: _, ...shipped } = actions.parse({});
  return {
    cluster,
    actions: shipped,
    forensics: forensics.parse({}),
    guardrails: guardrails.parse({}),
    images: images.parse({}),
    kubernetes: { ownNamespace: usualNamespace },
  };
}

/** Plans what the real actions would do in a cluster now, or when it was recorded. Nothing is changed anywhere. */
interface ClusterPlans {
  /**
   * Returns the alert as a cell would resolve it there, if it came now. If its subject does not exist, it keeps what the sensor reported, and its plans fail.
   */
  find(alert: Alert): Alert;
  /** @throws FirebreakError as the action's own plan does */
  plan(action: string, input: unknown): Promise<Partial<Plan>>;
  close(): Promise<void>;
}

/** Objects that are read from a cluster to plan in it. */
export const readRights: readonly Pick<Right, 'apiGroup' | 'resource'>[] = [
  ...viewRights,
  ...denyTierRights,
  ...pausingRights('argocd'),
  ...pausingRights('flux'),
  ...allActions.flatMap(({ rights }) => rights),
  // Objects by which the API server answers access reviews.
  ...['clusterrolebindings', 'clusterroles', 'rolebindings', 'roles'].map((resource) => ({
    apiGroup: 'rbac.authorization.k8s.io',
    resource,
  })),
];

const firstListsMs = 60_000;

/** Plans in a real cluster, with a read-only client. @throws FB_ERR_UNAVAILABLE if its objects cannot be listed */
export function openLivePlans(access: ClusterAccess, rules: PlanRules): Promise<ClusterPlans> {
  return openPlans({ api: readOnlyApi(createKubernetesApi({ access })), rules, at: () => new Date() });
}

/** Plans in a cluster as it was recorded. */
export function openRecordedPlans(snapshot: ClusterSnapshot, rules: PlanRules): Promise<ClusterPlans> {
  return openPlans({ api: snapshotApi(snapshot), rules, at: () => new Date(snapshot.at) });
}

/** @throws FB_ERR_FILE_MISSING, FB_ERR_CONFIG_INVALID for a file that is not a snapshot */
export function readSnapshot(file: string): ClusterSnapshot {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${file}: ${fileProblem(error)}`);
  }
  try {
    return clusterSnapshot.parse(JSON.parse(gunzipSync(bytes).toString('utf8')));
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${file}: not a snapshot of a cluster: firebreak snapshot makes one`);
  }
}

async function openPlans({
  api,
  rules,
  at,
}: {
  readonly api: KubernetesApi;
  readonly rules: PlanRules;
  readonly at: () => Date;
}): Promise<ClusterPlans> {
  // What the cell has sealed is not opened: a simulation must not have its key.
  const cellKey = randomBytes(32);
  let lastProblem = 'no answer';
  const view = new WatchCache({
    api,
    log: ({ resource, what }) => {
      lastProblem = `${resource}: ${what}`;
    },
  });
  const tier = new DenyTierWatch({ api });
  const close = async (): Promise<void> => {
    await Promise.all([tier.stop(), view.stop()]);
    api.close();
  };
  await Promise.race([Promise.all([view.start(), tier.start()]), sleep(firstListsMs, undefined, { ref: false })]);
  if (!view.ready()) {
    await close();
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `${api.server}: its objects cannot be listed: ${lastProblem}`);
  }
  const resolver = createSubjectResolver({ view, cellKey });
  const planned = new Map(
    plannedActions({ api, rules, watch: { view, cellKey, denyTier: () => tier.current } }).map((one) => [
      one.declaration.name,
      one,
    ]),
  );
  return {
    find: (alert) => {
      const time = at().toISOString();
      return asFound(resolver.resolve({ ...alert, time, receivedAt: time }).alert);
    },
    plan: async (name, input) => {
      const action = planned.get(name);
      return action ? planOf(action, input) : {};
    },
    close,
  };
}

function plannedActions({
  api,
  rules,
  watch,
}: {
  readonly api: KubernetesApi;
  readonly rules: PlanRules;
  readonly watch: Parameters<typeof cellActions>[0]['watch'];
}): readonly RegisteredAction[] {
  const optIn = allActions.flatMap(({ name, optIn: isOptIn }) => (isOptIn ? [name] : []));
  // Whether a step is turned on does not affect what it would do.
  const config = { ...rules, actions: { ...rules.actions, optIn } as PlanRules['actions'] };
  return [
    ...cellActions({ config, secrets: {}, api, watch, evidence: nothingKept }),
    // Credential providers are not called: their Secrets are planned like any other.
    ...secretsActions({ config, api, rules: [], trust: readImageTrust(config.images) }),
    ...forensicsActions({ config, api, access: noKubelet, evidence: nothingKept }),
  ];
}

const refuse = (): never => {
  throw new FirebreakError('FB_ERR_REFUSED', 'a simulation only plans');
};
const nothingKept: EvidencePart = {
  store: { put: refuse, get: refuse, read: refuse, has: refuse, sweep: refuse },
  keys: { keyFor: refuse, open: refuse },
  writeManifest: refuse,
  verifyManifest: refuse,
  kept: refuse,
};
const noKubelet: ClusterAccess = { server: '', context: '', tls: {}, authorization: refuse };

async function planOf({ declaration, input: schema, implementation }: RegisteredAction, input: unknown): Promise<Partial<Plan>> {
  const signal = AbortSignal.timeout(declaration.timeouts.planMs);
  const context = { key: 'simulated', incident: 'simulated', run: 'simulated', fast: false, signal };
  try {
    return await implementation.plan(schema.parse(input), context);
  } catch (error) {
    if (!isRefusedToWrite(error)) throw error;
    // Its plan is a dry run on the API server.
    return { notes: [trialNote] };
  }
}

/** Note in a plan that only a client with write access can make. */
const trialNote = 'A sketch: the API server makes the real plan by a trial run, which a simulation does not send.';
