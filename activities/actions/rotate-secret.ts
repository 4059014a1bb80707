import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionImplementation, StepContext } from '../../core/action.ts';
import type { RotateSecretInput, RotateSecretOutput } from '../../core/actions/rotate-secret.schema.ts';
import { sha256Hex } from '../../core/digest.ts';
import { FirebreakError } from '../../core/errors.ts';
import { names } from '../../core/labels.ts';
import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import { readPod } from '../../integrations/kubernetes/pods.ts';
import { renameSecrets, secretReferences } from '../../integrations/kubernetes/secret-references.ts';
import { readSecret, type SecretJson } from '../../integrations/kubernetes/secrets.ts';
import { type DeploymentJson, freshValues, type Rotation, type RotationWork, rotationWork } from './rotation.ts';

/** Gives plain Secrets a successor with new values; see the declaration in `core/actions/rotate-secret.ts`. */
export function rotateSecretImplementation(options: {
  readonly api: KubernetesApi;
  readonly pollMs?: number;
  /** How long the Deployments may take to roll before the step is tried again: 150 s. */
  readonly rollMs?: number;
}): ActionImplementation<RotateSecretInput, RotateSecretOutput> {
  const { api, pollMs = 500, rollMs = 150_000 } = options;

  const create = async (namespace: string, rotation: Rotation, context: StepContext): Promise<void> => {
    const { signal } = context;
    const there = await readSecret({ api, namespace, name: rotation.newName, signal });
    if (there) return requireOurs(there, rotation, context);
    const { metadata, data = {}, immutable } = rotation.secret;
    try {
      await api.json<SecretJson>({
        method: 'POST',
        path: pathOf({ resource: 'secrets', namespace }),
        query: { fieldManager: names.fieldManager },
        body: {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: {
            name: rotation.newName,
            namespace,
            labels: { ...metadata?.labels, [names.managedByLabel]: 'firebreak' },
            annotations: {
              [names.rotatedFromAnnotation]: rotation.name,
              [names.incidentAnnotation]: context.incident,
              [names.stepAnnotation]: context.key,
            },
          },
          type: 'Opaque',
          ...(immutable && { immutable }),
          data: freshValues(data),
        },
        what: `create secrets in ${namespace}`,
        signal,
      });
    } catch (error) {
      const there = error instanceof KubernetesError && error.status === 409;
      const made = there ? await readSecret({ api, namespace, name: rotation.newName, signal }) : undefined;
      if (!made) throw error;
      requireOurs(made, rotation, context);
    }
  };

  /** One conditional patch for all the Secrets of a Deployment; read again when somebody else was quicker. */
  const rename = async (namespace: string, seen: DeploymentJson, work: RotationWork, context: StepContext): Promise<void> => {
    const newNames = new Map(work.rotations.map(({ name, newName }) => [name, newName]));
    let deployment = seen;
    for (let attempt = 1; ; attempt += 1) {
      const { metadata, spec } = deployment;
      if (!spec?.template.spec) return;
      const patch = renameSecrets({
        uid: metadata?.uid ?? '',
        spec: spec.template.spec,
        annotations: spec.template.metadata?.annotations,
        newNames,
        mark: { annotation: names.rotatedByAnnotation, value: sha256Hex(context.key).slice(0, 32) },
      });
      if (patch.length === 0) return;
      const path = deploymentPath(namespace, metadata?.name ?? '');
      try {
        await api.json({
          method: 'PATCH',
          patch: 'json',
          path,
          query: { fieldManager: names.fieldManager },
          body: patch,
          what: `patch deployments in ${namespace}`,
          signal: context.signal,
        });
        return;
      } catch (error) {
        const changed = error instanceof KubernetesError && (error.status === 409 || error.status === 422);
        if (!changed || attempt > 3) throw error;
        deployment = await readDeployment(namespace, metadata?.name ?? '', context);
      }
    }
  };

  const readDeployment = (namespace: string, name: string, context: StepContext): Promise<DeploymentJson> =>
    api.json<DeploymentJson>({
      method: 'GET',
      path: deploymentPath(namespace, name),
      what: `get deployments in ${namespace}`,
      signal: context.signal,
    });

  const rolledOut = async (namespace: string, name: string, context: StepContext): Promise<void> => {
    const end = Date.now() + rollMs;
    for (;;) {
      const deployment = await readDeployment(namespace, name, context);
      if (isRolledOut(deployment)) return;
      const stuck = deployment.status?.conditions?.some(({ reason }) => reason === 'ProgressDeadlineExceeded');
      if (stuck || Date.now() > end)
        throw new FirebreakError(
          'FB_ERR_UNAVAILABLE',
          `deployment/${namespace}/${name} has the new Secret, but does not roll out`,
        );
      await sleep(pollMs, undefined, { signal: context.signal });
    }
  };

  return {
    async plan(input, context) {
      return planOf(input, await rotationWork({ api, input, context }));
    },

    async started(input, context) {
      const { rotations } = await rotationWork({ api, input, context });
      const { signal } = context;
      const made = await Promise.all(
        rotations.map(({ newName }) => readSecret({ api, namespace: input.suspect.namespace, name: newName, signal })),
      );
      return made.some((secret) => secret?.metadata?.annotations?.[names.stepAnnotation] === context.key);
    },

    async apply(input, context) {
      const { namespace } = input.suspect;
      const work = await rotationWork({ api, input, context });
      for (const rotation of work.rotations) await create(namespace, rotation, context);
      const rolled = [...new Set(work.rotations.flatMap(({ consumers }) => consumers))].sort();
      for (const name of rolled) {
        const deployment = work.deployments.find(({ metadata }) => metadata?.name === name);
        if (deployment) await rename(namespace, deployment, work, context);
      }
      await Promise.all(rolled.map((name) => rolledOut(namespace, name, context)));
      return {
        rotated: work.rotations.map(({ name, newName, keys, consumers }) => ({
          secret: name,
          newName,
          keys: [...keys],
          consumers: consumers.map((consumer) => `deployment/${namespace}/${consumer}`),
        })),
        refused: work.refused.map((one) => ({ ...one })),
        suspect: input.suspect,
      };
    },

    async verify({ rotated, refused, suspect }, context) {
      const pod = await readPod({ api, namespace: suspect.namespace, name: suspect.name, signal: context.signal });
      for (const { secret, newName, consumers } of rotated) {
        const uses = pod?.spec && pod.metadata?.uid === suspect.uid ? secretReferences(pod.spec) : [];
        if (uses.some((use) => use.secret === newName))
          throw new FirebreakError('FB_ERR_DRIFTED', `the suspect pod refers to the new Secret ${newName}`);
        for (const consumer of consumers) {
          const [, namespace = '', name = ''] = consumer.split('/');
          const deployment = await readDeployment(namespace, name, context);
          const refers = deployment.spec?.template.spec ? secretReferences(deployment.spec.template.spec) : [];
          if (refers.some((use) => use.secret === secret))
            throw new FirebreakError('FB_ERR_DRIFTED', `${consumer} refers to the old Secret ${secret} again`);
          if (!isRolledOut(deployment)) throw new FirebreakError('FB_ERR_UNAVAILABLE', `${consumer} has not rolled out`);
        }
      }
      const missing = refused.map(({ secret, reason }) => `secret/${suspect.namespace}/${secret}: ${reason}`);
      const detail = `${rotated.length === 1 ? '1 Secret has' : `${rotated.length} Secrets have`} a successor, every Deployment that uses them has rolled out with it, and the suspect pod has none of them`;
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };
}

function planOf({ suspect: { namespace, name, uid } }: RotateSecretInput, work: RotationWork) {
  const { rotations, refused, warnings } = work;
  const target = `pod/${namespace}/${name}`;
  return {
    target: { name: target, uid },
    changes: rotations.flatMap((rotation) => [
      {
        target: `secret/${namespace}/${rotation.newName}`,
        what: `is made with a fresh random value for ${rotation.keys.join(', ')}, in the place of ${rotation.name}`,
      },
      ...rotation.consumers.map((consumer) => ({
        target: `deployment/${namespace}/${consumer}`,
        what: `refers to ${rotation.newName} instead of ${rotation.name}, and rolls`,
      })),
    ]),
    blastRadius: [
      ...new Set(
        rotations.flatMap(({ name: secret, newName, consumers }) => [
          `secret/${namespace}/${secret}`,
          `secret/${namespace}/${newName}`,
          ...consumers.map((consumer) => `deployment/${namespace}/${consumer}`),
        ]),
      ),
    ].sort(),
    notes: [
      ...refused.map(({ secret, reason }) => `Secret ${secret} is not rotated: ${reason}.`),
      ...rotations.flatMap(({ name: secret, left }) => left.map((one) => `${one} also uses ${secret}, and keeps the old value.`)),
      ...warnings,
      ...(rotations.length > 0
        ? [
            'Whatever checks these values (a database, a peer) must be told the new ones; the old Secrets stay until somebody removes them.',
            'The suspect pod keeps what it has, and never gets the new values.',
          ]
        : ['Nothing is rotated.']),
    ],
  };
}

/** The name cannot be guessed, but the annotations are checked all the same: nobody plants a Secret whose values he knows. */
function requireOurs(secret: SecretJson, rotation: Rotation, context: StepContext): void {
  const annotations = secret.metadata?.annotations ?? {};
  if (annotations[names.stepAnnotation] !== context.key || annotations[names.rotatedFromAnnotation] !== rotation.name)
    throw new FirebreakError('FB_ERR_REFUSED', `a Secret ${rotation.newName} is there already, made by somebody else`);
}

function deploymentPath(namespace: string, name: string): string {
  return pathOf({ group: 'apps', resource: 'deployments', namespace, name });
}

/** https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment */
function isRolledOut({ metadata, spec, status }: DeploymentJson): boolean {
  const wanted = spec?.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) &&
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted
  );
}
