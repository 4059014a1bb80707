import { access } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { resourceGroup } from '../../core/cluster/cluster-resources.ts';
import { FirebreakError } from '../../core/errors.ts';
import { openAsIs } from '../../integrations/database/database.ts';
import { migrations, schemaOf } from '../../integrations/database/migrations.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { Role } from '../config/secrets.ts';
import { currentBuild, deploymentName, fromIdentity, pinnedTo } from '../temporal/versions.ts';
import { queuesOf } from '../temporal/workers.ts';

/** A process that currently polls Temporal for work, by the name it gives itself; nobody has signed that. */
interface RunningRole {
  readonly role: Role;
  /** Host and process id. */
  readonly process: string;
  readonly version: string;
  /** Build of the cell's workflows. */
  readonly build?: string;
}

interface InstalledWorkload {
  readonly name: string;
  readonly image: string;
  readonly chart?: string;
  readonly version?: string;
}

/** What runs and what is stored. A part that could not be queried is absent, and `unasked` says why. */
export interface Installed {
  readonly program: { readonly version: string; readonly schema: number; readonly build?: string };
  readonly database?: { readonly schema: number; readonly needs: number };
  readonly temporal?: {
    readonly roles: readonly RunningRole[];
    readonly current?: string;
    /** Number of open incidents and control workflows by build. */
    readonly open: ReadonlyMap<string, number>;
  };
  readonly cluster?: { readonly workloads: readonly InstalledWorkload[]; readonly resources: readonly string[] };
  readonly unasked: readonly string[];
}

interface SkewFinding {
  /** `broken`: something cannot work like this. `passing`: normal in the middle of an upgrade, but should not last. */
  readonly kind: 'broken' | 'passing';
  readonly text: string;
}

/** Reports differences that must not exist, or should not last. */
export function skewFindings({ program, database, temporal, cluster }: Installed): readonly SkewFinding[] {
  const findings: SkewFinding[] = [];
  const broken = (text: string) => findings.push({ kind: 'broken', text });
  const passing = (text: string) => findings.push({ kind: 'passing', text });
  if (database && database.needs > program.schema)
    broken(
      `the database has schema ${database.schema}, which needs programs that know schema ${database.needs}: this one knows ${program.schema}. Go back with the newer program: firebreak database back`,
    );
  else if (database && database.schema > program.schema)
    passing(`the database has schema ${database.schema}, this program knows ${program.schema}: it ignores what it does not know`);
  else if (database && database.schema < program.schema)
    passing(`the database has schema ${database.schema}: the next start of a desk brings it to ${program.schema}`);
  const versions = [...new Set(temporal?.roles.map(({ version }) => version))].sort();
  if (versions.length > 1) passing(`roles of the versions ${versions.join(' and ')} run: finish the rollout`);
  const { current, open, roles = [] } = temporal ?? {};
  const polled = new Set(roles.flatMap(({ build }) => build ?? []));
  for (const [build, count] of open ?? []) {
    const what = `${count} open ${count === 1 ? 'workflow is' : 'workflows are'} on the build ${build}`;
    if (polled.size > 0 && !polled.has(build))
      broken(
        `${what}, which no cell runs: put its file into \`builds\` of the cell's state directory, or into the store of releases`,
      );
    else if (build !== current) passing(`${what}, an older one: a cell runs it until they end`);
  }
  const charts = [...new Set(cluster?.workloads.flatMap(({ chart }) => chart ?? []))].sort();
  if (charts.length > 1)
    passing(
      `workloads of the charts ${charts.join(' and ')} are in the namespace: helm upgrade has not finished, or left some behind`,
    );
  return findings;
}

/** Returns which processes poll Temporal for work, and in which role. */
export async function rolesAtTemporal({
  client,
  cluster,
}: {
  readonly client: Client;
  readonly cluster: string;
}): Promise<NonNullable<Installed['temporal']>> {
  const roles: RunningRole[] = [];
  for (const [role, name] of Object.entries(queuesOf(cluster))) {
    const known = (['cell', 'desk', 'secrets', 'forensics', 'packs'] as const).find((one) => one === role);
    if (!known) continue;
    // 1: workflow tasks, which only cells process. 2: activity tasks.
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name },
      taskQueueType: known === 'cell' ? 1 : 2,
    });
    for (const { identity: said, deploymentOptions } of pollers ?? []) {
      const { version, process } = fromIdentity(said ?? '');
      const build = deploymentOptions?.buildId;
      roles.push({ role: known, process, version, ...(build && { build }) });
    }
  }
  const deployment = deploymentName(cluster);
  const current = await currentBuild({ client, deployment }).catch(() => undefined);
  return { roles, ...(current !== undefined && { current }), open: await pinnedTo({ client, deployment }) };
}

/** Reads the current schema of a database. @throws FB_ERR_UNAVAILABLE, FB_ERR_FILE_MISSING */
export async function schemaAt(url: string): Promise<NonNullable<Installed['database']>> {
  const file = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined;
  if (file !== undefined)
    await access(file).catch(() => {
      throw new FirebreakError('FB_ERR_FILE_MISSING', `there is no database at ${file}`);
    });
  const database = await openAsIs({ url });
  try {
    const { number: schema, needs } = await schemaOf(database);
    return { schema, needs };
  } finally {
    await database.close();
  }
}

/** Schema version that this program knows. */
export const knownSchema = migrations.length;

interface Listed<Item> {
  readonly items: readonly Item[];
}

interface WorkloadItem {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } } };
}

interface ResourceItem {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly versions: readonly { readonly name: string; readonly served: boolean; readonly storage: boolean }[];
  };
}

/** What the chart has installed in a namespace, and our own resources there. */
export async function installedIn({
  api,
  namespace,
}: {
  readonly api: KubernetesApi;
  readonly namespace: string;
}): Promise<NonNullable<Installed['cluster']>> {
  const workloads: InstalledWorkload[] = [];
  for (const resource of ['deployments', 'statefulsets']) {
    const path = `/apis/apps/v1/namespaces/${namespace}/${resource}?labelSelector=app.kubernetes.io%2Fname%3Dfirebreak`;
    const { items } = await api.json<Listed<WorkloadItem>>({ method: 'GET', path, what: `list ${resource}` });
    for (const { metadata, spec } of items) {
      const { 'helm.sh/chart': chart, 'app.kubernetes.io/version': version } = metadata.labels ?? {};
      const [container] = spec.template.spec.containers;
      workloads.push({
        name: metadata.name,
        image: container?.image ?? '',
        ...(chart && { chart }),
        ...(version && { version }),
      });
    }
  }
  const { items } = await api
    .json<Listed<ResourceItem>>({
      method: 'GET',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      what: 'list resources',
    })
    .catch(() => ({ items: [] }));
  const own = items.filter(({ spec }) => spec.group === resourceGroup || spec.group.endsWith(`.${resourceGroup}`));
  const resources = own.map(
    ({ metadata, spec }) =>
      `${metadata.name} ${spec.versions.map(({ name, served, storage }) => `${name}${storage ? ' (stored)' : served ? '' : ' (not served)'}`).join(', ')}`,
  );
  return { workloads, resources };
}
