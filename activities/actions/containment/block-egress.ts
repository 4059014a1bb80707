import type { V1Pod } from '@kubernetes/client-node';
import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { BlockEgressInput, BlockEgressOutput } from '../../../core/actions/containment/block-egress.schema.ts';
import { type Cidr, contains, parseCidr } from '../../../core/cluster/cidr.ts';
import { names } from '../../../core/cluster/labels.ts';
import { madeNameOf } from '../../../core/cluster/object-note.ts';
import type { LabelSelector } from '../../../core/cluster/pod-record.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { digestOf } from '../../../core/text/digest.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { listObjects, readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import {
  allowedEgress,
  egressPoliciesOf,
  listNetworkPolicies,
  networkPolicyRef,
  notQuarantined,
  type PolicyJson,
} from '../../../integrations/kubernetes/policies/network-policies.ts';
import { type Jsonify, policyRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { type WorkloadJson, workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { isMadeBy, type MadeObject, makeObject, removeMade, requireMade } from '../made-object.ts';
import { outsideText, readPodsOutside } from './outside-policies.ts';

const action = 'blockEgress';
const kinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'];
type Implementation = ActionImplementation<BlockEgressInput, BlockEgressOutput>;

interface Situation {
  readonly workload: WorkloadJson;
  readonly made: MadeObject;
  readonly blocks: readonly Cidr[];
  /** Other policies that already limit the egress of its pods. */
  readonly others: readonly PolicyJson[];
}

/**
 * Blocks addresses for a workload. A NetworkPolicy can only allow, and policies add up. So if no other policy limits these pods' egress, the block is an
 * allow-all with exceptions. If one does, that would open more than it closes: then the block allows nothing, and so still denies what the other policies deny
 * if somebody removes them.
 */
export function blockEgressImplementation(parts: {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
}): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api } = parts;

  const look = async (input: BlockEgressInput, { incident, signal }: StepContext): Promise<Situation> => {
    const ref = workloadRef(input.workload, kinds);
    const [object, policies] = await Promise.all([
      readKnownObject({ api, ref, signal }),
      listNetworkPolicies({ api, namespace: input.workload.namespace, signal }),
    ]);
    const workload: WorkloadJson = object;
    const labels = workload.spec?.template?.metadata?.labels ?? {};
    const name = nameOf(input, incident);
    const others = egressPoliciesOf(policies, labels).filter(({ metadata }) => metadata?.name !== name);
    const made = policyOf({ input, workload, name, isBesideOthers: others.length > 0 });
    return { workload, made, blocks: blocksOf(input), others };
  };

  /** @throws FB_ERR_REFUSED if no policy of ours can deny it. */
  const requirePossible = async ({ blocks, others }: Situation, input: BlockEgressInput, signal: AbortSignal): Promise<void> => {
    const { kind, namespace, name } = input.workload;
    for (const policy of others) {
      const [open] = allowedEgress(policyRecord(policy), blocks);
      if (open)
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          `networkpolicy/${namespace}/${policy.metadata?.name} lets ${kind} ${name} reach ${open.text}: policies are additive, so another one cannot deny it. Change that policy, or quarantine the workload`,
        );
    }
    for (const { text } of blocks.filter(({ version, prefix }) => prefix === (version === 6 ? 128 : 32))) {
      const address = text.split('/')[0] ?? '';
      const [pod] = await listObjects<Jsonify<V1Pod>>({
        api,
        ref: { kind: 'Pod', resource: 'pods' },
        query: { fieldSelector: `status.podIP=${address}` },
        signal,
      });
      if (pod)
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          `${address} is pod/${pod.metadata?.namespace}/${pod.metadata?.name}, and pods of the cluster stay reachable: quarantine that pod instead`,
        );
    }
  };

  return {
    async plan(input, context) {
      const situation = await look(input, context);
      await requirePossible(situation, input, context.signal);
      const { workload, made, blocks, others } = situation;
      const [target, policy] = [targetOf(workloadRef(input.workload, kinds)), targetOf(made.ref)];
      const { namespace } = input.workload;
      const pods = await readPodsOutside({ api, namespace, selector: selectorOf(workload), signal: context.signal });
      const outside = pods.map((pod) => `${pod} ${outsideText}: nothing is blocked there.`);
      const addresses = blocks.map(({ text }) => text).join(', ');
      const uid = workload.metadata.uid;
      if (others.length > 0)
        return {
          target: { name: target, uid },
          changes: [{ target: policy, what: `denies ${addresses} to the pods of ${target} (${selectorText(workload)})` }],
          blastRadius: [target, policy].sort(),
          notes: [
            `${namesOf(others).join(', ')} limit its egress and allow none of ${addresses}: what they allow stays allowed.`,
            'If these are deleted, its pods can reach nothing until this is undone.',
            ...outside,
          ],
        };
      return {
        target: { name: target, uid },
        changes: [
          { target: policy, what: `lets the pods of ${target} (${selectorText(workload)}) reach everything except ${addresses}` },
        ],
        blastRadius: [target, policy].sort(),
        notes: [
          'A policy that is added for these pods later is additive too: it can allow more, but cannot deny what this one allows.',
          'Pods of the cluster stay reachable, even if one of them forwards traffic to these addresses.',
          ...outside,
          'Open connections may survive, and without a policy controller nothing is blocked.',
        ],
      };
    },

    async apply(input, context) {
      const { workload } = input;
      const situation = await look(input, context);
      await requirePossible(situation, input, context.signal);
      const { made, blocks } = situation;
      const blocked = blocks.map(({ text }) => text);
      await makeObject({ ...parts, made, context });
      return { workload, blocked, policy: made.ref.name };
    },

    async started(input, context) {
      const { made } = await look(input, context);
      return isMadeBy({ ...parts, made, key: context.key, signal: context.signal });
    },

    async verify({ workload: named, blocked, policy }, { incident, signal }) {
      const { namespace } = named;
      await requireMade({ ...parts, made: { action, ref: networkPolicyRef(namespace, policy) }, incident, signal });
      const [object, policies] = await Promise.all([
        readKnownObject({ api, ref: workloadRef(named, kinds), signal }),
        listNetworkPolicies({ api, namespace, signal }),
      ]);
      const workload: WorkloadJson = object;
      const blocks = blocked.flatMap(blockOf);
      const limiting = egressPoliciesOf(policies, workload.spec?.template?.metadata?.labels ?? {});
      const open = namesOf(limiting.filter((one) => allowedEgress(policyRecord(one), blocks).length > 0));
      const outside = await readPodsOutside({ api, namespace, selector: selectorOf(workload), signal });
      const but = [
        ...(open.length > 0 ? [`another policy allows some of it: ${open.join(', ')}`] : []),
        ...outside.map((pod) => `${pod} ${outsideText}`),
      ];
      if (but.length > 0)
        return {
          state: 'partial',
          detail: `applied; but ${but.join('; ')}`,
          missing: [...open.map((name) => `networkpolicy/${namespace}/${name}`), ...outside],
        };
      return {
        state: 'unverified',
        detail:
          'applied; the policies are read back, but no probe was made: whether a policy controller enforces them is unknown, and established connections may survive',
      };
    },

    async undo({ input, key, allow }, context) {
      const ref = networkPolicyRef(input.workload.namespace, nameOf(input, context.incident));
      return removeMade({ ...parts, made: { action, ref }, key, context, allow });
    },
  };
}

