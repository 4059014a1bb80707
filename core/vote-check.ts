import { type ApprovalProof, type Question, questionDigest, quorumOf, type SignedVote, voteBytes } from './approval.ts';
import { isInAnyGroup, type Person, type Roster } from './roster.ts';
import { type Severity, worse } from './severity.ts';
import type { VoteCheck } from './step.ts';

/** Who signs votes: the desk's keys for Slack, a person's own for the command line. */
export interface VoteKeys {
  /** Key ids of desks that this cell trusts. */
  readonly deskKeyIds: readonly string[];
  /** Key ids of a person's own keys, from the roster. */
  keyIdsOf(person: Person): readonly string[];
  verify(keyId: string, bytes: Uint8Array, signature: string): boolean;
}

function signerMayVoteFor(keys: VoteKeys, person: Person, signed: SignedVote): boolean {
  const allowed = signed.vote.via === 'slack' ? keys.deskKeyIds : keys.keyIdsOf(person);
  return allowed.includes(signed.keyId);
}

/**
 * Everything that one vote must be: signed by who may sign it, about exactly this question, by a person of a group that is asked, who
 * is not the one who asked. The same check at the click, in the workflow's cell, and again inside the destructive step.
 */
export function checkVote(check: {
  readonly signed: SignedVote;
  readonly question: Question;
  readonly level: number;
  readonly roster: Roster;
  readonly keys: VoteKeys;
}): VoteCheck {
  const { signed, question, level, roster, keys } = check;
  const { vote } = signed;
  if (vote.version !== 1) return { ok: false, reason: 'This kind of vote is not known.' };
  const person = roster.people.find((listed) => listed.id === vote.person);
  if (!person) return { ok: false, reason: 'You are not on the roster.' };
  if (!signerMayVoteFor(keys, person, signed)) return { ok: false, reason: 'This vote is signed by a key that may not sign it.' };
  if (!keys.verify(signed.keyId, voteBytes(vote), signed.signature))
    return { ok: false, reason: 'The signature of this vote is not valid.' };
  if (vote.question !== question.id || vote.incident.id !== question.incident.id || vote.incident.run !== question.incident.run) {
    return { ok: false, reason: 'This vote is about another question.' };
  }
  if (vote.questionDigest !== questionDigest(question))
    return { ok: false, reason: 'This card is out of date: look at the newest one.' };
  if (!question.choices.some((choice) => choice.id === vote.choice)) return { ok: false, reason: 'This choice does not exist.' };
  if (question.requester === `person/${person.id}`) return { ok: false, reason: 'Who asks may not answer.' };
  const groups = question.levels.slice(0, level + 1).map((asked) => asked.group);
  if (!isInAnyGroup(roster, person.id, groups)) return { ok: false, reason: `Only ${groups.join(' or ')} may answer this.` };
  return { ok: true, person: person.id, name: person.name };
}

/**
 * Whether a proof carries its choice: enough distinct people, each of whose votes stands today. The quorum is worked out here again
 * from the plans; what the workflow says about it is not trusted.
 */
export function checkProof(check: {
  readonly proof: ApprovalProof;
  readonly severity: Severity;
  readonly roster: Roster;
  readonly keys: VoteKeys;
}): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  const { proof, roster, keys } = check;
  const { question } = proof;
  const choice = question.choices.find((offered) => offered.id === proof.choice);
  if (!choice) return { ok: false, reason: 'the choice does not exist' };
  const people = new Set<string>();
  for (const signed of proof.votes) {
    if (signed.vote.choice !== proof.choice) return { ok: false, reason: 'a vote is for another choice' };
    const result = checkVote({ signed, question, level: question.levels.length - 1, roster, keys });
    if (!result.ok) return { ok: false, reason: result.reason };
    people.add(result.person);
  }
  const quorum = quorumOf({ plans: choice.plans, severity: worse(question.severity, check.severity) });
  if (people.size < quorum) return { ok: false, reason: `${people.size} of ${quorum} people have agreed` };
  return { ok: true };
}
