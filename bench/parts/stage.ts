import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { startService, startStandIns } from '../../tools/demo/processes.ts';
import { type DemoSettings, writeSettings, writeStandIns } from '../../tools/demo/settings.ts';
import { type Platform, startPlatform } from '../../tools/platform/platform.ts';
import { ServerGroup } from '../../tools/platform/server-group.ts';
import { say } from '../report.ts';

/** The real servers, the stand-ins for Slack and GitHub, and the real service from `dist`, each in its own process. */
export interface Stage {
  readonly platform: Platform;
  readonly settings: DemoSettings;
  readonly api: KubernetesApi;
  /** Pid of the Firebreak process, all roles. */
  readonly servicePid: number;
  /** Pids of everything that was started. */
  readonly pids: readonly number[];
  /** Number of history events of the incidents that began first, at most `most` of them. */
  historyLengths(most: number): Promise<readonly number[]>;
  /** Waits until this many incidents are running; returns how many are when it stops waiting. */
  incidentsOpen(wanted: number, withinMs: number): Promise<number>;
  stop(): Promise<void>;
}

export interface PodTarget {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Starts everything as the demo does. The caps of namespace and cluster are raised, so that they are not what is measured; the guardrails are on, and the share
 * of an owner's pods is the default.
 */
export async function openStage(options: {
  readonly nodes: readonly string[];
  /** Runs before the service starts, so that everything the service stores about these objects is there. */
  readonly prepare: (api: KubernetesApi) => Promise<void>;
  /** Changes the demo's configuration. */
  readonly configure?: (config: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  /** The cluster's etcd flushes each write to the disk, as a cluster's does. */
  readonly flushes?: boolean;
  /** Environment of the service. */
  readonly env?: Readonly<Record<string, string>>;
}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-'));
  const group = new ServerGroup();
  const { nodes, flushes = false } = options;
  say('starts Temporal and the API server');
  const platform = await startPlatform({ stateDir: join(folder, 'platform'), kubernetes: { nodes, flushes } });
  const stop = async (): Promise<void> => {
    await group.stop();
    await platform.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { kubeconfig } = platform.kubernetes;
    const api = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
    say('creates the pods');
    await options.prepare(api);
    const { address, namespace } = platform.temporal;
    const standIns = await writeStandIns(folder);
    const settings = writeSettings({ folder, standIns, cluster: 'bench', temporal: { address, namespace }, kubeconfig });
    raiseCaps(settings.configFile, options.configure);
    const standInsServer = await startStandIns({ group, folder, standIns });
    say('starts the service');
    const service = await startService({ group, settings, env: options.env ?? {} });
    const servers = [platform.temporal.pid ?? 0, ...Object.values(platform.kubernetes.pids())].filter((pid) => pid > 0);
    return {
      platform,
      settings,
      api,
      servicePid: service.pid,
      pids: [service.pid, standInsServer.pid, ...servers],
      historyLengths: (most) => historyLengths({ address, namespace, most }),
      incidentsOpen: (wanted, withinMs) => incidentsOpen({ address, namespace, wanted, withinMs }),
      stop: async () => {
        api.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function raiseCaps(configFile: string, configure: Parameters<typeof openStage>[0]['configure'] = (config) => config): void {
  const { watch: _, ...config } = parse(readFileSync(configFile, 'utf8'));
  const guardrails = { namespaceCap: 100_000, clusterCap: 100_000 };
  writeFileSync(configFile, stringify(configure({ ...config, guardrails, log: { level: 'info', format: 'text' } })));
}

async function historyLengths(at: {
  readonly address: string;
  readonly namespace: string;
  readonly most: number;
}): Promise<readonly number[]> {
  const connection = await Connection.connect({ address: at.address });
  try {
    const { executions } = await connection.workflowService.listWorkflowExecutions({
      namespace: at.namespace,
      query: "WorkflowType = 'incident'",
      pageSize: 1_000,
    });
    const lengths = executions.slice(-at.most).map(async ({ execution }) => {
      const { workflowExecutionInfo } = await connection.workflowService.describeWorkflowExecution({
        namespace: at.namespace,
        execution: execution ?? null,
      });
      return Number(workflowExecutionInfo?.historyLength ?? 0);
    });
    return await Promise.all(lengths);
  } finally {
    await connection.close();
  }
}

async function incidentsOpen(at: {
  readonly address: string;
  readonly namespace: string;
  readonly wanted: number;
  readonly withinMs: number;
}): Promise<number> {
  const connection = await Connection.connect({ address: at.address });
  const until = Date.now() + at.withinMs;
  try {
    for (;;) {
      const query = "WorkflowType = 'incident' AND ExecutionStatus = 'Running'";
      const { count } = await connection.workflowService.countWorkflowExecutions({ namespace: at.namespace, query });
      if (Number(count) >= at.wanted || Date.now() > until) return Number(count);
      await sleep(1_000);
    }
  } finally {
    await connection.close();
  }
}

/** Runs this for each of them, `atOnce` at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item, index: number) => Promise<unknown>,
): Promise<void> {
  const left = [...items.entries()];
  const next = async (): Promise<void> => {
    for (let entry = left.shift(); entry; entry = left.shift()) await work(entry[1], entry[0]);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

/** Creates namespaces with this many pods each, every pod with its own workload, and waits until all of them run. */
export async function deployPods(api: KubernetesApi, namespaces: Readonly<Record<string, number>>): Promise<void> {
  for (const [namespace, pods] of Object.entries(namespaces)) {
    await makeNamespace(api, namespace);
    await inParallel(Array.from({ length: pods }), 8, (_, index) => makeDeployment(api, namespace, `app-${index}`));
    await podsWhenRunning(api, namespace, pods);
  }
}

export async function makeNamespace(api: KubernetesApi, name: string): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  await api.json({ method: 'POST', path: pathOf({ resource: 'namespaces' }), body, what: 'create namespaces' });
  const account = pathOf({ namespace: name, resource: 'serviceaccounts', name: 'default' });
  for (let tries = 0; ; tries += 1) {
    try {
      await api.json({ method: 'GET', path: account, what: 'get serviceaccounts' });
      return;
    } catch (error) {
      if (tries >= 600) throw error;
      await sleep(50);
    }
  }
}

/** A Deployment of one pod, so that each pod has its own owner. */
async function makeDeployment(api: KubernetesApi, namespace: string, name: string): Promise<void> {
  const labels = { app: name };
  const container = { name: 'main', image: `registry.example/bench/${name}:1` };
  const body = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
  const path = pathOf({ group: 'apps', namespace, resource: 'deployments' });
  await api.json({ method: 'POST', path, body, what: `create deployments in ${namespace}`, timeoutMs: 30_000 });
}

interface PodList {
  readonly items: readonly {
    readonly metadata: Omit<PodTarget, 'namespace'> & { readonly annotations?: Readonly<Record<string, string>> };
    readonly status: { readonly phase?: string };
  }[];
}

export async function runningPods(api: KubernetesApi, namespace: string): Promise<readonly PodTarget[]> {
  const path = pathOf({ namespace, resource: 'pods' });
  const list = await api.json<PodList>({ method: 'GET', path, what: `list pods in ${namespace}`, timeoutMs: 30_000 });
  return list.items
    .filter(({ status }) => status.phase === 'Running')
    .map(({ metadata: { name, uid, resourceVersion, labels } }) => ({ namespace, name, uid, resourceVersion, labels }));
}

export async function podsWhenRunning(api: KubernetesApi, namespace: string, count: number): Promise<readonly PodTarget[]> {
  const until = Date.now() + 300_000;
  for (;;) {
    const pods = await runningPods(api, namespace);
    if (pods.length >= count) return pods;
    if (Date.now() > until) throw new Error(`${pods.length} of ${count} pods are running in ${namespace}`);
    await sleep(200);
  }
}
