import type { Question } from '../decide/approval.ts';
import type { VoteCheck, VoteKeys } from '../decide/vote-check.ts';
import { hasTexts } from '../decide/vote-shape.ts';
import { answersFor, isInAnyGroup, personById, type Roster } from '../people/roster.ts';
import { canonicalJson } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import type { IncidentRef } from './incident.ts';

/**
 * What a person says about a question without deciding it: a comment for the record, a request to be asked again later, or a request to ask the next level now.
 * It cannot end a question and never moves its deadline.
 */
export interface Remark {
  readonly version: 1;
  /** The same when it is delivered again. */
  readonly id: string;
  readonly incident: IncidentRef;
  readonly question: string;
  readonly kind: 'comment' | 'snooze' | 'next';
  /** The roster's id of the person. */
  readonly person: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The comment. */
  readonly text?: string;
}

/** Signed by the desk: access to Temporal alone does not let anyone speak in another person's name. */
export interface SignedRemark {
  readonly remark: Remark;
  readonly keyId: string;
  /** Ed25519 over `remarkBytes(remark)`, base64. */
  readonly signature: string;
}

/** Uses its own signing domain, so that a remark is never accepted as a vote. */
export function remarkBytes(remark: Remark): Uint8Array {
  return new TextEncoder().encode(`firebreak.remark.v1\n${canonicalJson(remark)}`);
}

const kinds: ReadonlySet<unknown> = new Set(['comment', 'snooze', 'next']);
const longest = 4_000;

/** Whether a signal's payload has the shape of a remark; it does not say who sent it. */
export function isRemarkShaped(value: unknown): value is SignedRemark {
  return (
    isObject(value) &&
    hasTexts(value, ['keyId', 'signature']) &&
    isObject(value.remark) &&
    hasTexts(value.remark, ['id', 'question', 'person', 'at']) &&
    hasTexts(value.remark.incident, ['id', 'run']) &&
    kinds.has(value.remark.kind) &&
    (value.remark.text === undefined || typeof value.remark.text === 'string') &&
    JSON.stringify(value).length <= longest
  );
}

const oldestMs = 15 * 60_000;
const clockToleranceMs = 5 * 60_000;

/**
 * Checks that it is signed by the desk, recent, about this question, and by a person concerned: for the next level, somebody who could answer; otherwise, a
 * member of its groups. Whoever an alert names as the actor may comment.
 */
export function checkRemark(check: {
  readonly signed: SignedRemark;
  readonly question: Question;
  readonly level: number;
  readonly roster: Roster;
  readonly keys: VoteKeys;
  /** Ids of people whom the incident's alerts name as the actor, besides those in the question. */
  readonly actors?: readonly string[];
  /** Groups that may be asked, as the checker knows them itself. Absent: those that the question names. */
  readonly groups?: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
}): VoteCheck {
  const { signed, question, level, roster, keys, now, actors = [] } = check;
  const { remark } = signed;
  const person = personById(roster, remark.person);
  if (remark.version !== 1 || !person) return { ok: false, reason: 'You are not on the roster.' };
  if (!keys.deskKeyIds.includes(signed.keyId) || !keys.verify(signed.keyId, remarkBytes(remark), signed.signature))
    return { ok: false, reason: 'This signature is not valid.' };
  const { id, run } = question.incident;
  if (remark.question !== question.id || remark.incident.id !== id || remark.incident.run !== run)
    return { ok: false, reason: 'This is about another question.', signed: true };
  const age = now - Date.parse(remark.at);
  if (!(age <= oldestMs && age >= -clockToleranceMs))
    return { ok: false, reason: 'This is too old. Send it again.', signed: true };
  const groupsOf = (levels: Question['levels']): readonly string[] =>
    levels.map(({ group }) => group).filter((group) => check.groups?.includes(group) !== false);
  const groups = groupsOf(question.levels);
  const asked = groupsOf(question.levels.slice(0, level + 1));
  const mayAnswer = answersFor({
    roster,
    person: person.id,
    groups: asked,
    at: now,
    without: [...(question.actors ?? []), ...actors],
  });
  if (remark.kind === 'next' && mayAnswer === undefined)
    return { ok: false, reason: `Only ${asked.join(' or ')} may ask the next level.`, signed: true };
  const isActor = [...(question.actors ?? []), ...actors].includes(person.id);
  const mayComment = remark.kind === 'comment' && isActor;
  if (!mayComment && !isInAnyGroup(roster, person.id, groups) && mayAnswer === undefined)
    return { ok: false, reason: `Only ${groups.join(' or ')} are asked here.`, signed: true };
  return { ok: true, person: person.id, name: person.name, level: mayAnswer ?? 0 };
}