function nameOf(input: BlockEgressInput, incident: string): string {
  return `${names.egressPolicies}${madeNameOf({ incident, action, inputDigest: digestOf(input) })}`;
}

function policyOf(options: {
  readonly input: BlockEgressInput;
  readonly workload: WorkloadJson;
  readonly name: string;
  /** Whether other policies limit the egress of its pods. */
  readonly isBesideOthers: boolean;
}): MadeObject {
  const { input, workload, name, isBesideOthers } = options;
  const blocks = blocksOf(input);
  const everythingBut = ([version, cidr]: readonly [4 | 6, string]): object => {
    const except = blocks.filter((block) => block.version === version).map(({ text }) => text);
    return { ipBlock: { cidr, ...(except.length > 0 && { except }) } };
  };
  const everywhere = [
    [4, '0.0.0.0/0'],
    [6, '::/0'],
  ] as const;
  const spec = {
    podSelector: selectorOf(workload),
    policyTypes: ['Egress'],
    ...(!isBesideOthers && { egress: [{ to: [...everywhere.map(everythingBut), { namespaceSelector: {} }] }] }),
  };
  const ref = networkPolicyRef(input.workload.namespace, name);
  return { action, ref, content: { spec }, denies: blocks.map(({ text }) => text), replaces: true };
}

/** Selects its pods, except those in quarantine. */
function selectorOf({ spec }: WorkloadJson): LabelSelector {
  const selector: LabelSelector = spec?.selector ?? {};
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), notQuarantined] };
}

/** The blocks without duplicates and without blocks contained in another. @throws FB_ERR_REFUSED when it is everything. */
function blocksOf({ to }: BlockEgressInput): readonly Cidr[] {
  const all = [...new Map(to.flatMap(blockOf).map((block) => [block.text, block])).values()];
  if (all.some(({ prefix }) => prefix === 0))
    throw new FirebreakError('FB_ERR_REFUSED', 'blocking every address is a quarantine: use quarantineWorkload');
  return all
    .filter((block) => !all.some((other) => other !== block && contains(other, block)))
    .sort((a, b) => (a.text < b.text ? -1 : 1));
}

function blockOf(text: string): readonly Cidr[] {
  const block = parseCidr(text);
  return block ? [block] : [];
}

function namesOf(policies: readonly PolicyJson[]): readonly string[] {
  return policies.map(({ metadata }) => metadata?.name ?? '').sort();
}

function selectorText({ spec }: WorkloadJson): string {
  const { matchLabels = {}, matchExpressions = [] } = spec?.selector ?? {};
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => `${key} ${operator} ${values.join(' ')}`.trim());
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...expressions].join(', ');
}
