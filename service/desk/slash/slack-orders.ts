import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { suppressibleIn } from '../../../core/alert/suppressible.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { StoredButton } from '../../../core/cards/card.ts';
import type { IncidentDraft, RestraintDraft, SuppressionDraft } from '../../../core/cards/card-store.ts';
import { type DecisionState, kindOf, type Propose } from '../../../core/decide/decision.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type IncidentRef, shortIncidentId } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { Signer } from '../../../core/messages/signing.ts';
import type { DeadlineDraft, DeadlineOrder } from '../../../core/orders/deadline-order.ts';
import type { IncidentTerms, StartIncident } from '../../../core/orders/incident-order.ts';
import { controlIdOf, type DecisionKind, type EndDecision } from '../../../core/orders/order.ts';
import { endChoice, endDigest, type RestraintMode } from '../../../core/orders/restraint.ts';
import { type Person, personBySlackId } from '../../../core/people/roster.ts';
import type { SlackOrder } from '../../../integrations/slack/door/order-dialogs.ts';
import { linkText } from '../../../integrations/slack/views/link.ts';
import { code, inline, linesUpTo } from '../../../integrations/slack/views/text.ts';
import type { Config } from '../../config/load.ts';
import { playbooksOf } from '../../config/packs.ts';
import {
  decisionIn,
  endDecision,
  endNeedsSignIn,
  giveDeadlineOrder,
  noteOn,
  proposeDecision,
  signedProposal,
  signedWith,
  startedText,
  startIncident,
  whoMustAgree,
} from '../../incidents/orders.ts';
import { controlState, incidentState, type Session, sessionOver } from '../../incidents/session.ts';
import type { TrustedClick } from '../click-votes.ts';
import type { SignInFlowOptions } from '../pages/sign-in-flow.ts';
import type { AnsweredChoice, SignIns } from '../pages/sign-ins-desk.ts';

/** Decisions that can be ended in Slack. */
type Noun = Exclude<DecisionKind['noun'], 'promotion'>;

interface SlackOrdersOptions {
  readonly config: Config;
  readonly signer: Signer;
  /** The proven records of a chain: they show which alerts of an incident could be hidden. */
  readonly records: (chain: string) => Promise<readonly AuditRecord[]>;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly signIns: Pick<SignIns, 'open'>;
  readonly refused: (refusal: {
    readonly reason: string;
    readonly person: string;
    readonly choice: string;
    readonly incident?: string;
  }) => void;
  readonly now?: () => number;
}

interface EndAsked {
  readonly session: Session;
  readonly person: Person;
  readonly noun: Noun;
  readonly id: string;
  readonly reason: string;
}

export interface SlackOrders {
  /** What this person may propose to hide for the incident, or why nothing. */
  suppressionDraft(asked: {
    readonly person: Person;
    readonly state: IncidentState;
  }): Promise<{ readonly opens: SuppressionDraft } | { readonly text: string }>;
  /** `incident`: as it was typed. */
  restraintDraft(person: Person, mode: RestraintMode, incident?: string): RestraintDraft;
  /** The dialog for the person who used the shortcut, or why there is none. */
  incidentDraft(
    slackUser: string,
    message: NonNullable<IncidentDraft['message']>,
  ): { readonly opens: IncidentDraft } | { readonly text: string };
  /** Accepts a submitted dialog. `announce`: a text for everybody, below the message that it was started from. */
  take(order: SlackOrder): Promise<{ readonly text: string; readonly announce?: string }>;
  /** Returns the resulting incident. @throws FB_ERR_VOTE_REFUSED with the cell’s reason, FB_ERR_UNAVAILABLE. */
  start(asked: {
    readonly session: Session;
    readonly person: Person;
    /** The same value each time that the same order is given. */
    readonly from: string;
    readonly terms: Pick<IncidentTerms, 'wish' | 'pod' | 'severity' | 'reason' | 'link'>;
  }): Promise<{ readonly incident: string }>;
  /** Returns mrkdwn; if a sign-in is needed, with the link to it. @throws FB_ERR_REFUSED, FB_ERR_VOTE_REFUSED, FB_ERR_UNAVAILABLE. */
  end(
    asked: EndAsked & { readonly command: Pick<TrustedClick, 'slackUser' | 'channel'> & { readonly commandId: string } },
  ): Promise<string>;
  /** Time of an incident's first alert, according to the records. ISO 8601. @throws FB_ERR_REFUSED if it is not on record */
  openedAt(incident: IncidentRef): Promise<string>;
  /** Puts on record that an authority has to be notified. @throws as `start` */
  deadline(asked: { readonly session: Session; readonly person: Person }, draft: DeadlineDraft): Promise<void>;
  /** After the sign-in. */
  endSignedIn: NonNullable<SignInFlowOptions['ends']>;
}

