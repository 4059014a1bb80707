import { randomBytes } from 'node:crypto';
import { bySeverity } from '../../../core/alert/severity.ts';
import type { QuestionCard, ShownCard, StoredButton } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { happenedText, heldText, leftText, mattersText, signedText, surenessOf } from '../../../core/cards/card-words.ts';
import { isGuarded, nameToType } from '../../../core/cards/guarded-choice.ts';
import type { AnswerAccepted, AnswerBody, ConsoleQuestion } from '../../../core/console/console.schema.ts';
import { chainOf, incidentKeyOf } from '../../../core/console/incident-summary.ts';
import { questionPagePath, sees } from '../../../core/console/routes.ts';
import type { ShownField } from '../../../core/decide/form.ts';
import { standingOf } from '../../../core/decide/standing.ts';
import { isOfLease } from '../../../core/decide/standing-question.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type IncidentRef, subjectOfIncident } from '../../../core/incident/incident.ts';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import { answersFor, type Roster } from '../../../core/people/roster.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import { personNames, statusText } from '../../incidents/names.ts';
import { narrowedBy, type OutsideDuty } from '../on-call.ts';
import { pageField, type ShownQuestion } from '../pages/answer-view.ts';
import { type AskedOnPage, type AskedQuestions, readAnswer } from '../pages/asked-question.ts';
import type { SignIns } from '../pages/sign-ins-desk.ts';
import { leaseStand, openOfLeases, stands } from '../slash/lease-answers.ts';
import { AnswerProblems } from './router.ts';
import type { SignedIn } from './sessions.ts';

const leasesShown = 20;

interface ConsoleQuestions {
  /** Open questions that the person may see: first those that they may answer, then the worst, then by deadline. */
  list(who: SignedIn): Promise<readonly ConsoleQuestion[]>;
  /** Number of all of them. */
  count(who: Pick<SignedIn, 'visible'>): Promise<number>;
  /** @throws FB_ERR_NOT_FOUND, also for what the person may not see */
  find(who: SignedIn, id: string): Promise<ConsoleQuestion>;
  /** `leases`: the address of a lease's question, by the lease's id. */
  ofIncident(
    who: SignedIn,
    incident: IncidentRef,
    state: IncidentState | undefined,
  ): Promise<{ readonly all: readonly ConsoleQuestion[]; readonly leases: ReadonlyMap<string, string> }>;
  /** @throws FB_ERR_INCOMPLETE with the fields, FB_ERR_PLAN_CHANGED, FB_ERR_VOTE_REFUSED, FB_ERR_NOT_FOUND */
  answer(who: SignedIn, id: string, given: AnswerBody): Promise<AnswerAccepted>;
}

/** The first lines of a card: who ran what and where, why it matters, and how often it happened. The incident's page has the rest. */
function happenedLines(card: QuestionCard): readonly string[] {
  const { doubt, count } = card.happened;
  const facts = [...(count > 0 ? [count === 1 ? '1 alert' : `${count} alerts`] : []), signedText(card.happened)];
  const lines = [happenedText(card), doubt && `In doubt: ${doubt}`, mattersText(card.happened), facts.filter(Boolean).join(', ')];
  return lines.flatMap((line) => line || []);
}

/**
 * The questions of cards and leases that this desk has shown, to be answered as on the desk's page: the signature covers the digest that was shown, and the
 * identity provider is asked again for exactly that answer. A session alone decides nothing.
 */
