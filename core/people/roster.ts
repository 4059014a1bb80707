import { isWithin, type OnCall, onCallAt, type Schedule, type Span } from './schedule.ts';

/** A person who may decide. Only this list defines identities: never an e-mail, never what a payload claims. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly slackIds: readonly string[];
  /** Ed25519 public keys for votes from the command line: SPKI, PEM. */
  readonly keys: readonly string[];
  /** User names by which alerts and the API audit know this person: anyone named as the actor may not decide. */
  readonly accounts?: readonly string[];
  /** The person's PagerDuty id, if its on-call schedule is used. */
  readonly pagerdutyId?: string;
  /** The person's id at the identity provider (`sub`), if the widest steps need a sign-in. */
  readonly subject?: string;
  /** IANA name of the time zone in which times are shown to this person. */
  readonly timeZone?: string;
}

/** One person's right to answer, handed to another for a time: the person who hands it over no longer has it. */
export interface Delegation extends Span {
  readonly person: string;
  readonly to: string;
}

/** Who answers for which group, and when. */
export interface Duties {
  /** Group name → ids of all people who may ever be on call in it. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** Group name → who is on call when. A group without a schedule is always on call as a whole. */
  readonly schedules?: Readonly<Record<string, Schedule>>;
  readonly delegations?: readonly Delegation[];
}

export interface Roster extends Duties {
  readonly people: readonly Person[];
}

/** The one person with this Slack id; undefined unless there is exactly one. */
export function personBySlackId(roster: Roster, slackId: string): Person | undefined {
  const found = roster.people.filter((person) => person.slackIds.includes(slackId));
  return found.length === 1 ? found[0] : undefined;
}

/** The one person with this id; undefined unless there is exactly one. */
export function personById(roster: Roster, id: string): Person | undefined {
  const found = roster.people.filter((person) => person.id === id);
  return found.length === 1 ? found[0] : undefined;
}

/** Ids of the people with these user names. Case-sensitive: `Ada` is not `ada`. */
export function peopleKnownAs(roster: Roster, accounts: readonly string[]): readonly string[] {
  return roster.people.filter((person) => person.accounts?.some((name) => accounts.includes(name))).map(({ id }) => id);
}

/** Whether the person is a member of one of the groups, on call or not: for anything but decisions. `answersFor` says who may answer now. */
export function isInAnyGroup(roster: Roster, personId: string, groups: readonly string[]): boolean {
  return groups.some((group) => membersOf(roster, group).includes(personId));
}

function membersOf(roster: Duties, group: string): readonly string[] {
  // Own properties only: `constructor` is no group.
  return Object.hasOwn(roster.groups, group) ? (roster.groups[group] ?? []) : [];
}

/** A person who may answer for a group, why, and by whose right. */
export interface Answerer {
  readonly person: string;
  /** `member`: of a group without a schedule. */
  readonly by: OnCall['by'] | 'member';
  readonly until?: number;
  readonly replaces?: string;
  /** Whose right it is, if it was handed over, and until when. */
  readonly standsInFor?: { readonly person: string; readonly until: number };
}

function onCallIn(roster: Duties, group: string, at: number): readonly Answerer[] {
  const members = membersOf(roster, group);
  const schedule = roster.schedules && Object.hasOwn(roster.schedules, group) ? roster.schedules[group] : undefined;
  if (!schedule) return members.map((person) => ({ person, by: 'member' }));
  return onCallAt(schedule, at).filter(({ person }) => members.includes(person));
}

/**
 * Who may answer for a group at that time: the people on call, or those to whom they handed their right: one right, one holder. A right that was handed over
 * cannot be handed on.
 */
export function answerersOf(roster: Duties, group: string, at: number): readonly Answerer[] {
  const delegations = roster.delegations?.filter((delegation) => isWithin(delegation, at)) ?? [];
  return onCallIn(roster, group, at).flatMap((one): readonly Answerer[] => {
    const handed = delegations.find(({ person }) => person === one.person);
    if (!handed) return [one];
    const { person, to, until } = handed;
    return delegations.some((other) => other.person === to) ? [] : [{ ...one, person: to, standsInFor: { person, until } }];
  });
}

/**
 * The last of these groups for which the person may answer at that time; undefined if there is none. A person in `without` may not, and neither may anybody by
 * a right of theirs: nobody picks who decides on them. `narrowed` says whether a right of the roster applies now, for example by an external on-call schedule:
 * it can only remove rights.
 */
export function answersFor(asked: {
  readonly roster: Roster;
  readonly person: string;
  readonly groups: readonly string[];
  readonly at: number;
  readonly without?: readonly string[];
  readonly narrowed?: (holder: string, group: string) => boolean;
}): number | undefined {
  const { roster, person, groups, at, without = [], narrowed = () => true } = asked;
  if (without.includes(person)) return undefined;
  const last = groups.findLastIndex((group) =>
    answerersOf(roster, group, at).some((one) => {
      const holder = one.standsInFor?.person ?? one.person;
      return one.person === person && !without.includes(holder) && narrowed(holder, group);
    }),
  );
  return last === -1 ? undefined : last;
}
