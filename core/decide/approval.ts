import { isObservedRelease, namespacesOf, type Plan, planDigest } from '../action/plan.ts';
import type { Severity } from '../alert/severity.ts';
import { type IncidentRef, subjectOfIncident } from '../incident/incident.ts';
import { canonicalJson, digestOfFixed } from '../text/digest.ts';
import { matchesAnyName } from '../text/name-pattern.ts';
import { lastPart } from '../text/object-name.ts';
import type { Form, FormAnswers } from './form.ts';

export interface Choice {
  readonly id: string;
  readonly label: string;
  /** What would run on this choice. If empty, the choice changes nothing, and one approver's word is enough (a veto). */
  readonly plans: readonly Plan[];
  /** Number of distinct people needed. Computed by `quorumOf`, and computed again in the cell: never taken on trust. */
  readonly quorum: number;
  /** Calls the incident harmless: that weakens the response, whether or not something runs on it. */
  readonly harmless?: true;
  /** Additional fields of an answer. Absent: none. */
  readonly form?: Form;
  /** Each answer also needs a fresh sign-in at the identity provider. Only informs people: the cell computes it again from the plans. */
  readonly stepUp?: true;
}

export interface Level {
  /** A group of the roster. */
  readonly group: string;
  /** Milliseconds until the next level is asked. */
  readonly withinMs: number;
  /** Calls the group, if a pager is configured: a message does not wake people. */
  readonly page?: true;
}

/** How long all levels together have, in milliseconds. */
export function lastsMs(levels: readonly Pick<Level, 'withinMs'>[]): number {
  return levels.reduce((sum, { withinMs }) => sum + withinMs, 0);
}

/** The question to people. Its digest covers incident, text, plans and levels: a vote names exactly this question. */
export interface Question {
  readonly id: string;
  readonly incident: IncidentRef;
  readonly severity: Severity;
  readonly text: string;
  readonly choices: readonly Choice[];
  readonly levels: readonly Level[];
  /** Who asked: a playbook, or a person, who then may not answer. */
  readonly requester: string;
  /** What happens if nobody answers, in words: it shows people what staying silent means. */
  readonly onSilence: string;
  /** Uid of the pod that is contained if nobody answers: then the whole time until `until` is waited, whoever is asked early. Absent: silence does nothing. */
  readonly containsOnSilence?: string;
  /** ISO 8601, UTC: after this, silence counts and votes no longer do. Absent: the question stays open while its subject is in force. */
  readonly until?: string;
  /**
   * ISO 8601, UTC: when it was asked. Only for questions that are repeated in the same words, as about a lease: an answer counts for one asking only, so that
   * one resent later does not answer the next.
   */
  readonly asked?: string;
  /** Ids of people whom the incident's alerts named as the actor when this was asked: they may not answer. Absent: nobody. */
  readonly actors?: readonly string[];
  /** Ids of people who ordered by hand what this is about: others answer, as long as there are any. Absent: nobody. */
  readonly requesters?: readonly string[];
}

export function questionDigest(question: Question): string {
  return digestOfFixed(question);
}

/** Reaches for which one person is not enough for a destructive step. */
const wide: ReadonlySet<string> = new Set(['namespace', 'node', 'cluster']);

/** More objects than this are a wide blast radius, whatever the declared reach. */
const manyObjects = 20;

const workloadKinds: ReadonlySet<string> = new Set(['deployment', 'statefulset', 'daemonset', 'replicaset', 'job', 'cronjob']);

/** Returns whether the plan touches a workload that is not the incident's own, such as another one that reads the same Secret. */
function touchesOthers(plan: Plan, incident: string | undefined): boolean {
  const subject = incident === undefined ? undefined : subjectOfIncident(incident);
  const own =
    subject?.kind === 'workload' ? `${subject.ownerKind.toLowerCase()}/${subject.namespace}/${subject.name}` : undefined;
  return plan.blastRadius.some((name) => workloadKinds.has(name.split('/')[0] ?? '') && name !== own);
}

/**
 * Returns the number of distinct people that a choice needs. Two for weakening the response on a critical rule; for a destructive step that reaches wide,
 * touches much, or touches the workloads of others; and for any change in a protected namespace. One more outside of a change window.
 */
