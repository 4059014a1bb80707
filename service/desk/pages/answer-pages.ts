import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { labelIn } from '../../../core/cards/choice-label.ts';
import { saidBy } from '../../../core/decide/question.ts';
import { isOfLease, standingText } from '../../../core/decide/standing-question.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import { BoundedBodies } from '../../../integrations/bounded-bodies.ts';
import { personNames } from '../../incidents/names.ts';
import { leaseStand, openOfLeases, stands } from '../slash/lease-answers.ts';
import { answerView, nothingTyped, type PageLink, pageFieldPrefix, type TypedAnswer } from './answer-view.ts';
import { type AnswerStore, type AskedOnPage, type AskedQuestions, readAnswer } from './asked-question.ts';
import { isFromOwnPage, pageHeaders, sendFault, sendNotice, sendPage } from './page-html.ts';
import type { SignInFlow } from './sign-in-flow.ts';
import type { SignInPages } from './sign-in-pages.ts';

export const answerPrefix = '/sign-in/answer/';
const longestForm = 16_384;
/** Anyone who has the link may send a form. */
const formLimits = { atMost: longestForm, inAll: 64 * longestForm, withinMs: 10_000 };
const changedSince = 'The question has changed since you opened this page. Read it again before you answer.';
const saidShown = 8;
const leasesShown = 20;
/** How long a page to people waits for its link: the card may not be stored yet. */
const linkTries = 4;
const linkEveryMs = 250;

/** Returns where a question can be answered without Slack; undefined if it has no page. Only for people who are called. */
export type AnswerLink = (asked: { readonly question: string; readonly incident: IncidentRef }) => Promise<string | undefined>;

export function createAnswerLinks({ cards, publicUrl }: { readonly cards: AnswerStore; readonly publicUrl: string }): AnswerLink {
  return async ({ question, incident }) => {
    if (isOfLease(question)) {
      const stand = await leaseStand(cards, incident, question);
      return stand && `${publicUrl}${answerPrefix}${stand.buttonId}`;
    }
    for (let tries = 1; ; tries += 1) {
      const button = (await cards.buttonsOf(question)).find(stands);
      if (button && button.incident.id !== incident.id) return undefined;
      if (button) return `${publicUrl}${answerPrefix}${button.buttonId}`;
      if (tries === linkTries) return undefined;
      await sleep(linkEveryMs);
    }
  };
}

export interface AnswerPagesOptions {
  readonly cards: AnswerStore;
  readonly flow: Pick<SignInFlow, 'open'>;
  readonly roster: Roster;
  readonly asked: AskedQuestions;
  readonly publicUrl: string;
  readonly log: (message: string, error: unknown) => void;
}

/**
 * Questions as pages of the desk, for when Slack is down. Anyone with the link, which the pager sends, can read them; to decide, a person signs in at the
 * identity provider for exactly this answer. The requirements are the same as for a click and its dialog.
 */
export function createAnswerPages(options: AnswerPagesOptions): SignInPages {
  const { cards, flow, roster, asked: questions, publicUrl, log } = options;
  const person = personNames(roster);
  const forms = new BoundedBodies(formLimits);
  const people = roster.people.filter(({ subject }) => subject !== undefined);

  /** The standing questions about what is in force, so that a person called about one thing can also extend or release another. */
  async function further({ stand, known }: AskedOnPage): Promise<readonly PageLink[]> {
    if (!known) return [];
    const open = openOfLeases(known, stand.incident).filter(({ question }) => question.id !== stand.question);
    const links: PageLink[] = [];
    for (const one of open.slice(0, leasesShown)) {
      const page = await leaseStand(cards, stand.incident, one.question.id);
      if (page) links.push({ path: `${answerPrefix}${page.buttonId}`, text: standingText(one.question) });
    }
    return links;
  }

  async function show(
    response: ServerResponse,
    asked: AskedOnPage,
    typed: TypedAnswer,
    problems: readonly string[],
  ): Promise<void> {
    const { shown, known, current } = asked;
    const counted = (current?.votes ?? []).map(({ vote }) => ({
      at: vote.at,
      line: saidBy(person(vote.person), current ? labelIn(current.question, vote.choice) : vote.choice, vote),
    }));
    const refused = (known?.timeline ?? [])
      .filter(({ kind }) => kind === 'vote.refused')
      .map(({ at, actor, text }) => ({ at, line: `${person(actor.replace(/^person\//, ''))} was refused: ${text}` }));
    const said = [...counted, ...refused]
      .sort((one, other) => Date.parse(one.at) - Date.parse(other.at))
      .slice(-saidShown)
      .map(({ at, line }) => `${at.slice(11, 16)} UTC  ${line}`);
    const names = { person };
    const view = answerView({ asked: shown, current, said, further: await further(asked), names, people, typed, problems });
    sendPage(response, problems.length === 0 ? 200 : 422, view);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', publicUrl);
    const asked = await questions.find(pathname.slice(answerPrefix.length));
    if (request.method === 'GET') return show(response, asked, nothingTyped, []);
    if (request.method !== 'POST' || !isFromOwnPage(request, publicUrl))
      throw new FirebreakError('FB_ERR_REFUSED', 'That cannot be done here.');
    const typed = typedIn(await formIn(request, forms));
    // The signature covers what the page showed when it was submitted.
    if (typed.asked !== asked.shown.digest) return show(response, asked, { ...typed, choice: '' }, [changedSince]);
    const read = readAnswer(asked.shown, typed, people);
    if (!read.ok)
      return show(
        response,
        asked,
        typed,
        read.problems.map(({ text }) => text),
      );
    const { choice, person, reason, answers } = read;
    const button = await questions.buttonOf(asked, choice);
    const click = {
      clickId: `page-${randomBytes(18).toString('base64url')}`,
      slackUser: '',
      onPage: person.id,
      channel: '',
      button,
      ...(reason !== undefined && { reason: reasonToSign(reason) }),
      ...(answers && { answers }),
    };
    const { text, link } = await flow.open(click, { text: asked.shown.text, incident: asked.shown.incident.title, choice });
    if (link === undefined) return sendNotice(response, 403, 'Not accepted', text);
    response.writeHead(303, { ...pageHeaders, location: link });
    response.end();
  }

  return {
    handle: (request, response) => {
      answer(request, response).catch((error: unknown) => {
        request.resume();
        sendFault(response, error, (why) => log('an answer on the page failed', why));
      });
    },
  };
}

async function formIn(request: IncomingMessage, forms: BoundedBodies): Promise<URLSearchParams> {
  const body = await forms.read(request);
  if (body.ok) return new URLSearchParams(body.bytes.toString());
  if (body.status === 413) throw new FirebreakError('FB_ERR_REFUSED', 'Your answer is too long.');
  throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the form was cut off');
}

function typedIn(form: URLSearchParams): TypedAnswer {
  const of = (name: string): string => (form.get(name) ?? '').trim();
  // People are selected with checkboxes, so a field may occur more than once.
  const filled = [...new Set(form.keys())].filter((name) => name.startsWith(pageFieldPrefix));
  return {
    choice: of('choice'),
    person: of('person'),
    reason: of('reason'),
    target: of('target'),
    asked: of('asked'),
    form: Object.fromEntries(filled.map((name) => [name, form.getAll(name).join(',').trim()])),
  };
}
