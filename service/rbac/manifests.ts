import { stringify } from 'yaml';
import { type ActionDeclaration, type Pool, pools, type Right } from '../../core/action/action.ts';
import type { Pausing } from '../../core/action/pausing.ts';
import { reportGroup, reportSource } from '../../core/cluster/hardening-report.ts';
import { accountReviewRight } from '../../integrations/kubernetes/access-review.ts';
import { reportRights } from '../../integrations/kubernetes/hardening-reports.ts';
import { eventRight, reporterPrefix } from '../../integrations/kubernetes/object-events.ts';
import { warningsRight } from '../../integrations/kubernetes/pods/warnings.ts';
import { denyTierRights } from '../../integrations/kubernetes/policies/deny-tier.ts';
import { claimRight } from '../../integrations/kubernetes/run-claims.ts';
import { resourceRights } from '../../integrations/kubernetes/shown-resources.ts';
import { viewRights } from '../../integrations/kubernetes/watch/view-rights.ts';
import type { Config } from '../config/load.ts';
import { bindingAdmission } from './binding-admission.ts';
import { cellAdmission } from './cell-admission.ts';
import { enabledActions } from './enabled.ts';
import { inContainerAdmission } from './in-container-admission.ts';
import { ownPodAdmission } from './own-pod-admission.ts';
import { pausersOf, pausingDocuments } from './pausing-manifests.ts';
import type { Pinned } from './pinned.ts';
import { policy } from './policy.ts';
import { secretsAdmission } from './secrets-admission.ts';

const verbOrder = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'bind'];

/** True even for actions that enter only our own pods: the right itself opens every pod of the namespace, including Firebreak's own. */
const worksInContainers = ({ rights }: ActionDeclaration): boolean =>
  rights.some(({ resource }) => resource === 'pods/ephemeralcontainers' || resource === 'pods/exec');

/** Actions that start our own pods. */
const makesPods: readonly string[] = ['countConnections', 'cutConnections', 'probeQuarantine', 'checkpointContainer'];

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** Returns the merged rights of one pool: one rule per resource, in a fixed order. Actions that are off by default have separate manifests. */
export function rulesOf(pool: Pool, actions: readonly ActionDeclaration[]): readonly Rule[] {
  const rights = actions.filter((action) => action.pool === pool && !action.optIn).flatMap((action) => action.rights);
  // Only the cell watches the cluster; the other pools receive the target of a step, and read it.
  return pool === 'cell' && rights.length > 0
    ? merge([...viewRights, ...denyTierRights, warningsRight, accountReviewRight, ...rights])
    : merge(rights);
}

function merge(rights: readonly Right[]): readonly Rule[] {
  const merged = new Map<string, Right>();
  for (const right of rights) {
    const key = `${right.apiGroup}/${right.resource}`;
    const verbs = new Set([...(merged.get(key)?.verbs ?? []), ...right.verbs]);
    merged.set(key, { ...right, verbs: [...verbs].sort((a, b) => verbOrder.indexOf(a) - verbOrder.indexOf(b)) });
  }
  return [...merged.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { apiGroup, resource, verbs }]) => ({ apiGroups: [apiGroup], resources: [resource], verbs }));
}

const isOfSecrets = ({ apiGroups, resources }: Rule): boolean => apiGroups.includes('') && resources.includes('secrets');

/** A right that an account has only in these namespaces. */
function boundTo(
  namespaces: readonly string[],
  to: {
    readonly name: string;
    readonly metadata: object;
    readonly rules: readonly Rule[];
    readonly account: { readonly name: string; readonly namespace: string };
  },
): readonly object[] {
  const { name, metadata, rules, account } = to;
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  return [
    { apiVersion, kind: 'ClusterRole', metadata: { name, ...metadata }, rules },
    ...namespaces.map((namespace) => ({
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name, namespace, ...metadata },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    })),
  ];
}

/** Returns the manifests for what a configuration enables, pinned to its images and excluding its protected namespaces. File name → text. */
export function configuredManifests(
  config: Config,
  {
    actions = enabledActions(config),
    namespace = config.kubernetes.ownNamespace,
  }: Partial<{
    readonly actions: readonly ActionDeclaration[];
    readonly namespace: string;
  }> = {},
): ReadonlyMap<string, string> {
  const { guardrails, forensics, kubernetes, watch } = config;
  const pinned = {
    closedNamespaces: guardrails.protectedNamespaces,
    ...(forensics.toolsImage !== undefined && { toolsImage: forensics.toolsImage }),
    ...(forensics.uploads && { uploads: forensics.uploads.address }),
  };
  return rbacManifests({
    actions,
    namespace,
    namespaces: watch.namespaces,
    cells: guardrails.cells,
    events: kubernetes.events,
    resources: kubernetes.resources.enabled,
    reports: kubernetes.reports,
    gitops: pausersOf(config.actions.gitops),
    pinned,
  });
}

