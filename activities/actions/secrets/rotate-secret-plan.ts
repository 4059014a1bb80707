import type { Change } from '../../../core/action/plan.ts';
import type { RotateSecretInput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import { targetOf } from '../../../integrations/kubernetes/objects.ts';
import { certificateIn } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import type { RotationWork, SecretRotation } from './rotation.ts';

/** Describes what a rotation would do: it contains no value. */
export function rotationPlan({ suspect, revokeFirst = false }: RotateSecretInput, work: RotationWork) {
  const { namespace, name, uid } = suspect;
  const { rotations, refused, warnings } = work;
  const target = `pod/${namespace}/${name}`;
  return {
    target: { name: target, uid },
    changes: rotations.flatMap((rotation) => [...valueChanges(rotation, namespace), ...userChanges(rotation)]),
    blastRadius: [
      ...new Set(
        rotations.flatMap((rotation) => [
          `secret/${namespace}/${rotation.name}`,
          ...valueChanges(rotation, namespace).map((change) => change.target),
          ...rotation.consumers.map(({ ref }) => targetOf(ref)),
        ]),
      ),
    ].sort(),
    ...(refused.length > 0 && { except: refused.map(({ secret }) => `secret/${namespace}/${secret}`).sort() }),
    notes: [
      ...refused.map(({ secret, reason }) => `Secret ${secret} is not rotated: ${reason}.`),
      ...rotations.flatMap((rotation) => providerNotes(rotation, revokeFirst)),
      ...rotations.flatMap(({ name: secret, left, rule }) =>
        left.map((one) => `${one} also uses ${secret}, and keeps the old value${rule ? ', which is then refused' : ''}.`),
      ),
      ...warnings,
      ...(rotations.some(({ rule, writer }) => !rule && !writer)
        ? [
            'Whatever checks these values (a database, a peer) must be given the new ones; the old Secrets stay until somebody removes them.',
          ]
        : []),
      rotations.length > 0 ? 'The suspect pod keeps what it has, and never gets the new values.' : 'Nothing is rotated.',
    ],
  };
}

function valueChanges({ name, successor, keys, rule, writer }: SecretRotation, namespace: string): readonly Change[] {
  const value = rule ? `a new value from ${rule.provider.title}` : 'a fresh random value';
  const made = `secret/${namespace}/${successor}`;
  if (!writer) return [{ target: made, what: `is created with ${value} for ${keys.join(', ')}, in place of ${name}` }];
  if (writer.kind === 'Certificate')
    return [{ target: targetOf(writer.ref), what: `is issued again, with a new key, into the Secret ${name}` }];
  return [
    { target: made, what: `holds the old value and ${value}, as long as this step runs` },
    { target: targetOf(writer.ref), what: `reads the new value, into the Secret ${name}` },
  ];
}

function userChanges({ name, newName, consumers, writer }: SecretRotation): readonly Change[] {
  return consumers.map(({ ref, rolls }) => ({
    target: targetOf(ref),
    what: writer
      ? `rolls, so that its containers start with the new value of ${name}`
      : `refers to ${newName} instead of ${name}, ${rolls ? 'and rolls' : 'from its next run on'}`,
  }));
}

function providerNotes({ name, secret, rule, writer }: SecretRotation, revokeFirst: boolean): readonly string[] {
  if (writer?.kind === 'Certificate') {
    const ends = certificateIn(secret)?.ends ?? 'it expires';
    return [`The old certificate in ${name} is valid until ${ends}, unless its issuer revokes it: a new one does not end it.`];
  }
  if (!rule)
    return revokeFirst
      ? [`No provider is configured that could end the old value of ${name}: there is nothing to revoke first.`]
      : [];
  const { title, overlaps, endsFirst } = rule.provider;
  if (revokeFirst && !endsFirst) return [`${title}: the old value of ${name} cannot be ended before there is a new one.`];
  if (revokeFirst) return [`${title}: the old value of ${name} is ended first. Its users are refused until they have rolled.`];
  return overlaps
    ? [`${title}: the old value of ${name} works until all have rolled; then it is ended, along with what is open under it.`]
    : [
        `${title}: the new value of ${name} ends the old one at once, along with what is open under it. Its users are refused until they have rolled.`,
      ];
}
