import type { StepContext } from '../../../core/action/action.ts';
import { names } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { createObject } from '../../../integrations/kubernetes/objects.ts';
import { readSecret, type SecretJson } from '../../../integrations/kubernetes/workloads/secrets.ts';
import type { SecretRotation } from './rotation.ts';

interface SuccessorName {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  /** The Secret that it replaces. */
  readonly of: string;
  readonly context: StepContext;
}

export function successorPlace({
  api,
  rotation,
  context,
}: Pick<SuccessorName, 'api' | 'context'> & { readonly rotation: SecretRotation }): SuccessorName {
  const { name, successor, secret } = rotation;
  return { api, namespace: secret.metadata?.namespace ?? '', name: successor, of: name, context };
}

/** The Secret that this very step has created; undefined if there is none yet. @throws FB_ERR_REFUSED for somebody else's. */
export async function readSuccessor({ api, namespace, name, of, context }: SuccessorName): Promise<SecretJson | undefined> {
  const found = await readSecret({ api, namespace, name, signal: context.signal });
  if (!found) return undefined;
  // The name cannot be guessed, but the annotations are checked all the same: nobody may plant a Secret whose values they know.
  const { [names.stepAnnotation]: step, [names.rotatedFromAnnotation]: from } = found.metadata?.annotations ?? {};
  if (step !== context.key || from !== of)
    throw new FirebreakError('FB_ERR_REFUSED', `a Secret ${name} already exists, created by somebody else`);
  return found;
}

/** Creates it, or finds that an earlier attempt of this step has created it. */
export async function makeSuccessor(
  options: SuccessorName & {
    readonly old: SecretJson;
    readonly data: Readonly<Record<string, string>>;
    readonly lease?: string;
  },
): Promise<SecretJson> {
  const { api, namespace, name, of, context, old, data, lease } = options;
  const { type = 'Opaque', immutable, metadata } = old;
  await createObject({
    api,
    ref: { kind: 'Secret', resource: 'secrets', namespace, name },
    metadata: {
      labels: { ...metadata?.labels, [names.managedByLabel]: 'firebreak' },
      annotations: {
        [names.rotatedFromAnnotation]: of,
        [names.incidentAnnotation]: context.incident,
        [names.stepAnnotation]: context.key,
        ...(lease !== undefined && { [names.leaseAnnotation]: lease }),
      },
    },
    content: { type, ...(immutable && { immutable }), data },
    signal: context.signal,
  });
  const made = await readSuccessor(options);
  if (made) return made;
  throw new FirebreakError('FB_ERR_CONFLICT', `secret/${namespace}/${name} was created, and is gone again`);
}