/** Returns one manifest per pool: its ServiceAccount and, if its actions touch the cluster, exactly their rights. File name → text. */
export function rbacManifests(options: {
  readonly actions: readonly ActionDeclaration[];
  readonly namespace: string;
  readonly pinned?: Pinned;
  /** Namespaces in which Secrets may be read, created and deleted; default: all. */
  readonly namespaces?: readonly string[] | undefined;
  /** Number of cells of the cluster; default 1. */
  readonly cells?: number | undefined;
  /** Whether Events are written for changed objects; default true. */
  readonly events?: boolean | undefined;
  /** Whether incidents and containments are shown as resources; default true. */
  readonly resources?: boolean | undefined;
  /** Whether reports are written on what workloads lack; default true. */
  readonly reports?: boolean | undefined;
  /** Which GitOps tools that declare workloads may be paused; default: none. */
  readonly gitops?: readonly (keyof Pausing)[] | undefined;
}): ReadonlyMap<string, string> {
  const {
    actions,
    namespace,
    pinned = {},
    namespaces,
    cells = 1,
    events = true,
    resources = true,
    reports = true,
    gitops = [],
  } = options;
  return new Map([
    ...pools.flatMap((pool): [string, string][] => {
      const own = actions.filter((action) => action.pool === pool && !action.optIn);
      const all = rulesOf(pool, actions);
      const bound = pool === 'secrets' && namespaces !== undefined ? all.filter(isOfSecrets) : [];
      const rules = all.filter((rule) => !bound.includes(rule));
      if (own.length === 0) return [];
      const name = `firebreak-${pool}`;
      const metadata = { labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': pool } };
      const documents: object[] = [
        {
          ...serviceAccount({ pool, namespace }),
          ...(rules.length === 0 && { automountServiceAccountToken: false }),
        },
      ];
      if (rules.length > 0)
        documents.push(
          { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name, ...metadata }, rules },
          {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'ClusterRoleBinding',
            metadata: { name, ...metadata },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
            subjects: [{ kind: 'ServiceAccount', name, namespace }],
          },
        );
      if (namespaces !== undefined && bound.length > 0)
        documents.push(
          ...boundTo(namespaces, { name: `${name}-in-namespaces`, metadata, rules: bound, account: { name, namespace } }),
        );
      const account = { namespace, name };
      const does = (action: string): boolean => own.some((one) => one.name === action);
      if (pool === 'cell' && cells > 1) documents.push(...claiming({ metadata, account }));
      if (pool === 'cell') documents.push(...cellAdmission({ account, hardens: does('hardenWorkload') }));
      if (pool === 'secrets')
        documents.push(
          ...secretsAdmission({ account, rollsBack: does('rollbackWorkload'), closedNamespaces: pinned.closedNamespaces }),
        );
      if (own.some(worksInContainers)) documents.push(...inContainerAdmission({ name, account, pinned }));
      const names = `${own.map((action) => action.name).join(', ')}${rules.length > 0 ? '' : ': no rights in the cluster at all'}`;
      return [[`${pool}.yaml`, manifest(names, documents)]];
    }),
    ...(events ? eventManifests(actions, namespace) : []),
    ...(resources && rulesOf('cell', actions).length > 0 ? [resourceManifest(namespace)] : []),
    ...(reports && rulesOf('cell', actions).length > 0 ? [reportManifest(namespace)] : []),
    ...actions.filter(({ optIn }) => optIn).map((action) => optInManifest({ action, actions, namespace, pinned })),
    ...gitops.map((pauser): [string, string] => {
      const documents = pausingDocuments(pauser, { namespace, name: 'firebreak-cell' }, merge);
      return [
        `gitops/${pauser}.yaml`,
        manifest(`actions.gitops.${pauser}, which is off until the configuration names it`, documents),
      ];
    }),
  ]);
}

/** For each pool that changes objects of the cluster: lets it notify their owners by Events, which name the pool. */
function eventManifests(actions: readonly ActionDeclaration[], namespace: string): readonly (readonly [string, string])[] {
  const telling = pools.filter((pool) => tellsOwners(pool, actions));
  return telling.map((pool) => {
    const account = { namespace, name: `firebreak-${pool}` };
    const name = `${account.name}-events`;
    const metadata = { name, labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': pool } };
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const documents = [
      { apiVersion, kind: 'ClusterRole', metadata, rules: merge([eventRight]) },
      {
        apiVersion,
        kind: 'ClusterRoleBinding',
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', name: account.name, namespace }],
      },
      ...policy({
        name,
        pool,
        account,
        rule: { apiGroups: [eventRight.apiGroup], apiVersions: ['v1'], operations: ['CREATE'], resources: ['events'] },
        variables: [],
        validations: [
          {
            expression: `object.reportingController == '${reporterPrefix}${pool}'`,
            message: 'Firebreak may write only Events that say whose they are: its own',
          },
        ],
      }),
    ];
    return [
      `events-${pool}.yaml`,
      manifest(`Events on what was touched: \`kubernetes.events: false\` does without them`, documents),
    ];
  });
}

/** Lets the cell publish incidents and containments as resources, and everyone with view rights in a namespace see those of it. */
function resourceManifest(namespace: string): readonly [string, string] {
  const name = 'firebreak-cell-resources';
  const labels = { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': 'cell' };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const view = resourceRights.filter(({ resource }) => !resource.includes('/'));
  const documents = [
    { apiVersion, kind: 'ClusterRole', metadata: { name, labels }, rules: merge(resourceRights) },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name, labels },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: 'firebreak-cell', namespace }],
    },
    {
      apiVersion,
      kind: 'ClusterRole',
      metadata: {
        name: 'firebreak-resources-view',
        labels: {
          'app.kubernetes.io/name': 'firebreak',
          // https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles: `edit` and `admin` include `view`.
          'rbac.authorization.k8s.io/aggregate-to-view': 'true',
        },
      },
      rules: merge(view.map((right) => ({ ...right, verbs: ['get', 'list', 'watch'] }))),
    },
  ];
  return [
    'resources-cell.yaml',
    manifest('Incidents and containments as resources: `kubernetes.resources.enabled: false` does without them', documents),
  ];
}

