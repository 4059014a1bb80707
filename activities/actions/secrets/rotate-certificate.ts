import { setTimeout as sleep } from 'node:timers/promises';
import type { StepContext } from '../../../core/action/action.ts';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import {
  annotateObject,
  despiteConflicts,
  type ObjectRef,
  readKnownObject,
  targetOf,
} from '../../../integrations/kubernetes/objects.ts';
import { type CertificateJson, certificateIn, conditionOf } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import { readSecret } from '../../../integrations/kubernetes/workloads/secrets.ts';
import type { SecretRotation } from './rotation.ts';
import type { Rotator } from './rotator.ts';

/** The Certificate's before-state: stored on it, so that the step finds it again. It contains no secret. */
interface Replaced {
  readonly publicKey: string;
  readonly ends: string;
  readonly revision: number;
}

/** For a Secret of cert-manager: its Certificate is reissued with a new key, the way `cmctl renew` requests it. */
export function rotateCertificate(options: {
  readonly api: KubernetesApi;
  readonly pollMs?: number;
  /** How long one check of the issuer waits: 120 s. */
  readonly issueMs?: number;
}): Rotator {
  const { api, pollMs = 500, issueMs = 120_000 } = options;

  const read = async (ref: ObjectRef, signal: AbortSignal): Promise<CertificateJson> => readKnownObject({ api, ref, signal });

  const inSecret = async ({ name, secret }: SecretRotation, signal: AbortSignal) => {
    const found = await readSecret({ api, namespace: secret.metadata?.namespace ?? '', name, signal });
    return found && certificateIn(found);
  };

  /** Records what is replaced, once per step. */
  const noted = (ref: ObjectRef, rotation: SecretRotation, { key, signal }: StepContext): Promise<Replaced> =>
    despiteConflicts(async () => {
      const seen = await read(ref, signal);
      const known = replacedBy(seen, key);
      if (known) return known;
      const now = await inSecret(rotation, signal);
      if (!now) throw new FirebreakError('FB_ERR_REFUSED', `${targetOf(ref)} has issued no certificate yet`);
      const replaced: Replaced = { ...now, revision: seen.status?.revision ?? 0 };
      const annotations = {
        [names.rotatedByAnnotation]: stepHash(key),
        [names.replacedAnnotation]: JSON.stringify(replaced),
      };
      await annotateObject({ api, ref, seen, annotations, signal });
      return replaced;
    });

  const askForIssue = (ref: ObjectRef, replaced: Replaced, signal: AbortSignal): Promise<void> =>
    despiteConflicts(async () => {
      const { metadata, status = {} } = await read(ref, signal);
      const isAsked = status.conditions?.some(({ type, status: is }) => type === 'Issuing' && is === 'True');
      if (isAsked || (status.revision ?? 0) > replaced.revision) return;
      const issuing = {
        type: 'Issuing',
        status: 'True',
        reason: 'ManuallyTriggered',
        message: 'Certificate re-issuance manually triggered',
        lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
        observedGeneration: metadata.generation ?? 0,
      };
      const others = status.conditions?.filter(({ type }) => type !== 'Issuing') ?? [];
      const { uid, resourceVersion } = metadata;
      await api.json({
        method: 'PATCH',
        patch: 'merge',
        path: pathOf({ ...ref, subresource: 'status' }),
        query: { fieldManager: names.fieldManager },
        body: { metadata: { uid, resourceVersion }, status: { conditions: [...others, issuing] } },
        what: `patch certificates/status in ${ref.namespace}`,
        signal,
      });
    });

  const issued = async (ref: ObjectRef, rotation: SecretRotation, replaced: Replaced, signal: AbortSignal): Promise<void> => {
    const end = Date.now() + issueMs;
    for (;;) {
      const certificate = await read(ref, signal);
      const issuing = conditionOf(certificate, 'Issuing');
      const now = await inSecret(rotation, signal);
      const isNew = (certificate.status?.revision ?? 0) > replaced.revision && issuing?.status !== 'True';
      if (isNew && now) {
        if (now.publicKey !== replaced.publicKey) return;
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          `${targetOf(ref)} was issued again with the same key: set privateKey.rotationPolicy to Always`,
        );
      }
      if (issuing?.status === 'False')
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${targetOf(ref)} was not issued: ${issuing.reason ?? 'no reason given'}`);
      if (Date.now() > end) throw new FirebreakError('FB_ERR_UNAVAILABLE', `${targetOf(ref)} was not issued in time`);
      await sleep(pollMs, undefined, { signal });
    }
  };

  return {
    started: async ({ writer }, { key, signal }) =>
      writer !== undefined && replacedBy(await read(writer.ref, signal), key) !== undefined,

    async begin(rotation, _, context) {
      const { writer } = rotation;
      if (!writer) return;
      const replaced = await noted(writer.ref, rotation, context);
      await askForIssue(writer.ref, replaced, context.signal);
      await issued(writer.ref, rotation, replaced, context.signal);
    },

    async finish({ writer }, { key, signal }) {
      const replaced = writer && replacedBy(await read(writer.ref, signal), key);
      return replaced ? { validUntil: replaced.ends } : {};
    },

    async open({ validUntil }) {
      return `the old certificate is valid until ${validUntil ?? 'it expires'}, unless its issuer revokes it`;
    },
  };
}

function replacedBy({ metadata }: CertificateJson, key: string): Replaced | undefined {
  const { [names.rotatedByAnnotation]: by, [names.replacedAnnotation]: text = '' } = metadata.annotations ?? {};
  if (by !== stepHash(key)) return undefined;
  try {
    const { publicKey, ends, revision }: Partial<Replaced> = JSON.parse(text);
    return publicKey !== undefined && ends !== undefined ? { publicKey, ends, revision: revision ?? 0 } : undefined;
  } catch {
    return undefined;
  }
}
