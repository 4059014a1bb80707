import { App, LogLevel, type RespondFn } from '@slack/bolt';
import { LRUCache } from 'lru-cache';
import type { MessageRef, Notice, QuestionCard, ThreadPost } from '../../core/cards/card.ts';
import type { CardStore } from '../../core/cards/card-store.ts';
import { codeOf } from '../../core/errors.ts';
import type { ClickAnswer } from '../../core/incident/click-reply.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';
import { type AskedCard, Groups } from './cards/groups.ts';
import { type Crowding, OverflowThread } from './cards/overflow-thread.ts';
import { QuestionCards } from './cards/question-cards.ts';
import { ShownCards } from './cards/shown-cards.ts';
import { callSlack, createSlackClient, type SlackEndpoint, silentLogger, slackClientOptions } from './client.ts';
import type { EphemeralAnswer, LinkAnswer } from './door/arrived.ts';
import { type Click, ClickChecks } from './door/click.ts';
import { ClickAnswers } from './door/click-answers.ts';
import { CommandDoor, type CommandHandlers } from './door/command-door.ts';
import { Dialogs } from './door/dialogs.ts';
import { Door, type MenuAnswer } from './door/door.ts';
import { GatheredAnswers } from './door/gathered-answers.ts';
import { GroupDoor } from './door/group-door.ts';
import { OrderDialogs, type OrderHandlers } from './door/order-dialogs.ts';
import { Receipts } from './door/receipts.ts';
import { HttpReceiver } from './door/receiver.ts';
import { SenderChecks } from './door/sender.ts';
import { RequestVerifier } from './door/signature.ts';
import { SocketReceiver } from './door/socket.ts';
import { SubmissionChecks } from './door/submission.ts';
import { UnansweredRequests } from './door/unanswered.ts';
import { ContentRefused, NeedsOperator } from './fault.ts';
import { SlackPeople } from './people.ts';
import { createAnnounce } from './post/announcing.ts';
import { DirectMessages } from './post/direct-messages.ts';
import { showNotice } from './post/notice.ts';
import { type Pace, realPace } from './post/pace.ts';
import { Permalinks } from './post/permalinks.ts';
import { Posting } from './post/posting.ts';
import { IncidentThreads } from './post/threads.ts';
import type { ClickRefusal } from './refusal.ts';
import { linkBlocks } from './views/link.ts';
import { timed } from './views/text.ts';

export interface SlackDeskOptions extends SlackEndpoint, OrderHandlers, CommandHandlers {
  readonly appId: string;
  readonly teamId: string;
  readonly botToken: string;
  /** The current secret and, during rotation, the other one. */
  readonly signingSecrets: readonly string[];
  /** If set, Slack’s requests arrive by Socket Mode and none by HTTP. */
  readonly appToken?: string | undefined;
  /** The channel's id. */
  readonly channel: string;
  readonly cards: CardStore;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly pace?: Pace;
  /** How long an incident may take to answer a click before the person gets a receipt. Absent: 4 s. */
  readonly receiptAfterMs?: number;
  /** Checks against the roster whether this person's click could count at all; a dialog opens only then. */
  readonly mayAnswer: (click: Click) => Promise<{ readonly refusal?: string }>;
  /** If people have too much in the channel, a card goes into the thread of a summary: the new one, or a less severe one. */
  readonly crowding: Crowding;
  /** Checks the roster, signs and votes. Its text is shown to the person who clicked. */
  readonly onClick: (click: Click) => Promise<{ readonly text: string; readonly taken?: true }>;
  /** The same for an answer that also needs a sign-in: the link is shown to the person who clicked. */
  readonly onSignIn: (
    click: Click,
    about: { readonly card: QuestionCard; readonly choice: QuestionCard['choices'][number] },
  ) => Promise<LinkAnswer>;
  /** Handles what the card offers in addition to its choices: see `cardMenu`. */
  readonly onMenu: (click: Click) => Promise<MenuAnswer>;
  /** For the record: called for everything refused before `onClick`. */
  readonly onRefused: (refusal: ClickRefusal) => Promise<void> | void;
  /** A request that is not proven to come from Slack. Only count these: there may be any number of them. */
  readonly onUnproven: (refusal: ClickRefusal) => void;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
}

