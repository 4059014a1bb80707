import { z } from 'zod';
import type { ActionImplementation, StepContext, Verification } from '../../../core/action/action.ts';
import {
  outcomeSchema,
  type ProbeQuarantineInput,
  type ProbeQuarantineOutput,
} from '../../../core/actions/containment/probe-quarantine.schema.ts';
import { probe } from '../../../core/actions/containment/probe-quarantine.ts';
import type { ResolvedPod } from '../../../core/actions/pod.schema.ts';
import { stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { removeOwnPod, runToEnd, startOwnPod } from '../../../integrations/kubernetes/pods/own-pod.ts';
import type { OwnPod } from '../../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { readPod, readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { isQuarantined } from '../../../integrations/kubernetes/policies/network-policies.ts';
import type { PodJson } from '../../../integrations/kubernetes/watch/projection.ts';
import { hasToolsIn, inContainer, outputOf, planInContainer } from '../../evidence/in-container.ts';
import { toolsImageOf } from '../../evidence/tools-image.ts';

const listenPort = 7777;
/** A closed port answers too, so any port will do if the pod names none. */
const anyPort = 80;
const mostPorts = 4;
/** A policy takes effect a moment after it is created: the last round counts. */
const rounds = 2;
const patienceMs = 25_000;

/** Output of `deploy/forensics/tools`. */
const attempts = z.array(z.object({ address: z.string(), outcome: outcomeSchema }));

/** Tests a quarantine by opening connections; see the declaration in `core/actions/containment/probe-quarantine.ts`. */
export function probeQuarantineImplementation(options: {
  readonly api: KubernetesApi;
  readonly toolsImage: string | undefined;
  /** Namespace of our own pods. */
  readonly ownNamespace: string;
}): ActionImplementation<ProbeQuarantineInput, ProbeQuarantineOutput> {
  const { api, toolsImage, ownNamespace } = options;
  const parts = { api, toolsImage };

  const suspectOf = async (pod: ResolvedPod, signal: AbortSignal) => {
    const found = await readSamePod({ api, pod, signal });
    const { nodeName: node } = found.spec ?? {};
    const { podIP: address } = found.status ?? {};
    const name = `pod/${pod.namespace}/${pod.name}`;
    if (!isQuarantined(found.metadata?.labels ?? {}))
      throw new FirebreakError('FB_ERR_REFUSED', `${name} is not in quarantine: there is nothing to probe`);
    if (node === undefined || address === undefined)
      throw new FirebreakError('FB_ERR_REFUSED', `${name} has no address on a node yet`);
    return { node, addresses: portsOf(found).map((port) => joined(address, port)) };
  };
  const ownPod = (role: 'listen' | 'dial', node: string, key: string, command: readonly string[]): OwnPod => ({
    namespace: ownNamespace,
    name: nameOf(role, key),
    node,
    network: 'pod',
    image: toolsImageOf(toolsImage),
    command: [probe.program, role, ...command],
    step: key,
    livesSeconds: probe.livesSeconds,
  });

  /** The only way to connect from where the suspect is. If it cannot be tried, the reason is reported, and the other checks are unaffected. */
  const fromInside = async (pod: ResolvedPod, address: string, context: StepContext) => {
    try {
      const { result } = await inContainer({
        parts,
        pod,
        wanted: {},
        context,
        work: async ({ tool }) =>
          readAttempts(await outputOf(tool('dial', { arguments: ['-rounds', String(rounds), address] }), { mostBytes: 10_000 })),
      });
      return { from: result[0]?.outcome ?? 'failed' } as const;
    } catch (error) {
      if (!(error instanceof FirebreakError) || context.signal.aborted) throw error;
      return { notFrom: error.message } as const;
    }
  };

  return {
    async plan({ pod }, { signal }) {
      const { node, addresses } = await suspectOf(pod, signal);
      const { target, changes, blastRadius, notes } = await planInContainer({ parts, pod, wanted: {}, signal });
      return {
        target,
        changes,
        blastRadius,
        notes: [
          ...notes,
          `Two Firebreak pods run on node ${node} for some seconds, without a token: one tries to connect to ${addresses.join(', ')}, and from inside a connection to the other is tried.`,
        ],
      };
    },

    async started({ pod }, context) {
      const { key, signal } = context;
      const made = await readPod({ api, namespace: ownNamespace, name: nameOf('listen', key), signal });
      return made !== undefined || (await hasToolsIn({ parts, pod, context }));
    },

    async apply({ pod }, context) {
      const { key, signal } = context;
      const { node, addresses } = await suspectOf(pod, signal);
      const listener = ownPod('listen', node, key, ['-port', String(listenPort), '-seconds', String(probe.livesSeconds)]);
      const remove = (role: 'listen' | 'dial') =>
        removeOwnPod({ api, pod: { namespace: ownNamespace, name: nameOf(role, key), step: key }, signal });
      try {
        const { address } = await startOwnPod({ api, pod: listener, patienceMs, signal });
        const reachable = joined(address, listenPort);
        const words = ['-rounds', String(rounds), '-message', '/dev/termination-log', reachable, ...addresses];
        const dialer = ownPod('dial', node, key, words);
        // The control comes last: this shows that the pod that should have answered from inside was there to the end.
        const inside = await fromInside(pod, reachable, context);
        const [control, ...into] = readAttempts(await runToEnd({ api, pod: dialer, patienceMs, signal }));
        return { pod, control: control?.outcome ?? 'failed', into, ...inside };
      } finally {
        await Promise.all([remove('listen'), remove('dial')]);
      }
    },

    verify: async (output) => verdictOn(output),
  };
}

/** What the connections prove, and what they do not. Pure. */
export function verdictOn({ pod, control, into, from, notFrom }: ProbeQuarantineOutput): Verification {
  const reached = into.filter(({ outcome }) => outcome === 'connected').map(({ address }) => `to it at ${address}`);
  const connected = [...reached, ...(from === 'connected' ? ['from it to a Firebreak pod'] : [])];
  if (connected.length > 0)
    return {
      state: 'partial',
      detail: `the quarantine does not work: a connection succeeded ${connected.join(' and ')}`,
      missing: [`pod/${pod.namespace}/${pod.name}`],
    };
  const unverified = (detail: string): Verification => ({ state: 'unverified', detail });
  if (control !== 'connected')
    return unverified(`two Firebreak pods cannot reach each other either (${control}): nothing is proven`);
  const answered = into.find(({ outcome }) => outcome !== 'silent');
  if (answered)
    return unverified(`${answered.address} answered (${answered.outcome}): a closed port does that, and so do some policies`);
  if (from === undefined)
    return unverified(
      `nothing answers at ${addressesOf(into)}; no attempt was made from inside: ${notFrom ?? 'the reason is unknown'}`,
    );
  if (from !== 'silent') return unverified(`nothing answers at ${addressesOf(into)}; the attempt from inside was ${from}`);
  return {
    state: 'verified',
    detail: `new connections are dropped, as a probe showed: nothing answers at ${addressesOf(into)}, and nothing is reached from inside, while Firebreak pods reach each other`,
  };
}

function addressesOf(into: ProbeQuarantineOutput['into']): string {
  return into.map(({ address }) => address).join(', ');
}

const nameOf = (role: 'listen' | 'dial', key: string): string => `${probe.namePrefix}${stepHash(key)}-${role}`;

function portsOf({ spec }: PodJson): readonly number[] {
  const declared = (spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP').map(({ containerPort }) => containerPort),
  );
  return declared.length > 0 ? [...new Set(declared)].slice(0, mostPorts) : [anyPort];
}

function joined(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Parses the output of our tools' `dial`. @throws FB_ERR_REFUSED. */
export function readAttempts(told: string | Buffer): z.infer<typeof attempts> {
  const parsed = attempts.safeParse(JSON.parse(String(told)));
  if (!parsed.success) throw new FirebreakError('FB_ERR_REFUSED', 'the tools did not write a list of attempts');
  return parsed.data;
}
