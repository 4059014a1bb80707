import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import type { Jsonify } from '../watch/projection.ts';

/** One place in a pod's spec that names a Secret, as a JSON pointer from the spec. */
interface SecretReference {
  readonly pointer: string;
  readonly secret: string;
}

/** Every place that puts a Secret into containers: env, envFrom, volumes, projected volumes; including init containers. */
export function secretReferences(spec: Jsonify<V1PodSpec>): readonly SecretReference[] {
  const found: SecretReference[] = [];
  const add = (pointer: string, secret: string | undefined): void => {
    if (secret) found.push({ pointer, secret });
  };
  const containers = (kind: 'containers' | 'initContainers', list: readonly Jsonify<V1Container>[]): void => {
    for (const [index, container] of list.entries()) {
      for (const [at, entry] of (container.env ?? []).entries())
        add(`/${kind}/${index}/env/${at}/valueFrom/secretKeyRef/name`, entry.valueFrom?.secretKeyRef?.name);
      for (const [at, entry] of (container.envFrom ?? []).entries())
        add(`/${kind}/${index}/envFrom/${at}/secretRef/name`, entry.secretRef?.name);
    }
  };
  containers('initContainers', spec.initContainers ?? []);
  containers('containers', spec.containers ?? []);
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    add(`/volumes/${index}/secret/secretName`, volume.secret?.secretName);
    for (const [at, source] of (volume.projected?.sources ?? []).entries())
      add(`/volumes/${index}/projected/sources/${at}/secret/name`, source.secret?.name);
  }
  return found;
}

interface JsonPatchOperation {
  readonly op: 'test' | 'replace' | 'add';
  readonly path: string;
  readonly value: unknown;
}

/** A patch of a workload that replaces old Secret names by new ones, and applies only while exactly the old ones are there. */
export function renameSecrets(options: {
  readonly uid: string;
  /** The pod template's place, as a JSON pointer: `/spec/template`. */
  readonly template: string;
  readonly spec: Jsonify<V1PodSpec>;
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } | undefined;
  readonly newNames: ReadonlyMap<string, string>;
  /** Names whose value has changed: workloads that refer to them roll, too. */
  readonly renewed?: ReadonlySet<string>;
  /** Written onto the pod template: the purpose of the roll. */
  readonly mark: { readonly annotation: string; readonly value: string };
}): readonly JsonPatchOperation[] {
  const { uid, template, spec, metadata, newNames, renewed, mark } = options;
  const references = secretReferences(spec);
  const renames = references.flatMap(({ pointer, secret }): JsonPatchOperation[] => {
    const value = newNames.get(secret);
    const path = `${template}/spec${pointer}`;
    return value === undefined
      ? []
      : [
          { op: 'test', path, value: secret },
          { op: 'replace', path, value },
        ];
  });
  const isMarked = metadata?.annotations?.[mark.annotation] === mark.value;
  const rolls = !isMarked && references.some(({ secret }) => renewed?.has(secret));
  if (renames.length === 0 && !rolls) return [];
  const at = `${template}/metadata/annotations`;
  return [
    { op: 'test', path: '/metadata/uid', value: uid },
    ...renames,
    ...(metadata ? [] : [{ op: 'add' as const, path: `${template}/metadata`, value: {} }]),
    ...(metadata?.annotations ? [] : [{ op: 'add' as const, path: at, value: {} }]),
    { op: 'add', path: `${at}/${mark.annotation.replaceAll('~', '~0').replaceAll('/', '~1')}`, value: mark.value },
  ];
}
