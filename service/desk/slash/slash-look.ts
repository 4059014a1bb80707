import { ruleText } from '../../../core/alert/what-ran.ts';
import { containmentText, placeOf, stepSureness, type sureness, verdictText } from '../../../core/cards/card-words.ts';
import { labelOf } from '../../../core/cards/choice-label.ts';
import { standingOf } from '../../../core/decide/standing.ts';
import { shortIncidentId } from '../../../core/incident/incident.ts';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import type { Person, Roster } from '../../../core/people/roster.ts';
import { clock, code, inline, linesUpTo, localTime, newsText } from '../../../integrations/slack/views/text.ts';
import { personNames, statusText } from '../../incidents/names.ts';
import { openIncidentIds, rowsOf } from '../../incidents/rows.ts';
import { controlState, incidentState, type Session } from '../../incidents/session.ts';

/** Each incident is asked for its state separately, and nobody reads a longer answer on a phone. */
const listed = 20;
const lookedThrough = 40;
const atOnce = 8;

/** Read-only requests in Slack without a card. All answers are mrkdwn. */
export interface Looking {
  readonly session: Session;
  readonly person: Person;
  readonly now: number;
  /** Returns whether a right of the roster applies now: an outside on-call can take it away. */
  readonly narrowed: (holder: string, group: string) => boolean;
}

/** Open incidents, newest first. */
export async function incidentsText({ session, now }: Looking): Promise<string> {
  const { rows, notes } = await rowsOf(session, { limit: listed });
  const said = notes.map((note) => `_${inline(note, 300)}_`);
  if (rows.length === 0) return ['No open incidents.', ...said].join('\n');
  const today = new Date(now).toISOString();
  const lines = rows.map(({ incident, severity, openedAt, rules, confirmed }) => {
    const since = openedAt === '' ? '' : `  since ${clock(openedAt, today)}: ${inline(rules.map(ruleText).join(', '), 200)}`;
    return `•  *${inline(severity, 20)}*  ${code(shortIncidentId(incident, session.config.cluster), 200)}${since}${confirmed ? '' : ' (not confirmed)'}`;
  });
  return linesUpTo([`*Open incidents*${rows.length === listed ? ` (the newest ${listed})` : ''}`, ...lines, ...said], 8_000);
}

/** The parts of an incident that are shown. */
type IncidentParts = Pick<
  IncidentState,
  | 'incident'
  | 'openedAt'
  | 'severity'
  | 'title'
  | 'open'
  | 'reached'
  | 'verdict'
  | 'total'
  | 'steps'
  | 'questions'
  | 'leases'
  | 'evidence'
  | 'timeline'
>;

/** Entries about what an observed version would have done are shown in full, at most this many, the newest. */
const mostObserved = 10;

/** One incident as mrkdwn, with the last `entries` of its timeline. */
export function incidentText(
  state: IncidentParts,
  roster: Roster,
  { entries = 60, deadlines = [] }: { readonly entries?: number; readonly deadlines?: readonly string[] } = {},
): string {
  const { severity, title, open, reached, verdict, total, steps, questions: asked, leases, evidence, timeline } = state;
  const kept = evidence.reduce((sum, { artefacts }) => sum + artefacts.length, 0);
  const names = { person: personNames(roster) };
  const observed = timeline.filter(({ kind }) => kind === 'pack.observed').slice(-mostObserved);
  const active = leases.filter((one) => one.state === 'active' || one.state === 'permanent');
  return [
    `*${inline(severity.toUpperCase(), 20)}*  ${inline(placeOf({ id: state.incident.id, title }), 200)}  ·  ${open ? 'open' : 'closed'}, ${reached}, ${verdictText[verdict]}`,
    `${total} ${total === 1 ? 'alert' : 'alerts'}, ${kept === 0 ? 'no evidence kept yet' : `${kept} ${kept === 1 ? 'piece' : 'pieces'} of evidence kept`}`,
    ...(steps.length === 0 ? [] : ['*Steps*']),
    ...steps.map(
      ({ action, target, state: is }) => `•  ${newsText(`${action} on ${target}: ${stepSureness({ action, state: is })}`, 200)}`,
    ),
    ...(active.length === 0 ? [] : ['*In force*']),
    ...active.map((one) => `•  ${inline(containmentText(one), 200)}, ${untilText(one)}`),
    ...asked
      .filter(({ question }) => !question.id.startsWith('lease:'))
      .map((one) => `*Asked:* ${inline(one.question.text, 300)}  ·  ${inline(statusText(one, names), 200)}`),
    ...(deadlines.length === 0 ? [] : ['*Notifications to authorities*']),
    ...deadlines.map((line) => `•  ${newsText(line, 500)}`),
    ...(observed.length === 0 ? [] : ['*What an observed version would have done*']),
    ...observed.map(({ text }) => `•  ${newsText(text, 1_000)}`),
    '*Timeline*',
    ...timeline.slice(-entries).map(({ at, text }) => `${clock(at, state.openedAt)}  ${newsText(checkedText(text), 300)}`),
  ].join('\n');
}

function untilText({ state, until }: IncidentState['leases'][number]): string {
  return state === 'permanent' ? 'for good' : `until ${localTime(new Date(until).toISOString())}`;
}

/** How certain a check is, in words: the record has `: unverified (`. */
function checkedText(text: string): string {
  return text.replace(
    /^(\w+)( on .*): (applied|verified|unverified|partial|failed|drifted) \(/,
    (_, action: string, target: string, state: keyof typeof sureness) =>
      `${action}${target}: ${stepSureness({ action, state })} (`,
  );
}

/** Open questions that this person may answer now, from incidents and above all incidents. */
export async function questionsText({ session, person, now, narrowed }: Looking): Promise<string> {
  const { roster } = session.config;
  const incidents = await openIncidentIds(session, lookedThrough);
  const states: (Pick<IncidentState, 'incident' | 'questions' | 'actors'> | undefined)[] = [
    await controlState(session).catch(() => undefined),
  ];
  for (let start = 0; start < incidents.length; start += atOnce) {
    const some = incidents.slice(start, start + atOnce).map((id) => incidentState(session, { id }).catch(() => undefined));
    states.push(...(await Promise.all(some)));
  }
  const mine = ({ question, status, level }: QuestionState, actors: readonly string[] = []): boolean =>
    status.state === 'open' &&
    !question.id.startsWith('lease:') &&
    standingOf({ question, roster, narrowed, actors }, person.id, [now], question.levels.slice(0, level + 1)).ok;
  const lines = states.flatMap((state) =>
    (state?.questions ?? [])
      .filter((one) => mine(one, state?.actors))
      .map(({ question, levelUntil, votes }) => {
        const said = votes.find(({ vote }) => vote.person === person.id);
        const choice = question.choices.find(({ id }) => id === said?.vote.choice);
        const answered = choice ? `, you said “${inline(labelOf(choice), 100)}”` : '';
        return `•  ${inline(question.text, 300)}  ${code(shortIncidentId(state?.incident.id ?? '', session.config.cluster), 200)}, until ${clock(levelUntil, new Date(now).toISOString())}${answered}`;
      }),
  );
  return lines.length === 0 ? 'Nothing is waiting for you.' : linesUpTo(['*What is waiting for you*', ...lines], 8_000);
}