const hasOrdered = 'You ordered this incident, so only somebody else may suppress it. It is on the record.';
const namedAsActor = 'An alert of this incident names you as the actor: you may not suppress it. It is on the record.';

/**
 * Orders that people give in Slack: signed by the desk for the person whom Slack vouches for, accepted by the control workflow like those from the command
 * line, and checked in the cell by the same rules.
 */
export function createSlackOrders(options: SlackOrdersOptions): SlackOrders {
  const { config, signer, records, client, signIns, refused, now = Date.now } = options;
  const { cluster } = config;

  const known = (slackUser: string, about: { readonly choice: string; readonly incident?: string }): Person | undefined => {
    const person = personBySlackId(config.roster, slackUser);
    if (!person) refused({ reason: 'not on the roster', person: `slack/${slackUser}`, ...about });
    return person;
  };

  /** The reason why this person may not hide what this incident is about. */
  const maySuppress = (person: Person, { actors = [], requesters = [], incident }: IncidentState): string | undefined => {
    const [reason, text] = actors.includes(person.id)
      ? ['named as the actor', namedAsActor]
      : requesters.includes(person.id)
        ? ['has ordered it', hasOrdered]
        : [];
    if (reason !== undefined) refused({ reason, person: `person/${person.id}`, choice: 'suppress', incident: incident.id });
    return text;
  };

  const propose = async (session: Session, order: Propose): Promise<{ readonly text: string }> => {
    const kind = kindOf(order);
    const { id, until } = order.terms;
    await proposeDecision(session, await signedProposal(order, signer));
    const text = `Proposed as ${id}: ${kind.title}, until ${until}. Nothing has changed yet. ${whoMustAgree(kind)}: the card is in the channel.`;
    const note = await noteOn(session, order);
    return { text: note === undefined ? text : `${text} ${note}` };
  };

  const start: SlackOrders['start'] = async ({ session, person, from, terms }) => {
    const at = new Date(now()).toISOString();
    const whole: IncidentTerms = { version: 1, id: idFor('incident', from), cluster, ...terms };
    const order: StartIncident = { version: 1, kind: 'incident.start', person: person.id, at, terms: whole, via: 'slack' };
    return { incident: shortIncidentId(await startIncident(session, await signedWith(order, signer)), cluster) };
  };

  const giveEnd = async ({ session, person, noun, id, reason }: EndAsked, idToken?: string): Promise<string> => {
    const at = new Date(now()).toISOString();
    const order: EndDecision = {
      version: 1,
      kind: `${noun}.end`,
      person: person.id,
      at,
      cluster,
      decision: id,
      reason,
      via: 'slack',
    };
    const signed = await signedWith(order, signer);
    const { text } = await endDecision(session, { ...signed, ...(idToken !== undefined && { idToken }) });
    return text;
  };

  const handle = async (order: SlackOrder, session: Session, person: Person): ReturnType<SlackOrders['take']> => {
    const { dialogId: from, reason } = order;
    if (order.about === 'incident') {
      const { wish, pod, severity, link } = order;
      const terms = { wish, pod, severity, reason, ...(link === undefined ? {} : { link }) };
      const { incident } = await start({ session, person, from, terms });
      const announce = `${person.name} started the incident ${incident} from this message.`;
      return { text: slackStartedText(incident, terms), announce };
    }
    const at = new Date(now()).toISOString();
    const given = { version: 1, person: person.id, at, via: 'slack' } as const;
    const until = new Date(order.until).toISOString();
    // Each dialog makes one proposal, however often it is submitted.
    const terms = { version: 1, id: idFor(order.about, from), cluster, owner: person.id, reason, from: at, until } as const;
    if (order.about === 'restraint') {
      const { draft, scope } = order;
      return propose(session, { ...given, kind: 'restraint.propose', terms: { ...terms, mode: draft.mode, scope } });
    }
    // Checked again: an alert may have named this person since the dialog was opened.
    const state = await incidentState(session, order.draft.incident);
    const refusal = maySuppress(person, state);
    if (refusal !== undefined) return { text: refusal };
    const { kind, upTo } = order;
    const actors = excludedFrom(state);
    return propose(session, {
      ...given,
      kind: 'suppression.propose',
      terms: { ...terms, match: kind.match, upTo },
      ...(actors.length > 0 && { actors }),
    });
  };

  return {
    suppressionDraft: async ({ person, state }) => {
      const refusal = maySuppress(person, state);
      if (refusal !== undefined) return { text: refusal };
      const { incident, title, subject } = state;
      const suppressible = suppressibleIn(await records(`${incident.id}@${incident.run}`));
      if (suppressible.kinds.length === 0) return { text: nothingToHide(suppressible.not) };
      return { opens: { ...suppressible, incident: { ...incident, title, cluster: subject.cluster }, owner: person.name } };
    },

    restraintDraft: ({ name }, mode, incident) => ({
      mode,
      cluster,
      owner: name,
      playbooks: playbooksOf(config).map(({ id, title }) => ({ id, title })),
      ...(incident === undefined ? {} : { incident }),
    }),

    incidentDraft: (slackUser, message) => {
      const person = known(slackUser, { choice: 'start' });
      if (!person) return { text: notOnRoster('started') };
      return { opens: { wish: 'look', cluster, owner: person.name, message } };
    },

    take: async (order) => {
      const done = order.about === 'incident' ? 'started' : 'proposed';
      const person = known(order.slackUser, aboutOf(order));
      if (!person) return { text: notOnRoster(done) };
      const connected = client();
      if (!connected) return { text: `Temporal does not answer yet: nothing was ${done}. Try again in a moment.` };
      return told(() => handle(order, sessionOver(config, connected), person));
    },

    start,

    end: async (asked) => {
      const { session, noun, id, reason, command } = asked;
      const found = decisionIn(await controlState(session), noun, id);
      if (!found || !endNeedsSignIn(config, found)) return inline(await giveEnd(asked), 500);
      const { click, answered } = endToSign({ found, reason, command, cluster });
      return linkText({ ...(await signIns.open(click, answered)), goesOn: 'Sign in and end it' });
    },

    openedAt: async ({ id, run }) => {
      const opened = (await records(`${id}@${run}`)).find(({ kind }) => kind === 'incident.opened');
      if (!opened) throw new FirebreakError('FB_ERR_REFUSED', 'the beginning of this incident is not on record yet: try again');
      return opened.at;
    },

    deadline: async ({ session, person }, draft) => {
      const at = new Date(now()).toISOString();
      const order: DeadlineOrder = { version: 1, person: person.id, at, cluster, via: 'slack', ...draft };
      await giveDeadlineOrder(session, await signedWith(order, signer));
    },

    endSignedIn: async ({ restraint: id, person, reason, idToken }) => {
      const connected = client();
      if (!connected) return { text: 'Temporal does not answer just now. Nothing has ended; open the link again.' };
      const session = sessionOver(config, connected);
      return told(async () => {
        const text = await giveEnd({ session, person, noun: 'restraint', id, reason }, idToken);
        return { text, taken: true };
      });
    },
  };
}

