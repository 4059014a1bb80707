import { labelOf } from '../../core/cards/choice-label.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { personById, personBySlackId, type Roster } from '../../core/people/roster.ts';

/** Names of people: an incident only knows their ids. A person who is not on the roster keeps the id. */
export interface Names {
  readonly person: (id: string) => string;
  /** The actor as written in records: `person/ID`, several separated by commas, `slack/USER`, or not a person. */
  readonly actor: (actor: string) => string;
}

/** For the command line: names followed by ids, since people type ids there. */
export function namesWithIds(roster: Roster): Names {
  const person = (id: string): string => {
    const name = personById(roster, id)?.name;
    return name === undefined || name === id ? id : `${name} (${id})`;
  };
  const one = (actor: string): string => {
    const [kind, ...rest] = actor.split('/');
    const id = rest.join('/');
    if (kind === 'person') return person(id);
    const known = kind === 'slack' ? personBySlackId(roster, id) : undefined;
    return known ? person(known.id) : actor;
  };
  return { person, actor: (actor) => actor.split(',').map(one).join(', ') };
}

/** For cards: names without ids, which nobody types there. */
export function personNames(roster: Roster): Names['person'] {
  return (id) => personById(roster, id)?.name ?? id;
}

export function statusText({ status, question }: QuestionState, { person }: Pick<Names, 'person'>): string {
  if (status.state === 'decided') {
    const chosen = question.choices.find((choice) => choice.id === status.choice);
    const label = chosen ? labelOf(chosen) : status.choice;
    return `decided: ${label}, by ${status.by.map(person).join(' and ')}`;
  }
  return status.state === 'void' ? `void: ${status.why}` : status.state;
}
