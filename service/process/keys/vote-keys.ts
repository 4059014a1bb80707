import type { VoteKeys } from '../../../core/decide/vote-check.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { createVerifier } from '../../../integrations/keys/ed25519.ts';

/** Which signatures count for whose vote: the desks that this cell trusts, and each person's own keys from the roster. */
export function createVoteKeys({
  deskPublicKeys,
  roster,
}: {
  readonly deskPublicKeys: readonly string[];
  readonly roster: Roster;
}): VoteKeys {
  const desk = createVerifier({ publicKeys: deskPublicKeys });
  const byPerson = new Map(roster.people.map((person) => [person.id, createVerifier({ publicKeys: person.keys })]));
  const all = createVerifier({ publicKeys: [...deskPublicKeys, ...roster.people.flatMap((person) => person.keys)] });
  return {
    deskKeyIds: desk.keyIds,
    keyIdsOf: (person) => byPerson.get(person.id)?.keyIds ?? [],
    verify: (keyId, bytes, signature) => all.verify({ keyId, bytes, signature }),
  };
}
