import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { RotationRule } from '../../../core/action/rotation.ts';
import type { RotateSecretInput, RotateSecretOutput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { targetOf } from '../../../integrations/kubernetes/objects.ts';
import { readPod } from '../../../integrations/kubernetes/pods/pods.ts';
import { secretUses } from '../../../integrations/kubernetes/watch/projection.ts';
import type { SecretWriter } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import type { RollingParts } from '../workloads/rolled-out.ts';
import { rotateBySuccessor } from './rotate-by-successor.ts';
import { rotateCertificate } from './rotate-certificate.ts';
import { rotateExternalSecret } from './rotate-external-secret.ts';
import { rotationPlan } from './rotate-secret-plan.ts';
import { type RotationWork, rotationWork } from './rotation.ts';
import type { Rotated } from './rotator.ts';
import { changeSecrets, mustHaveRolled, waitForConsumers } from './secret-rolling.ts';

/** Gives Secrets a new value, each in the way that fits it; see the declaration in `core/actions/secrets/rotate-secret.ts`. */
export function rotateSecretImplementation(
  parts: RollingParts & {
    /** Which Secret belongs to which provider. */
    readonly rules?: readonly RotationRule[];
    /** How long one check waits for the writer of a Secret to rewrite it; absent: the default of each. */
    readonly writeMs?: number;
  },
): ActionImplementation<RotateSecretInput, RotateSecretOutput> {
  const { api, rules = [], pollMs = 500, writeMs } = parts;
  const successors = rotateBySuccessor({ api, rules });
  const written = {
    ExternalSecret: rotateExternalSecret({ api, rules, pollMs, ...(writeMs !== undefined && { refreshMs: writeMs }) }),
    Certificate: rotateCertificate({ api, pollMs, ...(writeMs !== undefined && { issueMs: writeMs }) }),
  };
  const wayOf = (writer: SecretWriter['kind'] | undefined) => (writer ? written[writer] : successors);

  const roll = async ({ rotations }: RotationWork, { key, signal }: StepContext): Promise<void> => {
    const renamed = rotations.filter(({ writer }) => !writer);
    const change = {
      newNames: new Map(renamed.map(({ name, newName }) => [name, newName])),
      renewed: new Set(rotations.flatMap(({ name, writer }) => (writer ? [name] : []))),
    };
    const all = new Map(rotations.flatMap(({ consumers }) => consumers.map((one) => [targetOf(one.ref), one])));
    const consumers = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, consumer]) => consumer);
    for (const consumer of consumers) await changeSecrets({ api, consumer, change, key, signal });
    await waitForConsumers(parts, consumers, signal);
  };

  return {
    async plan(input, context) {
      return rotationPlan(input, await rotationWork({ api, rules, input, context }));
    },

    async started(input, context) {
      const { rotations } = await rotationWork({ api, rules, input, context });
      const begun = await Promise.all(rotations.map((one) => wayOf(one.writer?.kind).started(one, context)));
      return begun.includes(true);
    },

    async apply(input, context) {
      const { suspect } = input;
      const work = await rotationWork({ api, rules, input, context });
      for (const rotation of work.rotations) await wayOf(rotation.writer?.kind).begin(rotation, input, context);
      await roll(work, context);
      const rotated: Rotated[] = [];
      for (const rotation of work.rotations) {
        const { name, newName, keys, consumers, rule, writer } = rotation;
        rotated.push({
          secret: name,
          newName,
          keys: [...keys],
          consumers: consumers.map(({ ref }) => targetOf(ref)),
          ...(rule && writer?.kind !== 'Certificate' && { provider: rule.provider.title }),
          ...(writer && { writer: writer.kind }),
          ...(await wayOf(writer?.kind).finish(rotation, context)),
        });
      }
      return { rotated, refused: work.refused.map((one) => ({ ...one })), suspect };
    },

    async verify({ rotated, refused, suspect }, context) {
      const { signal } = context;
      const { namespace } = suspect;
      const pod = await readPod({ api, namespace, name: suspect.name, signal });
      const uses = pod?.spec && pod.metadata?.uid === suspect.uid ? secretUses(pod.spec) : [];
      const missing = refused.map(({ secret, reason }) => `secret/${namespace}/${secret}: ${reason}`);
      for (const one of rotated) {
        const { secret, newName, consumers, writer } = one;
        if (uses.some((use) => use.name === newName))
          throw new FirebreakError('FB_ERR_DRIFTED', `the suspect pod refers to the new Secret ${newName}`);
        for (const consumer of consumers)
          await mustHaveRolled({ api, consumer, ...(writer ? { renewed: context.key } : { secret }), signal });
        const open = await wayOf(writer).open(one, namespace, context);
        if (open !== undefined) missing.push(`secret/${namespace}/${secret}: ${open}`);
      }
      const count = rotated.length === 1 ? '1 Secret has' : `${rotated.length} Secrets have`;
      const ended = rotated.some(({ provider }) => provider !== undefined);
      const detail = `${count} a new value, everything that had to roll has rolled out with it${ended ? ', the new value is valid at its provider and the old one ended' : ''}, and the suspect pod has none of them`;
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };
}
