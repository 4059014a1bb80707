/** A person who may decide. Only this list says who somebody is: never an e-mail, never what a payload claims. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly slackIds: readonly string[];
  /** Ed25519 public keys for votes from the command line: SPKI, PEM. */
  readonly keys: readonly string[];
  /** User names by which alerts and the API audit know this person: who is named as the actor may not decide on it. */
  readonly accounts?: readonly string[];
}

export interface Roster {
  readonly people: readonly Person[];
  /** Group name → ids of people. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

/** Exactly one person per Slack id, else nobody. */
export function personBySlackId(roster: Roster, slackId: string): Person | undefined {
  const found = roster.people.filter((person) => person.slackIds.includes(slackId));
  return found.length === 1 ? found[0] : undefined;
}

export function isInAnyGroup(roster: Roster, personId: string, groups: readonly string[]): boolean {
  return groups.some((group) => roster.groups[group]?.includes(personId) === true);
}
