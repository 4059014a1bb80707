import type { ActionDeclaration, Pool, Right } from '../../core/action/action.ts';
import type { Pausing } from '../../core/action/pausing.ts';
import { accountReviewRight, hasRight } from '../../integrations/kubernetes/access-review.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { pausingRights } from '../../integrations/kubernetes/gitops/declarers.ts';
import { reportRights } from '../../integrations/kubernetes/hardening-reports.ts';
import { eventRight } from '../../integrations/kubernetes/object-events.ts';
import { warningsRight } from '../../integrations/kubernetes/pods/warnings.ts';
import { denyTierRights } from '../../integrations/kubernetes/policies/deny-tier.ts';
import { claimRight } from '../../integrations/kubernetes/run-claims.ts';
import { resourceRights } from '../../integrations/kubernetes/shown-resources.ts';
import { viewRights } from '../../integrations/kubernetes/watch/view-rights.ts';
import type { Config } from '../config/load.ts';
import { enabledActions } from './enabled.ts';
import { tellsOwners } from './manifests.ts';
import { pausersOf } from './pausing-manifests.ts';

/** A right that our account lacks, and what cannot be done without it. */
export interface MissingRight {
  /** `patch pods`, `delete deployments.apps`. */
  readonly right: string;
  /** Names of actions, or `the watch cache`, `the deny tier` or other work of the cell. */
  readonly neededBy: readonly string[];
}

const watching = 'the watch cache';
const denyTier = 'the deny tier';
const effects = 'the check whether a quarantine has helped';
const posture = 'the check of what a workload is allowed';
const claims = 'scheduled playbooks of several cells';
const showing = 'resources that show incidents and containments';
const reporting = 'reports of what workloads lack';
const telling = 'Events on what was touched';
const atOnce = 8;

/**
 * Returns which declared rights of a pool its account lacks in the whole cluster, checked one by one with the API server.
 * @throws FB_ERR_UNAVAILABLE if it does not answer.
 */
export async function missingRights(options: {
  readonly api: KubernetesApi;
  readonly pool: Pool;
  readonly actions: readonly ActionDeclaration[];
  /** Namespace in which Firebreak runs. */
  readonly namespace: string;
  /** Namespaces in which Secrets are read, created and deleted; default: all. */
  readonly watched?: readonly string[] | undefined;
  /** Number of cells of the cluster; default 1. */
  readonly cells?: number | undefined;
  /** Whether Events are written for changed objects; default true. */
  readonly events?: boolean | undefined;
  /** Whether incidents and containments are shown as resources; default true. */
  readonly resources?: boolean | undefined;
  /** Whether reports are written on what workloads lack; default true. */
  readonly reports?: boolean | undefined;
  /** Which GitOps tools that declare workloads are paused; default: none. */
  readonly gitops?: Pausing | undefined;
  readonly signal?: AbortSignal;
}): Promise<readonly MissingRight[]> {
  const {
    api,
    pool,
    actions,
    namespace,
    watched,
    cells = 1,
    events = true,
    resources = true,
    reports = true,
    gitops = {},
    signal,
  } = options;
  const needed = new Map<string, { readonly right: Right; readonly verb: string; readonly by: Set<string> }>();
  const need = (right: Right, by: string): void => {
    for (const verb of right.verbs) {
      const text = rightText(right, verb);
      const known = needed.get(text) ?? { right, verb, by: new Set() };
      known.by.add(by);
      needed.set(text, known);
    }
  };
  for (const action of actions) if (action.pool === pool) for (const right of action.rights) need(right, action.name);
  if (pool === 'cell') {
    for (const right of viewRights) need(right, watching);
    for (const right of denyTierRights) need(right, denyTier);
    need(warningsRight, effects);
    need(accountReviewRight, posture);
    if (cells > 1) need(claimRight, claims);
    if (resources && actions.length > 0) for (const right of resourceRights) need(right, showing);
    if (reports && actions.length > 0) for (const right of reportRights) need(right, reporting);
    for (const pauser of pausersOf(gitops)) for (const right of pausingRights(pauser)) need(right, `actions.gitops.${pauser}`);
  }

  if (events && tellsOwners(pool, actions)) need(eventRight, telling);

  const missing: MissingRight[] = [];
  const questions = [...needed].sort(([a], [b]) => (a < b ? -1 : 1));
  for (let at = 0; at < questions.length; at += atOnce) {
    const some = questions.slice(at, at + atOnce);
    const answers = await Promise.all(
      some.map(([, { right, verb }]) => {
        const [resource = '', subresource] = right.resource.split('/');
        const asked = {
          verb,
          group: right.apiGroup,
          resource,
          ...(subresource !== undefined && { subresource }),
          ...(right.in && { namespace }),
        };
        const where = resource === 'secrets' && watched !== undefined ? watched : [undefined];
        return Promise.all(
          where.map((one) => hasRight({ api, right: { ...asked, ...(one && { namespace: one }) }, ...(signal && { signal }) })),
        ).then((each) => each.every(Boolean));
      }),
    );
    for (const [index, [right, { by }]] of some.entries()) if (!answers[index]) missing.push({ right, neededBy: [...by].sort() });
  }
  return missing;
}

/** The same for what a configuration enables. @throws as `missingRights` */
export function missingRightsOf(
  config: Config,
  { api, pool, signal }: { readonly api: KubernetesApi; readonly pool: Pool; readonly signal?: AbortSignal },
): Promise<readonly MissingRight[]> {
  return missingRights({
    api,
    pool,
    actions: enabledActions(config),
    namespace: config.kubernetes.ownNamespace,
    watched: config.watch.namespaces,
    cells: config.guardrails.cells,
    events: config.kubernetes.events,
    resources: config.kubernetes.resources.enabled,
    reports: config.kubernetes.reports,
    gitops: config.actions.gitops,
    ...(signal && { signal }),
  });
}

/** `patch pods`, `delete deployments.apps`. */
export function rightText({ apiGroup, resource, in: where }: Right, verb: string): string {
  const [plural = '', subresource] = resource.split('/');
  return `${verb} ${plural}${apiGroup ? `.${apiGroup}` : ''}${subresource ? `/${subresource}` : ''}${where ? ` in its ${where}` : ''}`;
}
