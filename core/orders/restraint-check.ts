import { endNeedsStepUp, type SignIn, type StepUpPolicy, signInRefusal } from '../decide/step-up.ts';
import { checkProof } from '../decide/vote-check.ts';
import type { Person } from '../people/roster.ts';
import {
  type ActiveRestraint,
  type DecidedRestraint,
  endChoice,
  endDigest,
  isRestraintQuestion,
  isScopeOf,
  longestMsOf,
  type RestraintTerms,
  restraintPlan,
  type SignedRestraint,
  type SignedRestraintEnd,
  severityOf,
} from './restraint.ts';
import { approveChoice } from './suppression.ts';
import { type Beliefs, type Checked, problemOf, signedBy, votesBelieved } from './suppression-check.ts';

/** Whether a restraint may be put to people: signed by who proposes it, within the limits, and of today. */
export function checkRestraintProposal(signed: SignedRestraint, beliefs: Beliefs): Checked<{ readonly person: Person }> {
  const proposer = signedBy(signed, beliefs, signed.order.via);
  if (!proposer.ok) return proposer;
  const { terms } = signed.order;
  if (!isScopeOf(terms)) return { ok: false, reason: 'It is about something that a decision of this kind cannot be about.' };
  const what = terms.mode === 'break-glass' ? 'A broken glass' : 'A freeze or an observe mode';
  const problem = problemOf(terms, beliefs, { what, longestMs: longestMsOf(terms) });
  return problem === undefined ? proposer : { ok: false, reason: problem };
}

export function checkRestraintEnd(signed: SignedRestraintEnd, beliefs: Beliefs): Checked<{ readonly person: Person }> {
  if (signed.order.cluster !== beliefs.cluster) return { ok: false, reason: 'It is about another cluster.' };
  return signedBy(signed, beliefs, signed.order.via);
}

/**
 * Whether the order to end carries the sign-in that it needs. `ended`: what is in force and would end. A proposal is withdrawn without one.
 */
export function checkEndSignIn(
  { order }: SignedRestraintEnd,
  person: Person,
  known: {
    readonly ended: RestraintTerms | undefined;
    readonly policy: StepUpPolicy;
    readonly signIn: SignIn | undefined;
  },
): Checked<{ readonly person: Person }> {
  const { ended, policy, signIn } = known;
  if (!ended || !endNeedsStepUp(restraintPlan(ended), policy)) return { ok: true, person };
  const vote = { questionDigest: endDigest(order), choice: endChoice, person: person.id };
  const reason = signInRefusal({ policy, vote, at: Date.parse(order.at), person, signIn });
  return reason === undefined ? { ok: true, person } : { ok: false, reason };
}

/**
 * Everything that a restraint must be before the cell holds itself to it: whoever can only reach Temporal must not be able to stop the response.
 */
export function checkRestraint(decided: DecidedRestraint, beliefs: Beliefs): Checked<{ readonly active: ActiveRestraint }> {
  const { proposal, proof } = decided;
  const proposer = checkRestraintProposal(proposal, beliefs);
  if (!proposer.ok) return proposer;
  if (proof.choice !== approveChoice || !isRestraintQuestion(decided))
    return { ok: false, reason: 'The votes are about something else.' };
  const stranger = proof.question.levels.find(({ group }) => !beliefs.groups.includes(group));
  if (stranger) return { ok: false, reason: `The group ${stranger.group} may not decide on it.` };
  const { terms, person } = proposal.order;
  const approved = checkProof({ proof, severity: severityOf(terms), ...votesBelieved(beliefs, proof) });
  if (!approved.ok) return approved;
  const approvers = [...new Set(proof.votes.map(({ vote }) => vote.person))];
  return { ok: true, active: { terms, proposer: person, approvers } };
}