export interface SlackDesk {
  /** Mount this at the app's Request URL for interactions; undefined in Socket Mode. */
  readonly listener: HttpReceiver['listener'] | undefined;
  /** Starts listening if that needs a connection of our own (Socket Mode). */
  open(): Promise<void>;
  close(): Promise<void>;
  /**
   * Posts the question's card once, however often it is called, or adds it to the card of a similar question. Throws FB_ERR_UNAVAILABLE (maybe
   * RetryLaterError), FB_ERR_REFUSED.
   */
  postQuestion(question: AskedCard): Promise<MessageRef>;
  /** Edits the card in place. Throws FB_ERR_NOT_FOUND if it was never posted. */
  updateQuestion(question: { readonly card: QuestionCard }): Promise<void>;
  /** Posts one line in the incident's thread, and starts the thread if there is none. Posted once per key. */
  /** @param called accounts that it mentions: it is then shown in the channel, too */
  postInThread(post: ThreadPost, called?: readonly string[]): Promise<MessageRef>;
  /** Returns the address of the incident's thread. Undefined if there is no thread yet, or Slack does not return its address. */
  threadUrl(incident: IncidentRef): Promise<string | undefined>;
  /** Shows a message that belongs to no incident: posted once per key, then edited in place. */
  showNotice(notice: Notice): Promise<MessageRef>;
  /** Shown only to the person who clicked. */
  answerClick(answer: ClickAnswer): Promise<void>;
}

