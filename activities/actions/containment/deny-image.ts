import type { ActionImplementation } from '../../../core/action/action.ts';
import type { DenyImageInput, DenyImageOutput } from '../../../core/actions/containment/deny-image.schema.ts';
import { parseReference, spellingsOf } from '../../../core/cluster/image-reference.ts';
import { madeNameOf } from '../../../core/cluster/object-note.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { anyNameInCel, isPattern, matchesAnyName } from '../../../core/text/name-pattern.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { type ObjectRef, targetOf } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { topOwnerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { isMadeBy, type MadeObject, makeObject, removeMade, requireMade } from '../made-object.ts';

const action = 'denyImage';
const group = 'admissionregistration.k8s.io';
type Implementation = ActionImplementation<DenyImageInput, DenyImageOutput>;

/** Prevents pods of some images from being created; see the declaration in `core/actions/containment/deny-image.ts`. */
export function denyImageImplementation(options: {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  /** Namespaces that are never touched: Firebreak's own and the protected ones. `*` stands for any characters. */
  readonly exempt: readonly string[];
}): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { view, exempt } = options;

  /** Workloads whose pods run one of the images: these pods cannot be recreated. */
  const users = ({ images, namespace }: DenyImageInput): readonly string[] => {
    const { texts, digests } = deniedOf(images);
    const isDenied = (image: string): boolean => texts.includes(image) || digests.some((digest) => image.endsWith(`@${digest}`));
    const found = new Set<string>();
    for (const pod of view.pods())
      if ((namespace === undefined || pod.namespace === namespace) && !matchesAnyName(exempt, pod.namespace))
        if (pod.containers.some(({ image }) => isDenied(image))) found.add(ownerText(pod, view));
    return [...found].sort();
  };

  return {
    async plan(input, { incident }) {
      const [policy, binding] = madeFrom(input, incident, exempt);
      const where =
        input.namespace === undefined ? `every namespace except ${exempt.join(', ')}` : `namespace ${input.namespace}`;
      const hit = users(input);
      return {
        ...(input.namespace !== undefined && { reach: 'namespace' as const }),
        target: { name: targetOf(policy.ref) },
        changes: [
          { target: targetOf(policy.ref), what: `refuses new pods of ${input.images.join(', ')}` },
          { target: targetOf(binding.ref), what: `enforces that in ${where}` },
        ],
        blastRadius: [
          ...(input.namespace !== undefined ? [`namespace/${input.namespace}`] : []),
          targetOf(policy.ref),
          targetOf(binding.ref),
          ...hit,
        ].sort(),
        notes: [
          'It ends nothing: what already runs these images keeps running.',
          'It blocks the failover of healthy replicas: a pod that ends, is evicted or is rolled does not come back.',
          ...hit.map((workload) => `${workload} runs one of them: it can neither replace a pod nor scale up.`),
          'The same image under another reference is not refused: admission sees references as they are written.',
        ],
      };
    },

    async apply(input, context) {
      const [policy, binding] = madeFrom(input, context.incident, exempt);
      for (const made of [policy, binding]) await makeObject({ ...options, made, context });
      return { images: input.images, policy: policy.ref.name };
    },

    started: (input, { incident, key, signal }) =>
      isMadeBy({ ...options, made: madeFrom(input, incident, exempt)[0], key, signal }),

    async verify({ images, policy }, { incident, signal }) {
      for (const ref of [policyRef(policy), bindingRef(policy)])
        await requireMade({ ...options, made: { action, ref }, incident, signal });
      const half = images.filter((image) => {
        const { tag, digest } = parseReference(image);
        return tag === undefined || digest === undefined;
      });
      if (half.length > 0)
        return {
          state: 'partial',
          detail: 'applied to references as they are written; the same image by another tag, or by its digest, is not refused',
          missing: half.map(
            (image) => `${image}: known only by its ${parseReference(image).tag === undefined ? 'digest' : 'tag'}`,
          ),
        };
      return { state: 'applied', detail: 'policy and binding are read back; the API server enforces them within seconds' };
    },

    async undo({ input, key, allow }, context) {
      const [policy, binding] = madeFrom(input, context.incident, exempt);
      return removeMade({ ...options, made: [binding, policy], key, context, allow });
    },
  };
}

