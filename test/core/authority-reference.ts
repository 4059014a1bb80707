import type { Severity } from '../../core/alert/severity.ts';

/*
 * Who decides what, told from the design alone. No code of Firebreak is used here, on purpose, and nothing is done in its way: votes are
 * notes on a table, and each rule is one sentence.
 */

/** Ways in which an answer can come. There is no fax: a vote that claims it is not believed. */
export const ways = ['slack', 'page', 'cli'] as const;
export type Way = (typeof ways)[number] | 'fax';

/** What the identity provider may have attested next to a note. */
export const words = [
  'right',
  'forged',
  'of another provider',
  'of somebody else',
  'for somebody else',
  'for another choice',
  'for another question',
  'over by then',
  'of later',
  'without being asked anew',
] as const;

/** Minutes count from when the question is asked. */
export interface Ballot {
  readonly person: string;
  readonly choice: 'yes' | 'other' | 'no';
  /** The way by which it says that it came. */
  readonly via: Way;
  /** The way that it named when it was stamped. Absent: the same. */
  readonly signedAs?: Way;
  /** Whose stamp is on it: the desk's, its person's own, another person's. Absent: the one usual for its way. */
  readonly stamp?: 'desk' | 'own' | 'of another';
  /** Absent: the provider has not been asked. */
  readonly word?: (typeof words)[number];
  /** The reason. Absent: given, in a few words. */
  readonly reason?: 'said' | 'none' | 'short' | 'endless';
  /** When its person claims to have voted. */
  readonly at: number;
  /** When the incident receives it. */
  readonly arrives: number;
  /** Something in it is invalid. */
  readonly flaw?: string;
  /** Not a new vote, but an earlier one repeated: its number in the order of arrival. */
  readonly again?: number;
  readonly id?: string;
}

export interface World {
  readonly risk: 'none' | 'weakening' | 'destructive' | 'wide' | 'many-objects' | 'others-secrets' | 'own-secrets' | 'protected';
  readonly severity: Severity;
  /** There is an identity provider, and the widest steps need its word. It does not know Cy. */
  readonly provider?: true;
  readonly requester?: string;
  /** Who ordered by hand what the question is about. */
  readonly ordered?: readonly string[];
  /** The only people in any group. Absent: all four are. */
  readonly only?: readonly string[];
  /** Named by an alert as the actor, from then on. */
  readonly actor?: { readonly person: string; readonly at: number };
  /** When Ana is on call. Ben and Cy always are; Lea and Ben are the leads. */
  readonly shift: { readonly from: number; readonly until: number };
  /** Who has Ben’s rights from minute 5 to minute 60. */
  readonly standIn?: 'ana' | 'lea';
  /** In the order of their arrival. */
  readonly ballots: readonly Ballot[];
}

export interface Decided {
  readonly choice: string;
  readonly by: readonly string[];
  /** Whether a step may still be done on it when the last vote has arrived. */
  readonly stands: boolean;
}

const groups = ['oncall', 'leads'] as const;

/** The holders of a group's rights: whose right it is, and who holds it. */
function rights(world: World, group: (typeof groups)[number], at: number): readonly (readonly [string, string])[] {
  const onShift = at >= world.shift.from && at < world.shift.until;
  const all = group === 'leads' ? ['lea', 'ben'] : [...(onShift ? ['ana'] : []), 'ben', 'cy'];
  const own = all.filter((person) => world.only?.includes(person) ?? true);
  const away = world.standIn !== undefined && at >= 5 && at < 60;
  return own.map((person) => [person, away && person === 'ben' ? (world.standIn ?? '') : person]);
}

/** Who may not decide, and nobody may for them: who asked, and who did it, as far as is known by then. */
function barred(world: World, by: number): readonly string[] {
  const actors = world.actor && by >= world.actor.at ? [world.actor.person] : [];
  return [...actors, ...(world.requester ? [world.requester] : [])];
}

/** Nobody is left to ask except who ordered it and who asks: not even somebody whom an alert has named. */
function isAlone(world: World, at: number): boolean {
  const set = [...(world.ordered ?? []), world.requester];
  return groups.every((group) => rights(world, group, at).every((pair) => pair.some((person) => set.includes(person))));
}

/** The highest rung at which this person has a right that counts: 0 on call, 1 lead, -1 none. */
function rung(world: World, person: string, at: number, knownBy: number, asked: number): number {
  const ordered = world.ordered ?? [];
  // What they ordered ends nothing: a question that would is a different one, and theirs only if there is nobody else.
  if (ordered.includes(person) && !(cannotBeTakenBack(world) && isAlone(world, at))) return -1;
  const no = [...barred(world, knownBy), ...(ordered.includes(person) ? [] : ordered)];
  if (no.includes(person)) return -1;
  const held = groups.map((group) => rights(world, group, at).some(([whose, who]) => who === person && !no.includes(whose)));
  if (asked >= 1 && held[1]) return 1;
  return held[0] ? 0 : -1;
}

