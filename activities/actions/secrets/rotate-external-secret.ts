import { setTimeout as sleep } from 'node:timers/promises';
import type { StepContext } from '../../../core/action/action.ts';
import { type Credential, type RotationRule, ruleFor } from '../../../core/action/rotation.ts';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import {
  annotateObject,
  deleteObject,
  despiteConflicts,
  type ObjectRef,
  readKnownObject,
  readObject,
  targetOf,
} from '../../../integrations/kubernetes/objects.ts';
import { conditionOf, type ExternalSecretJson } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import { readSecret } from '../../../integrations/kubernetes/workloads/secrets.ts';
import { activated, atProvider, credentialOf, encoded, revokedOnceAccepted } from './provider-calls.ts';
import type { SecretRotation } from './rotation.ts';
import type { Rotator } from './rotator.ts';
import { makeSuccessor, readSuccessor, successorPlace } from './secret-successor.ts';

/** Prefix for the keys of the old credential, stored next to the new one for as long as the step runs. */
const oldPrefix = 'old.';

/** For a Secret of External Secrets: rotated at the provider, written where the ExternalSecret reads it, then refreshed by it. */
export function rotateExternalSecret(options: {
  readonly api: KubernetesApi;
  readonly rules: readonly RotationRule[];
  readonly pollMs?: number;
  /** How long one check of the refresh waits: 60 s. */
  readonly refreshMs?: number;
}): Rotator {
  const { api, rules, pollMs = 500, refreshMs = 60_000 } = options;
  const placeOf = (rotation: SecretRotation, context: StepContext) => successorPlace({ api, rotation, context });
  const readWriter = async (ref: ObjectRef, signal: AbortSignal): Promise<ExternalSecretJson> =>
    readKnownObject({ api, ref, signal });
  const isAsked = ({ metadata }: ExternalSecretJson, key: string): boolean =>
    metadata.annotations?.[names.rotatedByAnnotation] === stepHash(key);

  /** The version read before is recorded on it: a refresh is any other version, whenever it is checked. */
  const askForRefresh = (ref: ObjectRef, { key, signal }: StepContext): Promise<void> =>
    despiteConflicts(async () => {
      const seen = await readWriter(ref, signal);
      if (isAsked(seen, key)) return;
      const annotations = {
        'force-sync': stepHash(key),
        [names.rotatedByAnnotation]: stepHash(key),
        [names.replacedAnnotation]: seen.status?.syncedResourceVersion ?? '',
      };
      await annotateObject({ api, ref, seen, annotations, signal });
    });

  const refreshed = async (ref: ObjectRef, rotation: SecretRotation, next: Credential, signal: AbortSignal): Promise<void> => {
    const { name, secret, rule } = rotation;
    const end = Date.now() + refreshMs;
    for (;;) {
      const { metadata, ...rest } = await readWriter(ref, signal);
      const synced = rest.status?.syncedResourceVersion;
      const ready = conditionOf({ metadata, ...rest }, 'Ready');
      const isRefreshed =
        synced !== undefined && synced !== metadata.annotations?.[names.replacedAnnotation] && ready?.status === 'True';
      const found = isRefreshed && (await readSecret({ api, namespace: secret.metadata?.namespace ?? '', name, signal }));
      const has = found ? credentialOf(found).values : {};
      if (found && rule?.stored?.every((key) => has[key] === next.values[key])) return;
      if (Date.now() > end) {
        const why =
          ready?.status === 'False'
            ? (ready.reason ?? 'it is not ready')
            : isRefreshed
              ? 'it reads another value'
              : 'nothing answered';
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${targetOf(ref)} has not read the new value: ${why}`);
      }
      await sleep(pollMs, undefined, { signal });
    }
  };

  return {
    started: async (rotation, context) =>
      (await readSuccessor(placeOf(rotation, context))) !== undefined ||
      (rotation.writer !== undefined && isAsked(await readWriter(rotation.writer.ref, context.signal), context.key)),

    async begin(rotation, { revokeFirst = false }, context) {
      const { writer, rule, secret, keys } = rotation;
      if (!writer || !rule) return;
      const { signal } = context;
      const place = placeOf(rotation, context);
      const read = async () => {
        const kept = await readSuccessor(place);
        return kept && partsOf(credentialOf(kept));
      };
      const keep = {
        read: async () => (await read())?.next,
        make: async ({ values, lease }: Credential) => {
          const old = Object.entries(secret.data ?? {}).map(([key, value]) => [`${oldPrefix}${key}`, value]);
          const next = Object.entries(values).filter(([key]) => keys.includes(key));
          const data = Object.fromEntries([...old, ...next.map(([key, value]) => [key, encoded(value)])]);
          const made = await makeSuccessor({ ...place, old: {}, data, ...(lease !== undefined && { lease }) });
          return partsOf(credentialOf(made)).next;
        },
      };
      // Once the step is finished, nothing is kept any more: what it asked for is done.
      const kept = await read();
      if (!kept && isAsked(await readWriter(writer.ref, signal), context.key)) return;
      const old = kept?.old ?? credentialOf(secret);
      const next = await activated({ provider: rule.provider, old, revokeFirst, keep, context });
      await askForRefresh(writer.ref, context);
      await refreshed(writer.ref, rotation, next, signal);
    },

    async finish(rotation, context) {
      const { rule } = rotation;
      const place = placeOf(rotation, context);
      const kept = await readSuccessor(place);
      if (!rule || !kept) return {};
      const { provider } = rule;
      const { signal } = context;
      const both = partsOf(credentialOf(kept));
      await revokedOnceAccepted(provider, both, signal);
      if ((await atProvider(provider, () => provider.ended(both, signal))) === false)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${provider.title} still accepts the old value of ${rotation.name}`);
      const ref = { kind: 'Secret', resource: 'secrets', namespace: place.namespace, name: place.name };
      const seen = await readObject({ api, ref, signal });
      if (seen) await deleteObject({ api, ref, seen, signal });
      return {};
    },

    async open({ secret }, namespace, { signal }) {
      const rule = ruleFor(rules, namespace, secret);
      if (!rule) return 'it is no longer configured, so nothing can be tested';
      const found = await readSecret({ api, namespace, name: secret, signal });
      if (!found) throw new FirebreakError('FB_ERR_DRIFTED', `secret/${namespace}/${secret} is gone`);
      const accepts = await atProvider(rule.provider, () => rule.provider.accepts(credentialOf(found), signal));
      if (accepts === false)
        throw new FirebreakError('FB_ERR_DRIFTED', `${rule.provider.title} does not accept the new value of ${secret}`);
      return undefined;
    },
  };
}

function partsOf({ values, lease }: Credential): { readonly old: Credential; readonly next: Credential } {
  const pick = (isOld: boolean) =>
    Object.entries(values)
      .filter(([key]) => key.startsWith(oldPrefix) === isOld)
      .map(([key, value]) => [isOld ? key.slice(oldPrefix.length) : key, value]);
  return {
    old: { values: Object.fromEntries(pick(true)) },
    next: { values: Object.fromEntries(pick(false)), ...(lease !== undefined && { lease }) },
  };
}
