import type { StepContext } from '../../../core/action/action.ts';
import type { RotationRule } from '../../../core/action/rotation.ts';
import type { RotateSecretInput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readObject } from '../../../integrations/kubernetes/objects.ts';
import { type PodJson, secretUses } from '../../../integrations/kubernetes/watch/projection.ts';
import { type SecretWriter, whyNotRewritten } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import { type SecretJson, whyNotRotate } from '../../../integrations/kubernetes/workloads/secrets.ts';
import { credentialOf } from './provider-calls.ts';
import type { WhySuspectReads } from './suspect-access.ts';
import { whyNotValid } from './why-not-valid.ts';

/** Why a Secret that keeps its name cannot be rotated now; undefined when it can. Everything that refers to it gets the new value. */
export async function whyNotInPlace(options: {
  readonly api: KubernetesApi;
  readonly input: RotateSecretInput;
  readonly suspect: PodJson | undefined;
  readonly whySuspectReads: WhySuspectReads;
  readonly secret: SecretJson | undefined;
  readonly successor: string;
  readonly writer: SecretWriter;
  readonly rule: RotationRule | undefined;
  readonly context: Pick<StepContext, 'key' | 'signal'>;
}): Promise<string | undefined> {
  const { api, input, suspect, whySuspectReads, secret, successor, writer, rule, context } = options;
  const { signal } = context;
  const name = secret?.metadata?.name ?? '';
  if (!secret) return 'it does not exist';
  if (writer.kind === 'ExternalSecret') {
    // Merely refreshed, it would get the old value again: the source that it is read from has to be changed first.
    if (!rule?.stored) return whyNotRotate(secret);
    const foreign = rule.provider.whyNot(credentialOf(secret));
    if (foreign !== undefined) return foreign;
  }
  if (suspect?.spec && secretUses(suspect.spec).some((use) => use.name === name))
    return `the suspect pod uses it, and ${writer.kind} ${writer.ref.name} would give it the new value under the same name: delete the pod first`;
  const reads = await whySuspectReads(name);
  const why = reads ?? whyNotRewritten(writer, await readObject({ api, ref: writer.ref, signal }), name);
  if (why !== undefined || writer.kind === 'Certificate' || !rule) return why;
  return whyNotValid({ api, secret, successor, rule, revokeFirst: input.revokeFirst === true, context });
}