/** Reports known errors as they are. */
async function told<Answer extends { readonly text: string }>(
  work: () => Promise<Answer>,
): Promise<Answer | { readonly text: string }> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FirebreakError) return { text: `${error.detail} (${error.code})` };
    throw error;
  }
}

/** 16 hex digits, the same however often the dialog is submitted. */
function idFor(about: SlackOrder['about'], from: string): string {
  return createHash('sha256').update(`${about} ${from}`).digest('hex').slice(0, 16);
}

function notOnRoster(done: string): string {
  return `You are not on the roster, so nothing was ${done}. It is on the record.`;
}

/** For the record of the refusal. */
function aboutOf(order: SlackOrder): { readonly choice: string; readonly incident?: string } {
  if (order.about === 'suppression') return { choice: 'suppress', incident: order.draft.incident.id };
  return { choice: order.about === 'restraint' ? order.draft.mode : 'start' };
}

/** People whom the alerts name, and people who ordered any of them: they can neither propose nor approve it. */
function excludedFrom({ actors = [], requesters = [] }: IncidentState): readonly string[] {
  return [...new Set([...actors, ...requesters])];
}

function nothingToHide(not: SuppressionDraft['not']): string {
  if (not.length === 0) return 'The alerts of this incident are not on record yet. Try again in a moment.';
  return ['No alert of this incident can be suppressed:', ...not.map(({ rule, why }) => `• ${rule}: ${why}`)].join('\n');
}

