import { randomBytes } from 'node:crypto';
import { callKubernetes, readAccess } from '../../../../tools/platform/kubernetes/kubernetes-api.ts';
import { eventually } from '../../../eventually.ts';
import type { FakeIssue } from '../../../fakes/github/store.ts';

export interface Workload {
  readonly namespace: string;
  readonly name: string;
  /** The one of its pods that alerts are about. */
  readonly pod: string;
  /** The value of the Secret that its pods use. */
  readonly secretValue: string;
}

/** `namespace/name` of the pod. */
export const podOf = ({ namespace, pod }: Workload): string => `${namespace}/${pod}`;

/** Whether the ticket is about the workload: the title says what happened, the body names the pod on a line of its own. */
export const isAbout = ({ body }: Pick<FakeIssue, 'body'>, workload: Workload): boolean =>
  body
    .replaceAll('\\', '')
    .split('\n')
    .includes(`Pod: ${podOf(workload)}`);

/** Creates what incidents are about, with a client other than Firebreak's. */
export class WorkloadMaker {
  readonly #access: ReturnType<typeof readAccess>;

  constructor(kubeconfig: string) {
    this.#access = readAccess(kubeconfig);
  }

  async namespace(prefix: string): Promise<string> {
    const name = `${prefix}-${randomBytes(3).toString('hex')}`;
    await this.#create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
    await until('a service account', 120_000, async () => (await this.#get(account)).status === 200);
    return name;
  }

  /** Creates Deployments of two pods, each with its own Secret; resolves when all pods run. */
  async deploy(namespace: string, wanted: readonly string[], options: DeployOptions = {}): Promise<readonly Workload[]> {
    const values = new Map(wanted.map((name) => [name, `canary-${randomBytes(12).toString('hex')}`]));
    await Promise.all(
      wanted.map(async (name) => {
        const password = values.get(name);
        const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: `${name}-db` }, stringData: { password } };
        await this.#create(`/api/v1/namespaces/${namespace}/secrets`, secret);
        await this.#create(`/apis/apps/v1/namespaces/${namespace}/deployments`, deployment({ namespace, name }, options));
      }),
    );
    return until('running pods', 120_000, async () => {
      const { text } = await this.#get(`/api/v1/namespaces/${namespace}/pods`);
      const { items }: PodList = JSON.parse(text);
      const workloads = wanted.flatMap((name): readonly Workload[] => {
        const running = items.filter(({ metadata, status }) => metadata.labels?.app === name && status.phase === 'Running');
        const pod = running[0]?.metadata.name;
        return running.length === 2 && pod ? [{ namespace, name, pod, secretValue: values.get(name) ?? '' }] : [];
      });
      return workloads.length === wanted.length && workloads;
    });
  }

  /** Its running pods that Firebreak has not removed from it. */
  async podsOf({ namespace, name }: Pick<Workload, 'namespace' | 'name'>): Promise<readonly string[]> {
    const { text } = await this.#get(`/api/v1/namespaces/${namespace}/pods?labelSelector=app%3D${name}`);
    const { items }: PodList = JSON.parse(text);
    return items.filter(({ status }) => status.phase === 'Running').map(({ metadata }) => metadata.name);
  }

  /** Returns the metadata of its pod. */
  async podMetadata({ namespace, pod }: Workload): Promise<PodList['items'][number]['metadata']> {
    const { text } = await this.#get(`/api/v1/namespaces/${namespace}/pods/${pod}`);
    return (JSON.parse(text) as PodList['items'][number]).metadata;
  }

  /** Changes its pod, as somebody else would. */
  async patchPod({ namespace, pod }: Workload, body: object): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}`;
    const { status, text } = await callKubernetes({ access: this.#access, path, method: 'PATCH', body });
    if (status !== 200) throw new Error(`PATCH ${path}: ${status} ${text.slice(0, 300)}`);
  }

  async #get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    return callKubernetes({ access: this.#access, path });
  }

  async #create(path: string, body: object): Promise<void> {
    const { status, text } = await callKubernetes({ access: this.#access, path, method: 'POST', body, timeoutMs: 120_000 });
    if (status !== 201) throw new Error(`POST ${path}: ${status} ${text.slice(0, 300)}`);
  }
}

interface PodList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly uid: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly status: { readonly phase?: string };
  }[];
}

interface DeployOptions {
  /** Lets its pods reach their node. */
  readonly privileged?: boolean;
}

/** Image of a workload's container. No two workloads share one, because their questions would share a card. */
export function imageOf({ namespace, name }: Pick<Workload, 'namespace' | 'name'>): string {
  return `registry.example/${namespace}/${name}:1`;
}

function deployment({ namespace, name }: Pick<Workload, 'namespace' | 'name'>, { privileged }: DeployOptions): object {
  const env = [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: `${name}-db`, key: 'password' } } }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            { name: 'main', image: imageOf({ namespace, name }), env, ...(privileged && { securityContext: { privileged } }) },
          ],
        },
      },
    },
  };
}

export function until<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T | false | undefined> | T | false | undefined,
): Promise<T> {
  return eventually(what, look, { withinMs });
}