function policyRef(name: string): ObjectRef {
  return { kind: 'ValidatingAdmissionPolicy', group, resource: 'validatingadmissionpolicies', name };
}

function bindingRef(name: string): ObjectRef {
  return { kind: 'ValidatingAdmissionPolicyBinding', group, resource: 'validatingadmissionpolicybindings', name };
}

/** The policy, which does nothing by itself, and the binding that puts it in force. */
function madeFrom(input: DenyImageInput, incident: string, exempt: readonly string[]): readonly [MadeObject, MadeObject] {
  const name = `firebreak-deny-image-${madeNameOf({ incident, action, inputDigest: digestOf(input) })}`;
  const everything = { matchPolicy: 'Equivalent', objectSelector: {} };
  const { namespace } = input;
  // A selector knows no patterns, so these are in the policy itself.
  const patterns = namespace === undefined ? exempt.filter(isPattern) : [];
  const names = exempt.filter((one) => !isPattern(one));
  const where = namespace === undefined ? { operator: 'NotIn', values: names } : { operator: 'In', values: [namespace] };
  const namespaceSelector = { matchExpressions: [{ key: 'kubernetes.io/metadata.name', ...where }] };
  const policy = {
    failurePolicy: 'Fail',
    matchConstraints: {
      ...everything,
      namespaceSelector: {},
      resourceRules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['pods', 'pods/ephemeralcontainers'],
          scope: '*',
        },
      ],
    },
    ...(patterns.length > 0 && {
      matchConditions: [{ name: 'not-protected', expression: `!(${anyNameInCel('request.namespace', patterns)})` }],
    }),
    variables: [
      { name: 'images', expression: imagesOf('object') },
      // A pod that already has the image may be changed: a quarantine relabels it.
      { name: 'had', expression: `oldObject == null ? [] : ${imagesOf('oldObject')}` },
    ],
    validations: [{ expression: expressionOf(input.images), message: 'Firebreak denies new pods of this image' }],
  };
  const binding = {
    policyName: name,
    validationActions: ['Deny'],
    matchResources: { ...everything, namespaceSelector },
  };
  return [
    { action, ref: policyRef(name), content: { spec: policy } },
    { action, ref: bindingRef(name), content: { spec: binding } },
  ];
}

function imagesOf(object: string): string {
  const lists = ['containers', 'initContainers', 'ephemeralContainers'];
  return `(${lists.map((list) => `${object}.spec.?${list}.orValue([]).map(c, c.?image.orValue(''))`).join(' + ')})`;
}

function expressionOf(images: readonly string[]): string {
  const { texts, digests } = deniedOf(images);
  const isDenied = [
    ...(texts.length > 0 ? [`i in ${JSON.stringify(texts)}`] : []),
    ...digests.map((digest) => `i.endsWith(${JSON.stringify(`@${digest}`)})`),
  ].join(' || ');
  return `variables.images.all(i, i in variables.had || !(${isDenied}))`;
}

function deniedOf(images: readonly string[]): { readonly texts: readonly string[]; readonly digests: readonly string[] } {
  const references = images.map(parseReference);
  return {
    texts: [...new Set(references.flatMap(spellingsOf))].sort(),
    digests: [...new Set(references.flatMap(({ digest }) => (digest === undefined ? [] : [digest])))].sort(),
  };
}

function ownerText(pod: PodRecord, view: ClusterView): string {
  const { workload } = topOwnerOf({ pod, view });
  return `${(workload?.kind ?? 'Pod').toLowerCase()}/${pod.namespace}/${workload?.name ?? pod.name}`;
}