export function createConsoleQuestions(parts: {
  readonly cards: Pick<CardStore, 'openCards' | 'buttonsOf' | 'saveButtons' | 'button' | 'card'>;
  readonly asked: AskedQuestions;
  readonly signIns: Pick<SignIns, 'open'>;
  readonly roster: Roster;
  readonly duty: OutsideDuty | undefined;
  readonly now?: () => number;
}): ConsoleQuestions {
  const { cards, asked: questions, signIns, roster, duty, now = Date.now } = parts;
  const nameOf = personNames(roster);

  const mineOf = (who: SignedIn, stand: StoredButton, current: QuestionState | undefined, known?: IncidentState) => {
    const { person } = who;
    const no = (why: string) => ({ may: false, why, said: null });
    if (!who.roles.some((role) => role === 'approver' || role === 'admin')) return no('Your role may not answer questions.');
    if (!person) return no('The roster does not link you to an account at the identity provider.');
    const said = current?.votes.find(({ vote }) => vote.person === person.id)?.vote.choice ?? null;
    const at = now();
    const narrowed = narrowedBy(duty, at, 'page');
    if (current) {
      const { question, level } = current;
      const { actors, requesters } = known ?? {};
      const standing = { question, roster, narrowed, ...(actors && { actors }), ...(requesters && { requesters }) };
      const found = standingOf(standing, person.id, [at], question.levels.slice(0, level + 1));
      return { may: found.ok, why: found.ok ? null : found.reason, said };
    }
    if (stand.requester === `person/${person.id}`) return no('You asked this yourself: somebody else must answer.');
    const may = answersFor({ roster, person: person.id, groups: stand.groups, at, narrowed }) !== undefined;
    return { may, why: may ? null : `Only ${stand.groups.join(' or ')} may answer this, while they are on call.`, said };
  };

  const shownOf = (who: SignedIn, { stand, shown, known, current }: AskedOnPage): ConsoleQuestion => {
    const { incident, level, left } = shown;
    const status = current?.status;
    return {
      id: stand.buttonId,
      kind: isOfLease(stand.question) ? 'lease' : 'question',
      incident: {
        key: incidentKeyOf(chainOf(stand.incident)),
        title: incident.title,
        severity: incident.severity,
        cluster: incident.cluster,
        namespace: namespaceOf(stand.incident),
      },
      text: shown.text,
      digest: shown.digest,
      state: status?.state ?? 'open',
      outcome: current && status?.state !== 'open' ? statusText(current, { person: nameOf }) : null,
      happened: [...shown.happened],
      contained: shown.contained.map((held) => ({
        text: heldText(held),
        sure: surenessOf(held),
        since: held.since,
        until: held.until ?? null,
        detail: [held.detail, held.effect].filter((text) => text !== undefined).join('. ') || null,
      })),
      evidence: shown.evidence.map(({ name, sha256, bytes }) => ({ name, sha256, bytes })),
      left: left ? leftText(left) : null,
      choices: shown.choices.map((choice) => choiceOf(shown, choice, current)),
      votes: (current?.votes ?? []).map(({ vote }) => ({
        person: nameOf(vote.person),
        choice: vote.choice,
        at: vote.at,
        reason: vote.reason ?? null,
      })),
      level: {
        group: current?.question.levels[current.level]?.group ?? level.group,
        until: current?.levelUntil ?? level.until,
        next: current ? (current.question.levels[current.level + 1]?.group ?? null) : null,
        people: current?.answerers ? [...new Set(current.answerers.levels.slice(0, current.level + 1).flat())] : null,
      },
      deadline: shown.deadline ?? null,
      onSilence: shown.onSilence,
      live: current !== undefined,
      mine: mineOf(who, stand, current, known),
    };
  };

  const ofCard = async (who: SignedIn, card: QuestionCard): Promise<ConsoleQuestion | undefined> => {
    const buttons = await cards.buttonsOf(card.questionId);
    const stand = buttons.find(stands);
    if (!stand || stand.incident.id !== card.incident.id) return undefined;
    const shown = { ...card, digest: card.questionDigest, happened: happenedLines(card) };
    const question = shownOf(who, { stand, shown, known: undefined, current: undefined });
    const { next = null, people = null } = card.level;
    return {
      ...question,
      votes: card.votes.map(({ person, choice, at, reason }) => ({ person, choice, at, reason: reason ?? null })),
      level: { ...question.level, next, people: people && [...people] },
    };
  };

  /** Each question of a card with several targets is a question of its own. */
  const openTo = async ({ visible: namespaces }: Pick<SignedIn, 'visible'>): Promise<readonly ShownCard[]> =>
    (await cards.openCards()).filter(
      ({ card: { incident, status } }) => status.state === 'open' && sees(namespaces, namespaceOf(incident)),
    );

  const open = async (who: SignedIn, wanted: (incident: IncidentRef) => boolean): Promise<readonly ConsoleQuestion[]> => {
    const shown = (await openTo(who)).filter(({ card }) => wanted(card.incident));
    const all = await Promise.all(shown.map(({ card }) => ofCard(who, card)));
    return all.filter((one) => one !== undefined);
  };

  const visible = async (who: SignedIn, id: string): Promise<AskedOnPage> => {
    const asked = await questions.find(id);
    if (!sees(who.visible, namespaceOf(asked.stand.incident)))
      throw new FirebreakError('FB_ERR_NOT_FOUND', 'There is no such page.');
    return asked;
  };

  return {
    list: async (who) => {
      const all = await open(who, () => true);
      return [...all].sort(
        (a, b) =>
          Number(b.mine.may) - Number(a.mine.may) ||
          bySeverity(a.incident.severity, b.incident.severity) ||
          Date.parse(a.level.until) - Date.parse(b.level.until),
      );
    },
    count: async (who) => (await openTo(who)).length,
    find: async (who, id) => shownOf(who, await visible(who, id)),
    ofIncident: async (who, incident, state) => {
      const all = [...(await open(who, ({ id, run }) => id === incident.id && run === incident.run))];
      const leases = new Map<string, string>();
      for (const one of state ? openOfLeases(state, incident).slice(0, leasesShown) : []) {
        const stand = await leaseStand(cards, incident, one.question.id);
        if (!stand) continue;
        all.push(shownOf(who, await questions.find(stand.buttonId)));
        leases.set(one.question.id.replace(/^lease:/, ''), stand.buttonId);
      }
      return { all, leases };
    },
    answer: async (who, id, given) => {
      const asked = await visible(who, id);
      const { person } = who;
      const mine = mineOf(who, asked.stand, asked.current, asked.known);
      if (!person || !mine.may) throw new FirebreakError('FB_ERR_VOTE_REFUSED', mine.why ?? 'You may not answer this.');
      if (given.digest !== asked.shown.digest)
        throw new FirebreakError(
          'FB_ERR_PLAN_CHANGED',
          'The question has changed since you opened this page. Read it again before you answer.',
        );
      const typed = {
        choice: given.choice,
        person: person.id,
        reason: given.reason?.trim() ?? '',
        target: given.target?.trim() ?? '',
        asked: given.digest,
        form: Object.fromEntries(
          Object.entries(given.form ?? {}).map(([name, value]) => [pageField(given.choice, name), String(value).trim()]),
        ),
      };
      const read = readAnswer(asked.shown, typed, [person]);
      if (!read.ok) throw new AnswerProblems(Object.fromEntries(read.problems.map(({ field, text }) => [field, text])));
      const button = await questions.buttonOf(asked, read.choice);
      const click = {
        clickId: `console-${randomBytes(18).toString('base64url')}`,
        slackUser: '',
        onPage: person.id,
        back: `${questionPagePath}${id}`,
        channel: '',
        button,
        ...(read.reason !== undefined && { reason: reasonToSign(read.reason) }),
        ...(read.answers && { answers: read.answers }),
      };
      const { text, link } = await signIns.open(click, { card: asked.shown, choice: read.choice });
      if (link === undefined) throw new FirebreakError('FB_ERR_VOTE_REFUSED', text);
      return { signIn: link, text };
    },
  };
}

