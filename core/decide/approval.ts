import { namespacesOf, type Plan, planDigest } from '../action/plan.ts';
import type { Severity } from '../alert/severity.ts';
import { type IncidentRef, subjectOfIncident } from '../incident/incident.ts';
import { canonicalJson, digestOfFixed } from '../text/digest.ts';
import { lastPart } from '../text/object-name.ts';
import type { Form, FormAnswers } from './form.ts';

export interface Choice {
  readonly id: string;
  readonly label: string;
  /** What would run on this choice. None: the choice changes nothing, and one approver's word is enough (a veto). */
  readonly plans: readonly Plan[];
  /** Distinct people needed. Worked out by `quorumOf`, and worked out again in the cell: never taken on trust. */
  readonly quorum: number;
  /** Calls the incident harmless: that weakens the response, whether something runs on it or not. */
  readonly harmless?: true;
  /** What an answer says besides. Absent: nothing. */
  readonly form?: Form;
  /** Each answer needs a fresh sign-in at the identity provider too. For people to see: the cell works it out again from the plans. */
  readonly stepUp?: true;
}

export interface Level {
  /** A group of the roster. */
  readonly group: string;
  /** Milliseconds until the next level is asked. */
  readonly withinMs: number;
  /** Calls the group, where a pager is configured: a message does not wake people. */
  readonly page?: true;
}

/** The question to people. Its digest binds incident, text, plans and levels: a vote names exactly this question. */
export interface Question {
  readonly id: string;
  readonly incident: IncidentRef;
  readonly severity: Severity;
  readonly text: string;
  readonly choices: readonly Choice[];
  readonly levels: readonly Level[];
  /** Who asked: a playbook, or a person, who then may not answer. */
  readonly requester: string;
  /** What comes of it when nobody answers, in words: whoever says nothing has been shown what that means. */
  readonly onSilence: string;
  /** ISO 8601, UTC: silence counts from then on, and no vote any more. Absent: it is asked for as long as what it is about is in force. */
  readonly until?: string;
  /**
   * ISO 8601, UTC: when it was asked. Only of what is asked again in the same words, as about a lease: an answer counts for one asking, and one that is
   * sent again later is about another question.
   */
  readonly asked?: string;
  /** Ids of people whom the incident's alerts named as the actor when this was asked: they may not answer. Absent: nobody. */
  readonly actors?: readonly string[];
  /** Ids of people who had ordered by hand what this is about: others answer, for as long as there are any. Absent: nobody. */
  readonly requesters?: readonly string[];
}

export function questionDigest(question: Question): string {
  return digestOfFixed(question);
}

/** Reaches at which one person is not enough for a destructive step. */
const wide: ReadonlySet<string> = new Set(['namespace', 'node', 'cluster']);

/** More objects than this are a wide blast radius, whatever the reach is called. */
const manyObjects = 20;

const workloadKinds: ReadonlySet<string> = new Set(['deployment', 'statefulset', 'daemonset', 'replicaset', 'job', 'cronjob']);

/** A workload that is not the incident's own, such as another one that reads the same Secret. */
function touchesOthers(plan: Plan, incident: string | undefined): boolean {
  const subject = incident === undefined ? undefined : subjectOfIncident(incident);
  const own =
    subject?.kind === 'workload' ? `${subject.ownerKind.toLowerCase()}/${subject.namespace}/${subject.name}` : undefined;
  return plan.blastRadius.some((name) => workloadKinds.has(name.split('/')[0] ?? '') && name !== own);
}

/**
 * Distinct people that a choice needs. Two for weakening the response on a critical rule; for a destructive step that reaches wide, touches
 * much, or touches the workloads of others; and for whatever changes a protected namespace.
 * One more outside of a change window.
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
    if (plan.weakens === true && severity === 'critical') return true;
    if (protectedNamespaces.length > 0 && namespacesOf(plan).some((one) => protectedNamespaces.includes(one))) return true;
    if (plan.effect !== 'destructive') return false;
    return wide.has(plan.reach) || plan.blastRadius.length > manyObjects || touchesOthers(plan, incident);
  });
  const two = ofPlans || (harmless === true && severity === 'critical');
  return (two ? 2 : 1) + (plans.some(({ outsideWindow }) => outsideWindow !== undefined) ? 1 : 0);
}

/** Gives protection up, or says that there is nothing to protect from. */
export function isWeakening({ plans, harmless }: Pick<Choice, 'plans' | 'harmless'>): boolean {
  return harmless === true || plans.some((plan) => plan.weakens === true);
}

/** Whoever ends something for good, or weakens the response, says why. */
export function needsReason(choice: Pick<Choice, 'plans' | 'harmless'>): boolean {
  return isWeakening(choice) || choice.plans.some((plan) => plan.effect === 'destructive');
}

/** Of the name of what ends: whoever decides it types so many of its last characters, wherever it is decided. */
export const typedCharacters = 4;

/** What has to be typed of a name. Case is let pass: telephones begin with a capital. */
export function typedEnd(name: string): string {
  return lastPart(name).slice(-typedCharacters).toLowerCase();
}

/** By which an answer can come, and what signs it there. */
export const waysIn = ['slack', 'page', 'cli'] as const;

/** One person's answer. Signed by the desk (Slack, its page) or by the person's own key (command line). */
export interface Vote {
  readonly version: 1;
  /** Unique per click; the same when a click is delivered again. */
  readonly id: string;
  readonly incident: IncidentRef;
  readonly question: string;
  readonly questionDigest: string;
  readonly choice: string;
  /** The roster's id of the person. */
  readonly person: string;
  /** `page`: the desk's own, where nothing but the identity provider says who it is: it needs its word, whatever is decided. */
  readonly via: (typeof waysIn)[number];
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly reason?: string;
  /** What was filled in, where the choice has a form. */
  readonly answers?: FormAnswers;
}

export interface SignedVote {
  readonly vote: Vote;
  readonly keyId: string;
  /** Ed25519 over `voteBytes(vote)`, base64. */
  readonly signature: string;
  /** The identity provider's own word, where the choice needs one: it carries its own signature, and names this very answer. */
  readonly idToken?: string;
}

/** The bytes that are signed: a domain prefix, so that no signature for another purpose is ever taken for a vote. */
export function voteBytes(vote: Vote): Uint8Array {
  return new TextEncoder().encode(`firebreak.vote.v1\n${canonicalJson(vote)}`);
}

/** What a destructive step shows the chokepoint: the question as asked, the choice, and the votes for it. */
export interface ApprovalProof {
  readonly question: Question;
  readonly choice: string;
  readonly votes: readonly SignedVote[];
}

/** What `ask` hands to the playbook. `covers` exists for the compiler: an approval of one action is not one of another. */
export interface Approval<Action extends string = string> {
  readonly proof: ApprovalProof;
  readonly covers: Readonly<Record<Action, true>>;
}

export function planIsCovered(proof: ApprovalProof, plan: Plan): boolean {
  const digest = planDigest(plan);
  return proof.question.choices.some(
    (choice) => choice.id === proof.choice && choice.plans.some((covered) => planDigest(covered) === digest),
  );
}
