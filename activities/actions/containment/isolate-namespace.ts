import type { V1ServiceList } from '@kubernetes/client-node';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type {
  IsolateNamespaceInput,
  IsolateNamespaceOutput,
} from '../../../core/actions/containment/isolate-namespace.schema.ts';
import { type Cidr, parseCidr } from '../../../core/cluster/cidr.ts';
import { names } from '../../../core/cluster/labels.ts';
import { madeNameOf } from '../../../core/cluster/object-note.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { digestOf } from '../../../core/text/digest.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { listObjects, readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import {
  listNetworkPolicies,
  networkPolicyRef,
  notQuarantined,
  type PolicyJson,
} from '../../../integrations/kubernetes/policies/network-policies.ts';
import { type Jsonify, policyRecord } from '../../../integrations/kubernetes/watch/projection.ts';
import { isMadeBy, type MadeObject, makeObject, removeMade, requireMade } from '../made-object.ts';
import { allowingPolicies } from './allowing-policies.ts';
import { outsideText, readPodsOutside } from './outside-policies.ts';

const action = 'isolateNamespace';
const selector = { matchExpressions: [notQuarantined] };
type Implementation = ActionImplementation<IsolateNamespaceInput, IsolateNamespaceOutput>;

/** Cuts a namespace off with one policy; see the declaration in `core/actions/containment/isolate-namespace.ts`. */
export function isolateNamespaceImplementation(parts: {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
}): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api } = parts;

  return {
    async plan(input, context) {
      const { namespace } = input;
      const { signal } = context;
      const made = policyOf(input, context.incident);
      const [object, policies, outside, services] = await Promise.all([
        readKnownObject({ api, ref: { kind: 'Namespace', resource: 'namespaces', name: namespace }, signal }),
        listNetworkPolicies({ api, namespace, signal }),
        readPodsOutside({ api, namespace, selector, signal }),
        listObjects<Jsonify<V1ServiceList>['items'][number]>({
          api,
          ref: { kind: 'Service', resource: 'services', namespace },
          signal,
        }),
      ]);
      const [target, policy] = [`namespace/${namespace}`, targetOf(made.ref)];
      const open = additive(policies, made);
      const allowed = exceptionsText(input);
      const cut = services.map(({ metadata }) => metadata?.name ?? '').sort();
      return {
        target: { name: target, uid: object.metadata.uid },
        changes: [{ target: policy, what: `denies all traffic of all pods of the namespace, in and out${allowed}` }],
        blastRadius: [target, policy, ...cut.map((name) => `service/${namespace}/${name}`)].sort(),
        notes: [
          'Its pods keep running, but no longer reach each other, the API server or anything outside; kubelet probes still work.',
          ...cut.map((name) => `Service ${name} no longer answers: its callers, and any webhook behind it, fail.`),
          ...open.map((name) => `NetworkPolicy ${name} still allows traffic: the isolation is partial.`),
          ...outside.map((pod) => `${pod} ${outsideText}: it is not cut off.`),
          'Open connections may survive, and without a policy controller nothing is cut off.',
        ],
      };
    },

    async apply(input, context) {
      const made = policyOf(input, context.incident);
      await makeObject({ ...parts, made, context });
      const policies = await listNetworkPolicies({ api, namespace: input.namespace, signal: context.signal });
      return { namespace: input.namespace, policy: made.ref.name, additivePolicies: [...additive(policies, made)] };
    },

    started: (input, { incident, key, signal }) => isMadeBy({ ...parts, made: policyOf(input, incident), key, signal }),

    async verify({ namespace, policy }, { incident, signal }) {
      const made = { action, ref: networkPolicyRef(namespace, policy) };
      await requireMade({ ...parts, made, incident, signal });
      const [policies, outside] = await Promise.all([
        listNetworkPolicies({ api, namespace, signal }),
        readPodsOutside({ api, namespace, selector, signal }),
      ]);
      const allowing = additive(policies, made);
      const but = [
        ...(allowing.length > 0
          ? [`${allowing.length === 1 ? 'a policy still allows' : 'policies still allow'} traffic: ${allowing.join(', ')}`]
          : []),
        ...outside.map((pod) => `${pod} ${outsideText}`),
      ];
      if (but.length > 0)
        return {
          state: 'partial',
          detail: `applied; but ${but.join('; ')}`,
          missing: [...allowing.map((name) => `networkpolicy/${namespace}/${name}`), ...outside],
        };
      return {
        state: 'unverified',
        detail:
          'applied; the policy is read back, but no probe was made: whether a policy controller enforces it is unknown, and established connections may survive',
      };
    },

    undo: ({ input, key, allow }, context) =>
      removeMade({ ...parts, made: policyOf(input, context.incident), key, context, allow }),
  };
}

function policyOf(input: IsolateNamespaceInput, incident: string): MadeObject {
  const { namespace, allow = {} } = input;
  const hash = madeNameOf({ incident, action, inputDigest: digestOf(input) });
  const peers = [
    ...(allow.namespaces ?? []).map((name) => ({ namespaceSelector: namespaceNamed(name) })),
    ...(allow.cidrs ?? []).flatMap(blockOf).map(({ text }) => ({ ipBlock: { cidr: text } })),
  ];
  const dns = {
    ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })),
    to: [{ namespaceSelector: namespaceNamed('kube-system') }],
  };
  const egress = [...(peers.length > 0 ? [{ to: peers }] : []), ...(allow.dns ? [dns] : [])];
  const spec = {
    podSelector: selector,
    policyTypes: ['Ingress', 'Egress'],
    ...(peers.length > 0 && { ingress: [{ from: peers }] }),
    ...(egress.length > 0 && { egress }),
  };
  return { action, ref: networkPolicyRef(namespace, `${names.isolatingPolicies}${hash}`), content: { spec }, replaces: true };
}

function namespaceNamed(name: string): object {
  return { matchLabels: { 'kubernetes.io/metadata.name': name } };
}

function blockOf(text: string): readonly Cidr[] {
  const block = parseCidr(text);
  return block ? [block] : [];
}

function additive(policies: readonly PolicyJson[], { ref }: Pick<MadeObject, 'ref'>): readonly string[] {
  return allowingPolicies({ action, made: ref, policies: policies.map(policyRecord) }).map(({ name }) => name);
}

function exceptionsText({ allow = {} }: IsolateNamespaceInput): string {
  const parts = [
    ...(allow.dns ? ['queries to the DNS in kube-system'] : []),
    ...(allow.namespaces ?? []).map((name) => `namespace ${name}`),
    ...(allow.cidrs ?? []).flatMap(blockOf).map(({ text }) => text),
  ];
  return parts.length > 0 ? `, except: ${parts.join(', ')}` : '';
}