/** The reply to the person who ordered it. */
export function slackStartedText(incident: string, terms: Pick<IncidentTerms, 'wish' | 'pod'>): string {
  return `${startedText(incident, terms)} /firebreak show ${incident}`;
}

/** The order in the form of an answer for the sign-in pages: the signature names exactly what is ended. */
function endToSign(asked: {
  readonly found: DecisionState;
  readonly reason: string;
  readonly command: Parameters<SlackOrders['end']>[0]['command'];
  readonly cluster: string;
}): { readonly click: TrustedClick; readonly answered: AnsweredChoice } {
  const { found, reason, command, cluster } = asked;
  const { order } = found.proposal;
  const { id, until } = order.terms;
  const { title, plan } = kindOf(order);
  const button: StoredButton = {
    buttonId: '',
    incident: { id: controlIdOf(cluster), run: '' },
    question: found.question,
    questionDigest: endDigest({ cluster, decision: id, reason }),
    choice: endChoice,
    label: 'End it',
    groups: [],
    requester: '',
  };
  const { commandId: clickId, slackUser, channel } = command;
  return {
    click: { clickId, slackUser, channel, button, reason, ends: id },
    answered: {
      card: { text: `End the ${title}?`, incident: { title: `decisions of ${cluster}` } },
      choice: {
        label: 'End it',
        changes: [`the ${title} (${id}) no longer applies; otherwise it lasts until ${until}`],
        blastRadius: plan.blastRadius,
        notes: [],
      },
    },
  };
}

const listed: Readonly<Record<Noun, { readonly none: string; readonly end: string }>> = {
  suppression: { none: 'Nothing is hidden, and nothing is proposed.', end: '/firebreak suppress end ID REASON' },
  restraint: { none: 'Nothing is frozen, and nothing is proposed.', end: '/firebreak unfreeze ID REASON' },
};

/** What is in force and what is proposed, and what is needed to end it. Mrkdwn. */
export async function decisionsText(session: Session, noun: Noun): Promise<string> {
  const { decisions } = await controlState(session);
  const lines = decisions.flatMap(({ proposal: { order }, status: { state } }) => {
    const kind = kindOf(order);
    if (kind.noun !== noun || (state !== 'proposed' && state !== 'active')) return [];
    const { id, until, owner, reason } = order.terms;
    const end = until.replace('T', ' ').slice(0, 16);
    return `•  ${code(id, 20)}  *${state}*  ${inline(kind.title, 300)}, until ${end} UTC; ${inline(owner, 100)} is responsible for it: ${inline(reason, 200)}`;
  });
  return lines.length === 0
    ? listed[noun].none
    : linesUpTo([`*What can be ended*  with \`${listed[noun].end}\``, ...lines], 8_000);
}
