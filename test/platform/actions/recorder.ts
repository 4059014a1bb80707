import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';

/** A client that records what it changed, and can lose a call or its answer, like a process that is killed at that point. */
interface RecordedApi extends KubernetesApi {
  /** Returns `kind/namespace/name` of each change since the last `take`, in order. */
  take(): readonly string[];
  /**
   * The n-th change from now on (from 1) does not reach the server, or lands without an answer. Nothing succeeds after it: a killed process cleans up nothing.
   */
  loseAt(n: number, what: 'call' | 'answer'): void;
  /** Acts as the next process. */
  revive(): void;
}

/** Thrown at the point at which the process would have died. */
export class Killed extends Error {}

export function recorded(api: KubernetesApi): RecordedApi {
  let changed: string[] = [];
  const ending = new Set<string>();
  let dead = false;
  const die = (what: string): never => {
    dead = true;
    throw new Killed(what);
  };
  let loss: { left: number; readonly what: 'call' | 'answer' } | undefined;
  return {
    ...api,
    async json<T>(call: KubernetesCall): Promise<T> {
      if (dead) return die(call.what);
      // Access reviews and dry runs only ask, whatever their HTTP method.
      if (call.method === 'GET' || call.path.startsWith('/apis/authorization.k8s.io/') || isDry(call)) return api.json<T>(call);
      if (loss?.what === 'call' && --loss.left === 0) return die(call.what);
      const answer = await api.json<T>(call);
      // Deleting the same uid again while its first deletion is under way changes nothing.
      const isAgain = call.method === 'DELETE' && ending.has(JSON.stringify(call.body));
      if (call.method === 'DELETE') ending.add(JSON.stringify(call.body));
      if (!isAgain) changed.push(targetOfCall(call));
      // Counted only once it has landed: a call that was refused because of a conflict is tried again.
      if (loss?.what === 'answer' && --loss.left === 0) return die(call.what);
      return answer;
    },
    stream: async (call) => (dead ? die(call.what) : api.stream(call)),
    socket: async (call) => (dead ? die(call.what) : api.socket(call)),
    revive() {
      dead = false;
      loss = undefined;
    },
    take() {
      const taken = changed;
      changed = [];
      return taken;
    },
    loseAt(n, what) {
      loss = { left: n, what };
    },
  };
}

function isDry({ query }: KubernetesCall): boolean {
  return new URLSearchParams(query).has('dryRun');
}

function targetOfCall({ path, body }: KubernetesCall): string {
  const parts = path.split('/').slice(path.startsWith('/api/') ? 3 : 4);
  const namespaced = parts[0] === 'namespaces' && parts.length > 2;
  const [resource = '', name] = namespaced ? parts.slice(2) : parts;
  return [kindOf(resource), ...(namespaced ? [parts[1]] : []), name ?? nameIn(body)].join('/');
}

function kindOf(resource: string): string {
  return resource.endsWith('ies') ? `${resource.slice(0, -3)}y` : resource.replace(/s$/, '');
}

function nameIn(body: unknown): string {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) return '';
  const { metadata } = body;
  return typeof metadata === 'object' && metadata !== null && 'name' in metadata ? String(metadata.name) : '';
}