/** The stamp that each way leaves on a note: the desk stamps what it hears. */
const stampOf: Readonly<Record<Way, Ballot['stamp'] | undefined>> = { slack: 'desk', page: 'desk', cli: 'own', fax: undefined };

/** The note is what it claims to be; whether its person may decide is checked later. */
function isGenuine({ risk, provider }: World, ballot: Ballot): boolean {
  const { via, signedAs = via, stamp = stampOf[via], word, choice, person, reason = 'said', flaw } = ballot;
  if (flaw !== undefined || signedAs !== via || stamp === undefined || stamp !== stampOf[via]) return false;
  // Ending something or weakening the response needs a reason, which must not be overlong.
  const mustSay = choice !== 'no' && risk !== 'none' && risk !== 'protected';
  if (reason === 'endless' || (mustSay && reason !== 'said')) return false;
  // On a page nothing else proves who it is; for the widest steps it is required for any way, if it is available.
  const needsWord = via === 'page' || (provider === true && risk === 'wide' && choice !== 'no');
  return !needsWord || (provider === true && word === 'right' && person !== 'cy');
}

function peopleNeeded({ risk, severity }: World, choice: string): number {
  if (choice === 'no') return 1;
  if (risk === 'weakening') return severity === 'critical' ? 2 : 1;
  return ['wide', 'many-objects', 'others-secrets', 'protected'].includes(risk) ? 2 : 1;
}

/** Protected, weakening and none can be undone: a no to them is simply the answer. */
function cannotBeTakenBack({ risk }: World): boolean {
  return !['none', 'weakening', 'protected'].includes(risk);
}

export function decide(world: World): Decided | undefined {
  const onTable = new Map<string, Ballot>();
  const said: Ballot[] = [];
  const meant: Ballot[] = [];
  let asked = 0;
  let until = 15;
  let saidNo: string | undefined;
  const end = world.ballots.at(-1)?.arrives ?? 0;

  const answer = (choice: string, by: readonly string[]): Decided => ({
    choice,
    by,
    stands: by.every((person) => rung(world, person, onTable.get(person)?.at ?? Number.NaN, end, 1) >= 0),
  });
  const silence = (): Decided | undefined => {
    const stillSays = saidNo !== undefined && onTable.get(saidNo)?.choice === 'no';
    return saidNo !== undefined && stillSays && !barred(world, until).includes(saidNo) ? answer('no', [saidNo]) : undefined;
  };

  for (const ballot of world.ballots) {
    const { arrives } = ballot;
    if (asked === 0 && arrives >= until) {
      asked = 1;
      until += 60;
    }
    if (arrives >= until) return silence();
    const original = ballot.again === undefined ? undefined : meant[ballot.again % Math.max(1, meant.length)];
    const vote = original ?? ballot;
    meant.push(vote);
    // A forged, unrelated or outdated vote does not count.
    if (!isGenuine(world, vote) || vote.at > arrives + 5) continue;
    // Delivered again, it says nothing new.
    if (said.includes(vote)) continue;
    // Who had the right when they voted; if the vote was delayed, they must still have it.
    const rungs = [vote.at, ...(arrives - vote.at > 15 ? [arrives] : [])].map((at) =>
      rung(world, vote.person, at, arrives, asked),
    );
    const standing = Math.min(...rungs);
    if (standing < 0) continue;
    // After a no, only those whom it has asked.
    if (saidNo !== undefined && standing < 1) continue;
    // The person's last word counts, not the last to arrive.
    if (said.some(({ person, at }) => person === vote.person && at > vote.at)) continue;
    said.push(vote);
    onTable.set(vote.person, vote);
    if (vote.choice === 'no' && cannotBeTakenBack(world) && asked === 0) {
      saidNo = vote.person;
      onTable.clear();
      onTable.set(vote.person, vote);
      asked = 1;
      until = arrives + 60;
      continue;
    }
    const no = barred(world, arrives);
    const by = [...onTable.values()].filter(({ person, choice }) => choice === vote.choice && !no.includes(person));
    const needed = Math.max(peopleNeeded(world, vote.choice), saidNo !== undefined && vote.choice !== 'no' ? 2 : 1);
    if (by.length >= needed)
      return answer(
        vote.choice,
        by.map(({ person }) => person),
      );
  }
  return silence();
}