/** Creates a desk that uses Slack to ask people and collect their answers: cards out, clicks in. */
export function createSlackDesk(options: SlackDeskOptions): SlackDesk {
  const { appId, teamId, botToken, cards, channel, log, pace = realPace } = options;
  const now = options.now ?? Date.now;
  const endpoint = { apiUrl: options.apiUrl, timeoutMs: options.timeoutMs };
  const client = createSlackClient({ botToken, ...endpoint });
  const operator = new OperatorLines(log);
  const posting = new Posting({ client, cards, appId, pace, onFault: (error) => operator.tell(error) });
  const shown = new ShownCards({ cards, now });
  const permalinks = new Permalinks(client);
  const threads = new IncidentThreads({ cards, posting, channel, permalinks });
  const overflow = new OverflowThread({
    cards,
    shown,
    crowding: options.crowding,
    showNotice: (notice) => desk.showNotice(notice),
    onFault: (error) => log('the summary of further questions was not updated', { error: codeOf(error) }),
    pace,
    now,
  });
  const groups = new Groups({ cards, shown, overflow, now });
  const direct = new DirectMessages({
    client,
    cards,
    permalinks,
    onFault: (error) => log('a direct message was not sent', { error: codeOf(error) }),
    now,
  });
  const questions = new QuestionCards({ cards, shown, posting, threads, direct, overflow, groups, channel, pace, now });
  const answers = new ClickAnswers({ replies: cards, gathered: new GatheredAnswers(tellOne, pace), log });

  function refused(refusal: ClickRefusal): void {
    log('slack request refused', { reason: refusal.reason, detail: refusal.detail });
    Promise.resolve()
      .then(() => options.onRefused(refusal))
      .catch((error: unknown) => log('refusal not recorded', { error: codeOf(error) }));
  }

  const onFault = (error: unknown): void => log('slack request failed', { error: codeOf(error) });
  const hears = { onRefused: refused, onFault };
  const { appToken } = options;
  const receiver =
    appToken === undefined
      ? new HttpReceiver({
          verifier: new RequestVerifier({ secrets: options.signingSecrets, now }),
          onUnproven: options.onUnproven,
          ...hears,
        })
      : new SocketReceiver({ appToken, appId, log, ...endpoint, ...hears });
  const app = new App({
    receiver,
    // Makes no call to Slack before a click is checked: our own identity comes from the configuration.
    authorize: async () => ({ botToken, teamId, botId: appId, botUserId: appId }),
    convoStore: false,
    ignoreSelf: false,
    attachFunctionToken: false,
    clientOptions: slackClientOptions(endpoint),
    logger: silentLogger,
    logLevel: LogLevel.ERROR,
  });
  app.error(async (error) => onFault(error));

  const sender = new SenderChecks({ appId, teamId, people: new SlackPeople({ client, teamId, now }) });
  const clicks = new ClickChecks({ cards, sender, lookFor: (question) => questions.lookFor(question) });
  const dialogs = new Dialogs({ client, cards, now });
  const announce = createAnnounce({ posting, pace, log });
  const permalink = (message: MessageRef) => permalinks.of(message);
  const orders = new OrderDialogs({ ...options, dialogs, permalink, announce, log, now });
  const { mayAnswer, onClick } = options;
  const unanswered = new UnansweredRequests({ store: cards, permalinks, tell: tellOne, log, now });
  const receipts = new Receipts(cards, options.receiptAfterMs);
  const door = new Door({
    receipts,
    clicks,
    submissions: new SubmissionChecks({ cards, sender, clicks, now }),
    shown,
    dialogs,
    mayAnswer,
    onClick,
    onSignIn: options.onSignIn,
    onMenu: options.onMenu,
    commands: new CommandDoor({ ...options, orders, sender, refused }),
    orders,
    groups: new GroupDoor({ cards, shown, dialogs, mayAnswer, onClick, receipts, tell: answer, log }),
    unanswered,
    refused,
    tell: answer,
    log,
    now,
  });
  // This runs before all of Bolt's listeners, and there are none: Slack's requests go through our own door.
  app.use(async ({ body, ...rest }) => {
    const ack = async (content?: object): Promise<void> => {
      if ('ack' in rest && typeof rest.ack === 'function') await (rest.ack as (content?: object) => Promise<void>)(content);
    };
    await door.take({ body, ack, respond: 'respond' in rest ? rest.respond : undefined });
  });

  /** Also works if Slack is rate-limiting or the person is not in the channel: then it uses the click's own `response_url`. */
  async function answer(reply: EphemeralAnswer, respond: RespondFn | undefined): Promise<void> {
    try {
      await tellOne(reply);
    } catch (error) {
      log('click not answered in the channel', { error: codeOf(error) });
      const shown = { text: timed(reply.text, 2_900), ...linkBlocks(reply) };
      await respond?.({ ...shown, response_type: 'ephemeral', replace_original: false }).catch(() =>
        log('click not answered', { error: 'FB_ERR_UNAVAILABLE' }),
      );
    }
  }

  async function tellOne({ channel: where, user, ...told }: EphemeralAnswer): Promise<void> {
    const shown = { text: timed(told.text, 2_900), ...linkBlocks(told) };
    await callSlack('chat.postEphemeral', () =>
      client.chat.postEphemeral({ channel: where, user, ...shown, parse: 'none', link_names: false }),
    );
  }

  const desk: SlackDesk = {
    listener: receiver instanceof HttpReceiver ? receiver.listener : undefined,
    open: () => {
      unanswered.start();
      return receiver.start();
    },
    close: async () => {
      overflow.stop();
      unanswered.stop();
      await receiver.stop();
    },

    postQuestion: (question) => operator.heard(questions.post(question)),
    updateQuestion: ({ card }) => operator.heard(questions.update(card)),
    postInThread: (post, called) => operator.heard(threads.post(post, called)),
    threadUrl: (incident) => threads.urlOf(incident),
    showNotice: (notice) => operator.heard(showNotice({ cards, posting, channel }, notice)),
    answerClick: (answer) => answers.tell(answer),
  };
  return desk;
}

const repeatedAfterMs = 5 * 60_000;
const mostRemembered = 100;

/** Logs problems that only a person can fix, with what to do: immediately, then every five minutes while they last. */
class OperatorLines {
  readonly #log: (message: string, facts: Readonly<Record<string, string>>) => void;
  readonly #said: LRUCache<string, true>;

  constructor(log: (message: string, facts: Readonly<Record<string, string>>) => void, now: () => number = Date.now) {
    this.#log = log;
    this.#said = new LRUCache({ max: mostRemembered, ttl: repeatedAfterMs, ttlResolution: 0, perf: { now } });
  }

  /** Returns the same outcome, and logs a line if it needs one. */
  async heard<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      this.tell(error);
      throw error;
    }
  }

  tell(error: unknown): void {
    if (!(error instanceof NeedsOperator || error instanceof ContentRefused)) return;
    const { detail, code } = error;
    if (this.#said.has(detail)) return;
    this.#said.set(detail, true);
    const what =
      error instanceof NeedsOperator
        ? 'Slack cannot be used until somebody fixes this; the questions wait'
        : 'a message was shortened before it was sent';
    this.#log(what, { error: code, detail });
  }
}
