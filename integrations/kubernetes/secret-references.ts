import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import type { Json } from './projection.ts';

/** One place in a pod's spec that names a Secret, as a JSON pointer from the spec. */
export interface SecretReference {
  readonly pointer: string;
  readonly secret: string;
}

/** Every place that puts a Secret into containers: env, envFrom, volumes, projected volumes; init containers too. */
export function secretReferences(spec: Json<V1PodSpec>): readonly SecretReference[] {
  const found: SecretReference[] = [];
  const add = (pointer: string, secret: string | undefined): void => {
    if (secret) found.push({ pointer, secret });
  };
  const containers = (kind: 'containers' | 'initContainers', list: readonly Json<V1Container>[]): void => {
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

export interface JsonPatchOperation {
  readonly op: 'test' | 'replace' | 'add';
  readonly path: string;
  readonly value: unknown;
}

/** A patch of a Deployment that puts new names in the place of old ones, and only while exactly the old ones stand there. */
export function renameSecrets(options: {
  readonly uid: string;
  readonly spec: Json<V1PodSpec>;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly newNames: ReadonlyMap<string, string>;
  /** Written onto the pod template: what the roll is for. */
  readonly mark: { readonly annotation: string; readonly value: string };
}): readonly JsonPatchOperation[] {
  const { uid, spec, annotations, newNames, mark } = options;
  const renames = secretReferences(spec).flatMap(({ pointer, secret }): JsonPatchOperation[] => {
    const value = newNames.get(secret);
    const path = `/spec/template/spec${pointer}`;
    return value === undefined
      ? []
      : [
          { op: 'test', path, value: secret },
          { op: 'replace', path, value },
        ];
  });
  if (renames.length === 0) return [];
  const at = '/spec/template/metadata/annotations';
  return [
    { op: 'test', path: '/metadata/uid', value: uid },
    ...renames,
    ...(annotations ? [] : [{ op: 'add' as const, path: at, value: {} }]),
    { op: 'add', path: `${at}/${mark.annotation.replaceAll('~', '~0').replaceAll('/', '~1')}`, value: mark.value },
  ];
}