export function quorumOf(asked: {
  readonly plans: readonly Plan[];
  readonly harmless?: true | undefined;
  readonly severity: Severity;
  /** Id of the incident, which says whose workload it is about. */
  readonly incident?: string;
  readonly protectedNamespaces?: readonly string[] | undefined;
}): number {
  const { plans, harmless, severity, incident, protectedNamespaces = [] } = asked;
  const ofPlans = plans.some((plan) => {
    if (plan.effect === 'read') return false;
    // Whoever is alone can give a pod back as well as delete it, but not for good.
    if (plan.weakens === true && severity === 'critical' && !isObservedRelease(plan)) return true;
    if (protectedNamespaces.length > 0 && namespacesOf(plan).some((one) => matchesAnyName(protectedNamespaces, one))) return true;
    if (plan.effect !== 'destructive') return false;
    return wide.has(plan.reach) || plan.blastRadius.length > manyObjects || touchesOthers(plan, incident);
  });
  const two = ofPlans || (harmless === true && severity === 'critical');
  return (two ? 2 : 1) + (plans.some(({ outsideWindow }) => outsideWindow !== undefined) ? 1 : 0);
}

/** Returns whether the choice gives up protection, or says that there is nothing to protect from. */
export function isWeakening({ plans, harmless }: Pick<Choice, 'plans' | 'harmless'>): boolean {
  return harmless === true || plans.some((plan) => plan.weakens === true);
}

/** Returns whether a reason is required: for ending something for good, or weakening the response. */
export function needsReason(choice: Pick<Choice, 'plans' | 'harmless'>): boolean {
  return isWeakening(choice) || choice.plans.some((plan) => plan.effect === 'destructive');
}

/** Number of last characters of the name of what ends that the decider must type, wherever it is decided. */
export const typedCharacters = 4;

/** Returns the part of a name that has to be typed. Case is ignored: telephones begin with a capital. */
export function typedEnd(name: string): string {
  return lastPart(name).slice(-typedCharacters).toLowerCase();
}

/** The ways in which an answer can arrive; each determines who signs it. */
export const waysIn = ['slack', 'page', 'cli'] as const;

/** One person's answer. Signed by the desk (Slack, its page) or by the person's own key (command line). */
export interface Vote {
  readonly version: 1;
  /** Unique per click; the same if a click is delivered again. */
  readonly id: string;
  readonly incident: IncidentRef;
  readonly question: string;
  readonly questionDigest: string;
  readonly choice: string;
  /** The roster's id of the person. */
  readonly person: string;
  /** `page`: the desk's own, where only the identity provider says who the person is: its word is required, whatever is decided. */
  readonly via: (typeof waysIn)[number];
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly reason?: string;
  /** What was filled in, if the choice has a form. */
  readonly answers?: FormAnswers;
}

export interface SignedVote {
  readonly vote: Vote;
  readonly keyId: string;
  /** Ed25519 over `voteBytes(vote)`, base64. */
  readonly signature: string;
  /** The identity provider's own token, if the choice needs one: it carries its own signature, and names this very answer. */
  readonly idToken?: string;
}

/** Returns the bytes that are signed, with a domain prefix, so that no signature for another purpose can be taken for a vote. */
export function voteBytes(vote: Vote): Uint8Array {
  return new TextEncoder().encode(`firebreak.vote.v1\n${canonicalJson(vote)}`);
}

/** What a destructive step shows the chokepoint: the question as asked, the choice, and the votes for it. */
export interface ApprovalProof {
  readonly question: Question;
  readonly choice: string;
  readonly votes: readonly SignedVote[];
}

/** The result of `ask` for the playbook. `covers` exists for the compiler: an approval of one action is not an approval of another. */
export interface Approval<Action extends string = string> {
  readonly proof: ApprovalProof;
  readonly covers: Readonly<Record<Action, true>>;
}

export function planIsCovered(proof: ApprovalProof, plan: Plan): boolean {
  const digest = planDigest(plan);
  return plansApproved(proof).some((covered) => planDigest(covered) === digest);
}

/** Ids of the people who have approved a release under observation; undefined if none of what they approved is one. */
export function observersIn(proof: ApprovalProof | undefined): readonly string[] | undefined {
  if (!proof || !plansApproved(proof).some(isObservedRelease)) return undefined;
  return [...new Set(proof.votes.map(({ vote }) => vote.person))];
}

/** The plans of the choice that people made. */
export function plansApproved({ question, choice }: ApprovalProof): readonly Plan[] {
  return question.choices.flatMap(({ id, plans }) => (id === choice ? plans : []));
}
