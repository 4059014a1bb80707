import { type ApprovalProof, isWeakening } from '../../core/decide/approval.ts';
import { proofOf } from '../../core/decide/question.ts';
import type { Verdict } from '../../core/incident/incident.ts';
import type { BodyState } from '../../core/incident/incident-state.ts';
import type { Lease } from '../../core/incident/lease.ts';
import { StepFailure } from '../step-failure.ts';
import type { Body, IncidentModel } from './model.ts';

const worstFirst: readonly Verdict[] = ['true_positive', 'suspicious', 'benign', 'unknown'];

function worstOf(verdicts: readonly Verdict[]): Verdict {
  return worstFirst.find((verdict) => verdicts.includes(verdict)) ?? 'unknown';
}

function bodiesOf(model: IncidentModel): readonly BodyState[] {
  return [...model.endedBodies, ...[...model.bodies.values()].map((body) => body.state)];
}

/** Whether people answered the body's last question with a choice that calls the incident harmless, or releases containment. */
function peopleSaidHarmless(model: IncidentModel, { lastAnswered }: Body): boolean {
  const asked = lastAnswered === undefined ? undefined : model.questions.get(lastAnswered);
  if (asked?.status.state !== 'decided') return false;
  const { choice: id } = asked.status;
  const choice = asked.question.choices.find((offered) => offered.id === id);
  return choice !== undefined && isWeakening(choice);
}

/**
 * Records a body's verdict. The incident is as bad as the worst of its bodies: a harmless shell does not make a dropped binary harmless. A body alone cannot
 * say `benign`: without people's answer it is refused, which is recorded, and containment stays.
 *
 * @throws StepFailure for an unknown verdict.
 */
export function giveVerdict(model: IncidentModel, body: Body, verdict: Verdict, why: string): void {
  const { playbook } = body.state;
  // A pack may be JavaScript that no compiler has checked.
  if (!worstFirst.includes(verdict))
    throw new StepFailure('FB_ERR_REFUSED', `“${verdict}” is not a verdict: use one of ${worstFirst.join(', ')}`);
  if (verdict === 'benign' && !peopleSaidHarmless(model, body)) {
    model.record('verdict.refused', `playbook/${playbook}`, `benign: ${why}: nobody has answered that it is harmless`);
    return;
  }
  body.state = { ...body.state, verdict, ...(body.lastAnswered ? { verdictFrom: body.lastAnswered } : {}) };
  const worst = worstOf(bodiesOf(model).map((other) => other.verdict ?? 'unknown'));
  if (worst === verdict) model.verdictWhy = why;
  model.verdict = worst;
  const { verdictFrom: question } = body.state;
  const from = verdict === 'benign' && question !== undefined ? { question } : {};
  model.record('incident.verdict', `playbook/${playbook}`, `${verdict}: ${why}`, { verdict, incident: worst, ...from });
}

function holdersOf(bodies: readonly BodyState[], { holders }: Lease): readonly BodyState[] {
  return bodies.filter((body) => holders.includes(`${body.playbook}/${body.subjectKey}`));
}

/** Playbooks whose bodies hold the lease, each once. */
export function playbooksHolding(model: IncidentModel, lease: Lease): readonly string[] {
  return [...new Set(holdersOf(bodiesOf(model), lease).map(({ playbook }) => playbook))];
}

/** The joint verdict of a lease's holders: harmless only if all of them say so. */
export function verdictOfHolders(bodies: readonly BodyState[], lease: Lease): Verdict {
  const verdicts = holdersOf(bodies, lease).map((body) => body.verdict ?? 'unknown');
  if (verdicts.length > 0 && verdicts.every((verdict) => verdict === 'benign')) return 'benign';
  return worstOf(verdicts.filter((verdict) => verdict !== 'benign'));
}

/** The same with the proof, which is the answer of the people who said so. */
export function verdictOn(model: IncidentModel, lease: Lease): { readonly verdict: Verdict; readonly proof?: ApprovalProof } {
  const bodies = bodiesOf(model);
  const verdict = verdictOfHolders(bodies, lease);
  if (verdict !== 'benign') return { verdict };
  const proofs = holdersOf(bodies, lease).flatMap(({ verdictFrom }) => {
    const asked = verdictFrom === undefined ? undefined : model.questions.get(verdictFrom);
    return (asked && proofOf(asked)) ?? [];
  });
  const [strongest] = [...proofs].sort((a, b) => b.votes.length - a.votes.length);
  return { verdict, ...(strongest ? { proof: strongest } : {}) };
}
