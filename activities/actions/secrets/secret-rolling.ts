import { setTimeout as sleep } from 'node:timers/promises';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import { readKnownObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { type RollingObject, rolloutOf } from '../../../integrations/kubernetes/workloads/rollout.ts';
import { renameSecrets, secretReferences } from '../../../integrations/kubernetes/workloads/secret-references.ts';
import { workloadRef } from '../../../integrations/kubernetes/workloads/workloads.ts';
import { type RollingParts, waitForRollout } from '../workloads/rolled-out.ts';
import { type Consumer, consumerOf, templateKinds } from './secret-consumers.ts';

/** What workloads should end up with: other names, or containers that started after the value under the same name had changed. */
interface SecretChange {
  readonly newNames: ReadonlyMap<string, string>;
  readonly renewed: ReadonlySet<string>;
}

const attempts = 4;

/** One conditional patch for all the Secrets of a workload; reads it again if somebody else was quicker. */
export async function changeSecrets(options: {
  readonly api: KubernetesApi;
  readonly consumer: Consumer;
  readonly change: SecretChange;
  readonly key: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { api, change, key, signal } = options;
  const { ref } = options.consumer;
  let consumer: Consumer | undefined = options.consumer;
  for (let attempt = 1; consumer; attempt += 1) {
    const { object, template, at, rolls } = consumer;
    if (!template.spec) return;
    const patch = renameSecrets({
      uid: object.metadata.uid,
      template: at,
      spec: template.spec,
      metadata: template.metadata,
      newNames: change.newNames,
      ...(rolls && { renewed: change.renewed }),
      mark: { annotation: names.rotatedByAnnotation, value: stepHash(key) },
    });
    if (patch.length === 0) return;
    try {
      await api.json({
        method: 'PATCH',
        patch: 'json',
        path: pathOf(ref),
        query: { fieldManager: names.fieldManager },
        body: patch,
        what: `patch ${ref.resource} in ${ref.namespace}`,
        signal,
      });
      return;
    } catch (error) {
      const changed = error instanceof KubernetesError && (error.status === 409 || error.status === 422);
      if (!changed || attempt === attempts) throw error;
      await sleep(100, undefined, { signal });
      consumer = consumerOf(ref, await readKnownObject({ api, ref, signal }));
    }
  }
}

/** Waits until all have rolled out with what they refer to now. @throws as `waitForRollout`. */
export async function waitForConsumers(parts: RollingParts, consumers: readonly Consumer[], signal: AbortSignal): Promise<void> {
  const rolling = consumers.filter(({ rolls }) => rolls);
  await Promise.all(rolling.map(({ ref, object }) => waitForRollout(parts, { ref, uid: object.metadata.uid, signal })));
}

/** @throws FB_ERR_DRIFTED if it refers to the old name again, FB_ERR_UNAVAILABLE while it has not rolled out. */
export async function mustHaveRolled(options: {
  readonly api: KubernetesApi;
  /** `deployment/shop/cart` */
  readonly consumer: string;
  /** A name that it must no longer refer to. */
  readonly secret?: string;
  /** The key of the step that had to roll it. */
  readonly renewed?: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { api, secret, renewed, signal } = options;
  const [lower = '', namespace = '', name = ''] = options.consumer.split('/');
  const kind = templateKinds.find((one) => one.toLowerCase() === lower) ?? lower;
  const ref = workloadRef({ kind, namespace, name });
  const object: RollingObject = await readKnownObject({ api, ref, signal });
  const consumer = consumerOf(ref, object);
  const spec = consumer?.template.spec;
  if (spec && secretReferences(spec).some((reference) => reference.secret === secret))
    throw new FirebreakError('FB_ERR_DRIFTED', `${targetOf(ref)} refers to the old Secret ${secret} again`);
  const mark = consumer?.template.metadata?.annotations?.[names.rotatedByAnnotation];
  if (renewed !== undefined && mark !== stepHash(renewed))
    throw new FirebreakError('FB_ERR_DRIFTED', `${targetOf(ref)} no longer has the mark of this roll`);
  const rollout = consumer?.rolls ? rolloutOf(kind, object) : { state: 'done' as const };
  if (rollout.state !== 'done') throw new FirebreakError('FB_ERR_UNAVAILABLE', `${targetOf(ref)}: ${rollout.detail}`);
}
