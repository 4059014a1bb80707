import type { ActionImplementation } from '../../../core/action/action.ts';
import type { CordonNodeInput, CordonNodeOutput } from '../../../core/actions/nodes/cordon-node.schema.ts';
import { cordonNode } from '../../../core/actions/nodes/cordon-node.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { type HeldField, holdField, noteOn, plannedBefore, plannedRoom, releaseField, requireHeld } from '../held-field.ts';
import { type IsolationParts, isolationOf, orderIsolation, releaseIsolation, verifyIsolation } from './node-isolation.ts';

type Implementation = ActionImplementation<CordonNodeInput, CordonNodeOutput>;

/** Maximum number of Secrets named in a sentence; the output has all of them. */
const named = 20;

/** Keeps new pods off a node; see the declaration in `core/actions/nodes/cordon-node.ts`. */
export function cordonNodeImplementation(options: {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  /** The provider's own isolation; absent if none is configured. */
  readonly isolation?: IsolationParts;
}): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, view, cellKey, isolation } = options;

  return {
    async plan({ node }, { incident, key, signal }) {
      const field = fieldOn(node);
      const object = await readKnownObject({ api, ref: field.ref, signal });
      const before = plannedBefore({ object, cellKey, field, incident });
      const target = targetOf(field.ref);
      return {
        target: { name: target, uid: object.metadata.uid },
        changes: [
          { target, what: 'is marked unschedulable: no new pods are scheduled there, except those that tolerate it' },
          ...(isolation ? [{ target, what: `is cut off from its network by ${isolation.isolator.title}` }] : []),
        ],
        blastRadius: [target],
        notes: [
          'A cordon contains nothing: every pod there keeps running, with its network, its Secrets and its node.',
          ...isolationNotes(isolation),
          'DaemonSets still start their pods there.',
          ...(before === true ? ['Somebody has already cordoned it: undoing this leaves it cordoned.'] : []),
          ...plannedRoom({ object, cellKey, field, incident, key }),
        ],
      };
    },

    async apply({ node }, context) {
      const { before, object } = await holdField({ api, cellKey, field: fieldOn(node), context });
      const secrets = secretsOn(view, node);
      const refused =
        isolation && (await orderIsolation(isolation, isolationOf(isolation, { node, object, context }), context.signal));
      return {
        node,
        wasCordoned: before === true,
        ...(secrets && { secrets: [...secrets] }),
        ...(refused !== undefined && { notIsolated: refused }),
      };
    },

    async started({ node }, { key, signal }) {
      const field = fieldOn(node);
      return noteOn({ object: await readKnownObject({ api, ref: field.ref, signal }), cellKey, field })?.step === key;
    },

    async verify({ node, secrets, notIsolated }, context) {
      const { incident, signal } = context;
      const field = fieldOn(node);
      const object = await readKnownObject({ api, ref: field.ref, signal });
      requireHeld({ object, cellKey, field, incident });
      const cordoned = `the node takes no new pods, and what runs there keeps running. ${secretsText(secrets)}`;
      if (!isolation) return { state: 'applied', detail: `not contained: ${cordoned}` };
      const found = await verifyIsolation(isolation, {
        isolation: isolationOf(isolation, { node, object, context }),
        ...(notIsolated !== undefined && { refused: notIsolated }),
        signal,
      });
      return { ...found, detail: `${found.detail}; ${cordoned}` };
    },

    async undo({ input: { node }, output, isForgotten = false, key, allow }, context) {
      const hasChanged = output ? !output.wasCordoned : isForgotten;
      const released = await releaseField({ api, cellKey, field: fieldOn(node), key, context, allow, hasChanged });
      if (!isolation) return released;
      // Without a note on the node, only people can decide that the provider's isolation ends: it may be all that is still in force.
      if (released.state === 'already' || released.state === 'gone') await allow?.([]);
      const { signal } = context;
      return releaseIsolation(isolation, {
        isolation: isolationOf(isolation, { node, context: { ...context, key } }),
        released,
        signal,
      });
    },
  };
}

function fieldOn(node: string): HeldField {
  return {
    action: cordonNode,
    ref: { kind: 'Node', resource: 'nodes', name: node },
    path: ['spec', 'unschedulable'],
    value: () => true,
  };
}

function isolationNotes(isolation: IsolationParts | undefined): readonly string[] {
  if (!isolation)
    return ['No provider’s hook is configured (actions.nodeIsolation): nothing cuts the node off from its network.'];
  return [
    `${capital(isolation.isolator.title)} is asked to cut the node off: every pod on it loses its connections, unrelated ones included.`,
    'It should leave the way to the control plane open: otherwise, Kubernetes ends the pods after some minutes, and no evidence can be fetched.',
  ];
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** Secrets of all pods on the node: mounted, in the environment, or used to pull images. Undefined while the cluster is not known. */
function secretsOn(view: ClusterView, node: string): readonly string[] | undefined {
  if (!view.ready()) return undefined;
  const found = new Set<string>();
  for (const pod of view.pods()) if (pod.node === node) for (const secret of pod.secrets) found.add(`${pod.namespace}/${secret}`);
  return [...found].sort();
}

function secretsText(secrets: readonly string[] | undefined): string {
  if (!secrets) return 'Which Secrets its pods have is not known.';
  if (secrets.length === 0) return 'Its pods have no Secrets.';
  const rest = secrets.length - named;
  const more = rest > 0 ? ` and ${rest} more` : '';
  return `Whoever is root there can read these Secrets of its pods: ${secrets.slice(0, named).join(', ')}${more}.`;
}