function namespaceOf({ id }: Pick<IncidentRef, 'id'>): string | null {
  const subject = subjectOfIncident(id);
  return subject?.kind === 'workload' ? subject.namespace : null;
}

function choiceOf(
  shown: Pick<ShownQuestion, 'incident'>,
  choice: ShownQuestion['choices'][number],
  current: QuestionState | undefined,
): ConsoleQuestion['choices'][number] {
  const { id, label, quorum, destructive, weakens, form = {}, changes, blastRadius, notes } = choice;
  return {
    id,
    label,
    quorum,
    votes: (current?.votes ?? []).filter(({ vote }) => vote.choice === id).length,
    destructive,
    weakens,
    needsReason: isGuarded(choice),
    target: nameToType(shown, choice) ?? null,
    form: Object.fromEntries(Object.entries(form).map(([name, of]) => [name, fieldOf(of)])),
    changes: [...changes],
    blastRadius: [...blastRadius],
    notes: [...notes],
  };
}

function fieldOf(of: ShownField): ConsoleQuestion['choices'][number]['form'][string] {
  const options =
    of.kind === 'choice'
      ? Object.entries(of.options).map(([id, name]) => ({ id, name }))
      : (of.people ?? []).map(({ id, name }) => ({ id, name }));
  return {
    label: of.label,
    hint: of.hint ?? null,
    kind: of.kind,
    options,
    min: of.kind === 'number' ? of.min : null,
    max: of.kind === 'number' ? of.max : null,
    longest: of.kind === 'text' ? of.longest : null,
    most: of.kind === 'people' ? of.most : null,
  };
}
