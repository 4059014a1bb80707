import type { WorkloadLeft } from '../incident/workload-left.ts';
import { nextHandOver } from '../people/hand-over.ts';
import { answerersOf, answersFor, personById, type Roster } from '../people/roster.ts';
import type { Question } from './approval.ts';

/** The facts that determine who may answer a question, however the answer arrives. */
export interface Standing {
  readonly question: Pick<Question, 'choices' | 'levels' | 'requester'> & Partial<Pick<Question, 'actors' | 'requesters'>>;
  readonly roster: Roster;
  /** Ids of people whom the incident's alerts have named as the actor since it was asked. */
  readonly actors?: readonly string[];
  /** Ids of people who ordered what it is about, besides those whom it names. */
  readonly requesters?: readonly string[];
  /** Groups that may be asked, as the checking process itself knows. Absent: those that the question names. */
  readonly groups?: readonly string[];
  /** Returns whether a right of the roster counts now, for example by an external on-call: it can only restrict. */
  readonly narrowed?: (holder: string, group: string) => boolean;
}

/** Who may answer a question, as shown on a card: names. */
export interface Answerers {
  /** For each level of the question, in order. */
  readonly levels: readonly (readonly string[])[];
  /** Who ordered what it is about, and whether they may answer nevertheless, because nobody else can be asked. */
  readonly requesters: readonly { readonly name: string; readonly alone: boolean }[];
  /** Milliseconds since 1970 when the answerers next change, by the roster. Absent: no change is known. */
  readonly changesAt?: number;
  /** What is left of the workload, if the cell knows it: requested together. */
  readonly left?: WorkloadLeft;
  /** The cell's confirmation that it was told of a question whose silence contains a pod: see `sealHeard`. */
  readonly heard?: string;
}

export type Stands =
  /** `level`: the last of the asked levels that the person may answer for. `alone`: they may although they ordered it, since nobody else can be asked. */
  { readonly ok: true; readonly level: number; readonly alone?: true } | { readonly ok: false; readonly reason: string };

/** Returns who asked the question itself, if that is a person. */
function askerOf({ requester }: Pick<Question, 'requester'>): string | undefined {
  const [kind, id] = requester.split('/');
  return kind === 'person' ? id : undefined;
}

/** Returns all people known to have ordered it. */
function requestersOf({ question, requesters = [] }: Standing): readonly string[] {
  return [...new Set([...(question.requesters ?? []), ...requesters])];
}

/**
 * Returns whether nobody but those who ordered it can be asked, on any level, at that time. By the roster alone: people whom an alert names as the actor count
 * as available, since an alert may shut a person out but must never let one in.
 */
function isAlone(standing: Standing, at: number): boolean {
  const { question, roster } = standing;
  const { levels } = question;
  const requesters = requestersOf(standing);
  const asker = askerOf(question);
  const without = asker === undefined ? requesters : [...requesters, asker];
  // Other known groups count as well: a question that leaves a group out does not make anybody alone.
  const all = new Set([...levels.map(({ group }) => group), ...(standing.groups ?? [])]);
  return [...all].every((group) =>
    answerersOf(roster, group, at).every(
      ({ person, standsInFor }) => without.includes(person) || without.includes(standsInFor?.person ?? person),
    ),
  );
}

/** An order contains or asks; it ends nothing. A question that would end something is not the same as what was ordered. */
function endsSomething({ choices }: Pick<Question, 'choices'>): boolean {
  return choices.some(({ plans }) => plans.some(({ effect }) => effect === 'destructive'));
}

/**
 * Returns whether a person may answer for one of the first `asked` levels, at each of these times (milliseconds since 1970): on call or by delegation, and
 * neither the asker nor named as the actor. People who ordered what it is about leave the answer to others; if it ends something, they may answer when nobody
 * else can be asked.
 */
export function standingOf(standing: Standing, person: string, times: readonly number[], asked: Question['levels']): Stands {
  const { question, roster, actors: named = [], groups: known, narrowed = () => true } = standing;
  const actors = [...(question.actors ?? []), ...named];
  const asker = askerOf(question);
  const requesters = requestersOf(standing);
  const ordered = requesters.includes(person);
  if (asker === person) return { ok: false, reason: 'The person who asks may not answer.' };
  if (actors.includes(person))
    return { ok: false, reason: 'An alert of this incident names you as the actor: you may not decide on it.' };
  if (ordered && !endsSomething(question)) return { ok: false, reason: 'You have ordered this: somebody else must answer.' };
  if (ordered && !times.every((at) => isAlone(standing, at)))
    return { ok: false, reason: 'You have ordered this: as long as somebody else can be asked, they must answer.' };
  const groups = asked.map(({ group }) => group);
  const without = [...actors, ...(asker === undefined ? [] : [asker]), ...(ordered ? [] : requesters)];
  const counts = (holder: string, group: string): boolean => known?.includes(group) !== false && narrowed(holder, group);
  const may = times.map((at) => answersFor({ roster, person, groups, at, without, narrowed: counts }));
  const level = may.reduce((least, one) => (least === undefined || one === undefined ? undefined : Math.min(least, one)));
  if (level === undefined) {
    const asks = groups.filter((group) => known?.includes(group) !== false).join(' or ');
    return { ok: false, reason: `Only ${asks || 'others'} may answer this, while they are on call.` };
  }
  return ordered ? { ok: true, level, alone: true } : { ok: true, level };
}

/** Returns who may answer for each level now, for a card and for those who wait. */
export function answerersTo(standing: Standing, at: number): Answerers {
  const { question, roster } = standing;
  const nameOf = (id: string): string => personById(roster, id)?.name ?? id;
  const levels = question.levels.map((level) => {
    const people = new Set(answerersOf(roster, level.group, at).map(({ person }) => person));
    return [...people].filter((person) => standingOf(standing, person, [at], [level]).ok).map(nameOf);
  });
  const requesters = requestersOf(standing).map((person) => {
    const stands = standingOf(standing, person, [at], question.levels);
    return { name: nameOf(person), alone: stands.ok && stands.alone === true };
  });
  const groups = question.levels.map(({ group }) => group);
  const changesAt = nextHandOver(standing.roster, groups, at);
  return { levels, requesters, ...(changesAt !== undefined && { changesAt }) };
}
