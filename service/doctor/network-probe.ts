import { randomBytes } from 'node:crypto';
import { readAttempts } from '../../activities/actions/containment/probe-quarantine.ts';
import { toolsImageOf } from '../../activities/evidence/tools-image.ts';
import { probe } from '../../core/actions/containment/probe-quarantine.ts';
import { hasCode } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { listObjects } from '../../integrations/kubernetes/objects.ts';
import { removeOwnPod, runToEnd, startOwnPod } from '../../integrations/kubernetes/pods/own-pod.ts';
import type { OwnPod } from '../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { failure, type LookResult, notTried, ok, warning } from './diagnosis.ts';

const listenPort = 7_777;
/** A policy takes effect a moment after it was created, so the last round counts. */
const rounds = 4;
const patienceMs = 40_000;
const probeLabel = 'firebreak.dev/doctor-probe';

interface ProbeOptions {
  readonly api: KubernetesApi;
  readonly toolsImage: string | undefined;
  /** Namespace in which our own pods are created. */
  readonly ownNamespace: string;
  readonly signal: AbortSignal;
}

/**
 * Tests whether NetworkPolicies are enforced, with connections between our own pods on one node: two that a policy isolates in both directions, two that it
 * does not. Needs an account that may create pods and NetworkPolicies in our namespace, and removes everything that it created.
 */
export async function probeNetwork(options: ProbeOptions): Promise<readonly LookResult[]> {
  try {
    return [await tryConnections(options)];
  } catch (error) {
    if (hasCode(error, 'FB_ERR_REFUSED', 'FB_ERR_API_REFUSED')) return [notTried(error.detail)];
    throw error;
  }
}

async function tryConnections(options: ProbeOptions): Promise<LookResult> {
  const { api, ownNamespace: namespace, signal } = options;
  if (options.toolsImage === undefined) return notTried('forensics.toolsImage is not configured: its pods make the connections');
  const image = toolsImageOf(options.toolsImage);
  const node = await anyNode(api, signal);
  if (node === undefined) return notTried('no node is ready');
  const id = randomBytes(4).toString('hex');
  const step = `doctor/${id}`;
  const pod = (name: string, isClosed: boolean, command: readonly string[]): OwnPod => ({
    ...{ namespace, name: `firebreak-doctor-${id}-${name}`, node, network: 'pod', image, step, livesSeconds: 120 },
    command: [probe.program, ...command],
    ...(isClosed && { labels: { [probeLabel]: id } }),
  });
  const listen = ['listen', '-port', String(listenPort), '-seconds', '120'];
  const dial = (...addresses: readonly string[]) => [
    ...['dial', '-rounds', String(rounds), '-message', '/dev/termination-log'],
    ...addresses,
  ];
  const made: OwnPod[] = [];
  const start = async (name: string, isClosed: boolean): Promise<string> => {
    const listener = pod(name, isClosed, listen);
    made.push(listener);
    const { address } = await startOwnPod({ api, pod: listener, patienceMs, signal });
    return address.includes(':') ? `[${address}]:${listenPort}` : `${address}:${listenPort}`;
  };
  const dialFrom = async (name: string, isClosed: boolean, ...addresses: readonly string[]): Promise<Attempts> => {
    const dialer = pod(name, isClosed, dial(...addresses));
    made.push(dialer);
    return readAttempts(await runToEnd({ api, pod: dialer, patienceMs, signal }));
  };
  const policy = { group: 'networking.k8s.io', resource: 'networkpolicies', namespace };
  const name = `firebreak-doctor-${id}`;
  try {
    await api.json({
      method: 'POST',
      path: pathOf(policy),
      body: {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name },
        spec: { podSelector: { matchLabels: { [probeLabel]: id } }, policyTypes: ['Ingress', 'Egress'] },
      },
      what: `create networkpolicies in ${namespace}`,
      signal,
    });
    const [open, closed] = await Promise.all([start('open', false), start('closed', true)]);
    const [fromOpen, fromClosed] = await Promise.all([
      dialFrom('from-open', false, open, closed),
      dialFrom('from-closed', true, open),
    ]);
    const [control, into] = fromOpen;
    return probeVerdict({ node, control: control?.outcome, into: into?.outcome, out: fromClosed[0]?.outcome });
  } finally {
    // The check's time limit may have passed: what was created is removed in any case.
    const cleanUp = AbortSignal.timeout(20_000);
    await Promise.allSettled([
      ...made.map((one) => removeOwnPod({ api, pod: one, signal: cleanUp })),
      api.json({
        method: 'DELETE',
        path: pathOf({ ...policy, name }),
        what: `delete networkpolicies in ${namespace}`,
        signal: cleanUp,
      }),
    ]);
  }
}

type Attempts = ReturnType<typeof readAttempts>;
type Outcome = Attempts[number]['outcome'] | undefined;

/** What the connections prove. Pure. */
export function probeVerdict(seen: {
  readonly node: string;
  readonly control: Outcome;
  readonly into: Outcome;
  readonly out: Outcome;
}): LookResult {
  const { node, control, into, out } = seen;
  const open = [...(into === 'connected' ? ['into'] : []), ...(out === 'connected' ? ['out of'] : [])];
  if (open.length > 0)
    return failure(
      `NetworkPolicies are not enforced on ${node}: a connection succeeded ${open.join(' and ')} a pod that a policy closes`,
      'Install a network that enforces them, such as Calico or Cilium. Without one, a quarantine is only a label.',
    );
  if (control !== 'connected')
    return warning(
      `two pods of ours on ${node} cannot reach each other either (${control ?? 'nothing was tried'}): nothing is proven`,
      'Check what keeps pods of this namespace apart, such as a policy for all of them.',
    );
  if (into !== 'silent' || out !== 'silent')
    return warning(
      `no connection succeeded, but not because a policy dropped it (in: ${into ?? 'not tried'}, out: ${out ?? 'not tried'}): nothing is proven`,
      'Run it again. If the result stays the same, check what answers in place of the pod.',
    );
  return ok(`NetworkPolicies are enforced on ${node}, as tested: nothing gets into or out of a pod that one closes`);
}

async function anyNode(api: KubernetesApi, signal: AbortSignal): Promise<string | undefined> {
  const nodes = await listObjects({ api, ref: { kind: 'Node', resource: 'nodes' }, signal });
  const isReady = (status: unknown): boolean =>
    isObject(status) &&
    Array.isArray(status.conditions) &&
    status.conditions.some((one: unknown) => isObject(one) && one.type === 'Ready' && one.status === 'True');
  const isOpen = (spec: unknown): boolean => !isObject(spec) || spec.unschedulable !== true;
  return nodes.find(({ spec, status }) => isOpen(spec) && isReady(status))?.metadata.name;
}