/** Lets the cell report what workloads lack. Other tools write reports of the same kind, which it must not touch. */
function reportManifest(namespace: string): readonly [string, string] {
  const account = { namespace, name: 'firebreak-cell' };
  const name = `${account.name}-reports`;
  const metadata = { name, labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': 'cell' } };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const documents = [
    { apiVersion, kind: 'ClusterRole', metadata, rules: merge(reportRights) },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    },
    ...policy({
      name,
      account,
      rule: {
        apiGroups: [reportGroup],
        apiVersions: ['*'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        resources: ['reports'],
      },
      variables: [],
      validations: [
        {
          expression: `[object, oldObject].all(one, one == null || one.?source.orValue('') == '${reportSource}')`,
          message: 'Firebreak may write, change and delete only reports whose source it is',
        },
      ],
    }),
  ];
  return [
    'reports-cell.yaml',
    manifest('Reports of what workloads lack: `kubernetes.reports: false` does without them', documents),
  ];
}

/** Returns whether a pool changes objects of the cluster, about which their owners are notified. */
export function tellsOwners(pool: Pool, actions: readonly ActionDeclaration[]): boolean {
  return actions.some((action) => action.pool === pool && action.outcomes !== undefined);
}

/** Lets several cells of one cluster agree which of them begins a scheduled playbook, and what is done. */
function claiming({
  metadata,
  account,
}: {
  readonly metadata: object;
  readonly account: { readonly name: string; readonly namespace: string };
}): readonly object[] {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const named = { name: `${account.name}-claims`, namespace: account.namespace, ...metadata };
  return [
    { apiVersion, kind: 'Role', metadata: named, rules: merge([claimRight]) },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata: named,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: named.name },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    },
  ];
}

function serviceAccount({ pool, namespace }: { readonly pool: Pool; readonly namespace: string }): object {
  const labels = { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': pool };
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: `firebreak-${pool}`, namespace, labels } };
}

/** The rights that an action that is off by default adds to its pool's account; includes the account if no other manifest does. */
function optInManifest(options: {
  readonly action: ActionDeclaration;
  readonly actions: readonly ActionDeclaration[];
  readonly namespace: string;
  readonly pinned: Pinned;
}): readonly [string, string] {
  const { action, actions, namespace, pinned } = options;
  const hasAccount = actions.some(({ pool, optIn }) => pool === action.pool && !optIn);
  const account = { namespace, name: `firebreak-${action.pool}` };
  const name = `${account.name}-${action.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const metadata = { name, labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': action.pool } };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const subjects = [{ kind: 'ServiceAccount', name: account.name, namespace }];
  const given = (kind: 'Role' | 'ClusterRole', where: object, rights: readonly Right[]): readonly object[] => [
    { apiVersion, kind, metadata: { ...metadata, ...where }, rules: merge(rights) },
    {
      apiVersion,
      kind: `${kind}Binding`,
      metadata: { ...metadata, ...where },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
      subjects,
    },
  ];
  const own = action.rights.filter((right) => right.in === 'own namespace');
  const documents = [
    ...(hasAccount ? [] : [serviceAccount({ pool: action.pool, namespace })]),
    ...given(
      'ClusterRole',
      {},
      action.rights.filter((right) => right.in === undefined),
    ),
    ...(own.length > 0 ? given('Role', { namespace }, own) : []),
    ...(action.name === 'revokeServiceAccount' ? bindingAdmission(account) : []),
    ...(worksInContainers(action) ? inContainerAdmission({ name, account, pinned }) : []),
    ...(makesPods.includes(action.name) ? ownPodAdmission({ name, account, pinned }) : []),
  ];
  return [`opt-in/${action.name}.yaml`, manifest(`${action.name}, which is off until \`actions.optIn\` names it`, documents)];
}

function manifest(names: string, documents: readonly object[]): string {
  const head = [
    '# Made from the declarations of these actions: do not edit. `firebreak rbac manifests` prints those of other playbooks.',
    `# ${names}`,
  ];
  return `${head.join('\n')}\n${documents.map((one) => stringify(one, { lineWidth: 0 })).join('---\n')}`;
}
