import type { RotateSecretInput } from '../../core/actions/rotate-secret.schema.ts';
import { targetOf } from '../../integrations/kubernetes/objects.ts';
import type { Rotation, RotationWork } from './rotation.ts';

/** What a rotation would do, in words: no value is in it. */
export function rotationPlan({ suspect, revokeFirst = false }: RotateSecretInput, work: RotationWork) {
  const { namespace, name, uid } = suspect;
  const { rotations, refused, warnings } = work;
  const target = `pod/${namespace}/${name}`;
  const successor = (rotation: Rotation): string => `secret/${namespace}/${rotation.newName}`;
  return {
    target: { name: target, uid },
    changes: rotations.flatMap((rotation) => [
      { target: successor(rotation), what: madeWith(rotation) },
      ...rotation.consumers.map(({ ref, rolls }) => ({
        target: targetOf(ref),
        what: `refers to ${rotation.newName} instead of ${rotation.name}, ${rolls ? 'and rolls' : 'from its next run on'}`,
      })),
    ]),
    blastRadius: [
      ...new Set(
        rotations.flatMap((rotation) => [
          `secret/${namespace}/${rotation.name}`,
          successor(rotation),
          ...rotation.consumers.map(({ ref }) => targetOf(ref)),
        ]),
      ),
    ].sort(),
    notes: [
      ...refused.map(({ secret, reason }) => `Secret ${secret} is not rotated: ${reason}.`),
      ...rotations.flatMap((rotation) => providerNotes(rotation, revokeFirst)),
      ...rotations.flatMap(({ name: secret, left, rule }) =>
        left.map((one) => `${one} also uses ${secret}, and keeps the old value${rule ? ', which is refused then' : ''}.`),
      ),
      ...warnings,
      ...(rotations.some(({ rule }) => !rule)
        ? [
            'Whatever checks these values (a database, a peer) must be told the new ones; the old Secrets stay until somebody removes them.',
          ]
        : []),
      rotations.length > 0 ? 'The suspect pod keeps what it has, and never gets the new values.' : 'Nothing is rotated.',
    ],
  };
}

function madeWith({ name, keys, rule }: Rotation): string {
  const value = rule ? `a new value from ${rule.provider.title}` : 'a fresh random value';
  return `is made with ${value} for ${keys.join(', ')}, in the place of ${name}`;
}

function providerNotes({ name, rule }: Rotation, revokeFirst: boolean): readonly string[] {
  if (!rule)
    return revokeFirst ? [`Nobody is configured who could end the old value of ${name}: there is nothing to revoke first.`] : [];
  const { title, overlaps } = rule.provider;
  if (revokeFirst) return [`${title}: the old value of ${name} is ended first. Who uses it is refused until it has rolled.`];
  return overlaps
    ? [`${title}: the old value of ${name} works until all have rolled; then it and what is open under it are ended.`]
    : [
        `${title}: the new value of ${name} ends the old one at once, and what is open under it. Who uses it is refused until it has rolled.`,
      ];
}
