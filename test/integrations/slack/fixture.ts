import { createServer } from 'node:http';
import type { MessageRef, QuestionCard, ShownCard, StoredButton } from '../../../core/cards/card.ts';
import type { CardGroup, GroupButton } from '../../../core/cards/card-group.ts';
import type { CardStore, LeaseDraft, OpenModal, RestraintDraft, SuppressionDraft } from '../../../core/cards/card-store.ts';
import { type ClickReply, mostAnswers, type ReplyTo } from '../../../core/incident/click-reply.ts';
import type { Unanswered } from '../../../core/incident/unanswered.ts';
import { createSlackDesk, type SlackDesk, type SlackDeskOptions } from '../../../integrations/slack/desk.ts';
import type { SlackLeaseAnswer, SlackOrder } from '../../../integrations/slack/door/order-dialogs.ts';
import type { ClickRefusal } from '../../../integrations/slack/refusal.ts';
import { eventually } from '../../eventually.ts';
import { type ClickOptions, patience, type SlackEmulator, startSlackEmulator } from '../../fakes/slack/index.ts';
import type { FakeMessage } from '../../fakes/slack/world.ts';

export const appId = 'A0FIREBREAK';
export const teamId = 'T0ACME';
export const channel = 'C0SECURITY';
/** The target of the question in `questionCard`. */
export const target = 'shop/cart-7d9c5b6f4-x2x8k';
export const signingSecret = '8f742231b10e8888abcd99yyyzzz85a5';
export const botToken = 'xoxb-not-a-real-token';
export const appToken = 'xapp-not-a-real-token';

export const users = [
  { id: 'U0ADA', name: 'ada', realName: 'Ada Lovelace', title: 'On call' },
  { id: 'U0GRACE', name: 'grace', realName: 'Grace Hopper', title: 'Security lead' },
  { id: 'U0MALLORY', name: 'mallory', realName: 'Mallory Malik', title: 'Marketing' },
  { id: 'U0BOT', name: 'helpful-bot', isBot: true },
  { id: 'U0GONE', name: 'gone', deleted: true },
  { id: 'U0GUEST', name: 'guest', isRestricted: true },
  { id: 'U0ONECHANNEL', name: 'onechannel', isUltraRestricted: true },
  { id: 'U0STRANGER', name: 'stranger', isStranger: true },
] as const;

export const channels = [
  { id: channel, name: 'security-incidents', topic: 'Firebreak asks here' },
  { id: 'C0OTHER', name: 'random' },
  { id: 'C0CLOSED', name: 'closed', botIsMember: false },
] as const;

/** Keeps cards in this process: the interface's own words, nothing more. */
export class MemoryCards implements CardStore {
  readonly buttons = new Map<string, StoredButton>();
  readonly messages = new Map<string, MessageRef>();
  async saveButtons(buttons: readonly StoredButton[]): Promise<void> {
    for (const button of buttons) this.buttons.set(button.buttonId, button);
  }
  async replaceButtons(buttons: readonly StoredButton[]): Promise<void> {
    for (const { question, choice } of buttons)
      for (const one of await this.buttonsOf(question)) if (one.choice === choice) this.buttons.delete(one.buttonId);
    await this.saveButtons(buttons);
  }
  async button(buttonId: string): Promise<StoredButton | undefined> {
    return this.buttons.get(buttonId);
  }
  async buttonsOf(question: string): Promise<readonly StoredButton[]> {
    return [...this.buttons.values()].filter((button) => button.question === question);
  }
  readonly shown = new Map<string, string>();
  readonly modals = new Map<string, OpenModal>();
  async saveCard(shown: ShownCard): Promise<void> {
    this.shown.set(shown.card.questionId, JSON.stringify(shown));
  }
  async card(question: string): Promise<ShownCard | undefined> {
    const shown = this.shown.get(question);
    return shown === undefined ? undefined : JSON.parse(shown);
  }
  async openCards(): Promise<readonly ShownCard[]> {
    return [...this.shown.values()].map((text): ShownCard => JSON.parse(text)).filter(({ card }) => card.status.state === 'open');
  }
  readonly groups = new Map<string, CardGroup>();
  readonly groupClicks = new Map<string, GroupButton>();
  async saveGroup(group: CardGroup): Promise<void> {
    this.groups.set(group.groupId, group);
  }
  async group(groupId: string): Promise<CardGroup | undefined> {
    return this.groups.get(groupId);
  }
  async openGroup(likeness: string): Promise<CardGroup | undefined> {
    return [...this.groups.values()].findLast((group) => group.open && group.likeness === likeness);
  }
  async saveGroupButtons(buttons: readonly GroupButton[]): Promise<void> {
    for (const button of buttons) this.groupClicks.set(button.buttonId, button);
  }
  async groupButtons(groupId: string): Promise<readonly GroupButton[]> {
    const all = [...this.groupClicks.values()].filter((button) => button.groupId === groupId);
    return all.filter(({ shownAt }) => shownAt === all.at(-1)?.shownAt);
  }
  async groupButton(buttonId: string): Promise<GroupButton | undefined> {
    return this.groupClicks.get(buttonId);
  }
  readonly replies = new Map<string, ClickReply & { readonly answers: number }>();
  async saveReply(reply: ClickReply): Promise<void> {
    this.replies.set(reply.click, { ...reply, answers: 0 });
  }
  async reply(click: string): Promise<ClickReply | undefined> {
    const found = this.replies.get(click);
    return found && found.answers < mostAnswers ? found : undefined;
  }
  async wasAnswered(click: string): Promise<boolean> {
    return (this.replies.get(click)?.answers ?? 0) > 0;
  }
  async answered(click: string): Promise<void> {
    const found = this.replies.get(click);
    if (found) this.replies.set(click, { ...found, answers: found.answers + 1 });
  }
  readonly unanswered = new Map<string, Unanswered>();
  /** Number of queries for unanswered cards. */
  looks = 0;
  async saveUnanswered(one: Unanswered): Promise<void> {
    this.unanswered.set(one.id, one);
  }
  async forgetUnanswered(id: string): Promise<void> {
    this.unanswered.delete(id);
  }
  async takeUnanswered(before: number): Promise<readonly Unanswered[]> {
    this.looks += 1;
    const old = [...this.unanswered.values()].filter(({ at }) => at < before);
    for (const { id } of old) this.unanswered.delete(id);
    return old;
  }
  async saveModal(modal: OpenModal): Promise<void> {
    this.modals.set(modal.modalId, modal);
  }
  async modal(modalId: string): Promise<OpenModal | undefined> {
    return this.modals.get(modalId);
  }
  async saveMessage(key: string, message: MessageRef): Promise<void> {
    this.messages.set(key, message);
  }
  async message(key: string): Promise<MessageRef | undefined> {
    return this.messages.get(key);
  }
  async forgetMessage(key: string): Promise<void> {
    this.messages.delete(key);
  }
}

export const incident = {
  id: 'incident/prod-1/shop/Deployment/cart',
  run: 'run-1',
  title: 'deployment/shop/cart',
  severity: 'critical',
  cluster: 'prod-1',
} as const;

export function questionCard(changes: Partial<QuestionCard> = {}): QuestionCard {
  return {
    incident,
    questionId: 'question-1',
    questionDigest: 'sha256:aaaa',
    text: 'Is the new binary in cart-7d9c5b6f4-x2x8k expected?',
    happened: {
      rule: 'Drop and execute new binary in container',
      sensor: 'falco',
      at: '2026-03-01T14:02:11.123Z',
      count: 3,
      pod: target,
      tactics: ['TA0003', 'TA0002'],
      image: 'registry.example.com/shop/cart:1.4.2',
      rollout: { revision: '12', at: '2026-03-01T13:20:00Z' },
      process: '/tmp/.x/kdevtmpfsi',
      user: 'root',
      commandLine: '/tmp/.x/kdevtmpfsi -o pool.example.net:3333 --tls && rm -f /tmp/.x/*',
    },
    similar: {
      by: 'image',
      days: 90,
      total: 4,
      verdicts: { benign: 3, true_positive: 1 },
      latest: [
        { id: 'incident/prod-1/shop/Deployment/cart', run: 'run-0', at: '2026-02-20T09:12:00Z', verdict: 'benign' },
        { id: 'incident/prod-2/shop/Deployment/cart', run: 'run-7', at: '2026-02-02T22:40:00Z', verdict: 'true_positive' },
      ],
    },
    contained: [
      {
        action: 'quarantinePod',
        target: `pod/${target}`,
        state: 'unverified',
        detail: 'applied; labels and policy are read back, but no probe was made',
        since: '2026-03-01T14:02:11.200Z',
        until: '2026-03-01T18:02:11.200Z',
      },
    ],
    left: {
      workload: 'deployment/shop/cart',
      at: '2026-03-01T14:02:11.900Z',
      ready: 2,
      pods: 3,
      services: ['cart'],
      budgets: ['cart'],
      secrets: ['cart-db', 'registry-pull'],
    },
    evidence: [
      { name: 'pod.yaml', sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', bytes: 8_412 },
      { name: 'logs/cart.txt', sha256: '60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752', bytes: 2_204_111 },
    ],
    choices: [
      {
        id: 'release',
        label: 'Yes: release pod',
        actions: ['undo:quarantinePod'],
        quorum: 2,
        destructive: false,
        weakens: true,
        changes: ['Give the pod its labels back; the quarantine ends'],
        blastRadius: ['Pod/shop/cart-7d9c5b6f4-x2x8k'],
        notes: [],
      },
      {
        id: 'remove',
        label: 'No: rotate secrets and delete pod',
        actions: ['rotateSecret', 'deletePod'],
        quorum: 1,
        destructive: true,
        weakens: false,
        target: 'pod/shop/cart-7d9c5b6f4-x2x8k',
        changes: ['Write a new Secret cart-db-2 and roll Deployment cart onto it', 'Delete pod cart-7d9c5b6f4-x2x8k'],
        blastRadius: ['Secret/shop/cart-db', 'Deployment/shop/cart', 'Pod/shop/cart-7d9c5b6f4-x2x8k'],
        notes: ['2 of 3 replicas stay ready'],
      },
    ],
    votes: [],
    onSilence: 'The pod stays quarantined. Nothing is deleted.',
    level: { group: 'oncall', until: '2026-03-01T14:17:11Z', next: 'leads', number: 0 },
    status: { state: 'open' },
    ...changes,
  };
}

/** A card whose choices all change nothing: one click decides. */
export const plainCard = questionCard({
  choices: [
    { id: 'keep', label: 'Keep it', quorum: 1, destructive: false, weakens: false, changes: [], blastRadius: [], notes: [] },
  ],
});
/** The click on its choice. */
export const keep: ClickOptions = { user: 'U0ADA', actionId: 'fb_vote0' };

export const draft: SuppressionDraft = {
  incident,
  owner: 'Ada Lovelace',
  kinds: ['Terminal shell in container', 'Drop and execute new binary in container'].map((rule, index) => ({
    match: {
      rule,
      namespace: 'shop',
      workload: { kind: 'Deployment', name: 'cart' },
      image: { digest: `sha256:${'d'.repeat(64)}` },
      sensor: 'falco',
    },
    severity: index === 0 ? 'medium' : 'high',
  })),
  not: [{ rule: 'Read sensitive file', why: 'the owner of its pod was only guessed' }],
};

export const freezeDraft: RestraintDraft = {
  mode: 'freeze',
  cluster: 'prod-1',
  owner: 'Ada Lovelace',
  playbooks: [{ id: 'firebreak/ask-about-shell', title: 'Ask whether a shell is expected' }],
};

export const brokenDraft: RestraintDraft = { ...freezeDraft, mode: 'break-glass', incident: 'shop/Deployment/cart' };

/** The release that the card offers, ordered without the card. */
function leaseDraft(): LeaseDraft {
  const { incident: about, text, votes, choices } = questionCard();
  const [release] = choices;
  if (!release) throw new Error('no release');
  const standing = {
    question: 'lease:0123456789abcdef-l',
    questionDigest: 'sha256:lease',
    groups: ['oncall'],
    requester: 'engine',
  };
  const button = { buttonId: '', incident: about, ...standing, choice: 'release', label: release.label };
  return { button, card: { incident: about, text, votes }, choice: release, typed: 'our own release' };
}

export interface Rig {
  /** Where the desk receives what Slack sends. */
  readonly url: string;
  readonly slack: SlackEmulator;
  readonly desk: SlackDesk;
  readonly cards: MemoryCards;
  readonly clicks: Parameters<SlackDeskOptions['onClick']>[0][];
  readonly proposals: Extract<SlackOrder, { readonly about: 'suppression' }>[];
  readonly restraints: Extract<SlackOrder, { readonly about: 'restraint' }>[];
  readonly leaseAnswers: SlackLeaseAnswer[];
  readonly incidents: Extract<SlackOrder, { readonly about: 'incident' }>[];
  readonly refusals: ClickRefusal[];
  readonly logs: string[];
  /** Restarts the desk with only what is in its database. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The real desk behind a real HTTP server, and the emulated Slack that calls it. */
export async function startRig(
  {
    triggerMs = patience.triggerMs,
    toldInPlaceMs,
    ...options
  }: Partial<SlackDeskOptions> & { readonly triggerMs?: number; readonly toldInPlaceMs?: number } = {},
  scopes?: readonly string[],
): Promise<Rig> {
  const slack = await startSlackEmulator({
    signingSecret,
    botToken,
    appId,
    teamId,
    users,
    channels,
    triggerMs,
    ackMs: patience.ackMs,
    ...(toldInPlaceMs === undefined ? {} : { toldInPlaceMs }),
    ...(options.pace === undefined ? {} : { limitsNow: options.pace.now }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(options.appToken === undefined ? {} : { appToken: options.appToken }),
  });
  const [cards, clicks, refusals, logs] = [new MemoryCards(), [] as Rig['clicks'], [] as ClickRefusal[], [] as string[]];
  const leaseAnswers: SlackLeaseAnswer[] = [];
  const [proposals, restraints, incidents]: [Rig['proposals'], Rig['restraints'], Rig['incidents']] = [[], [], []];
  const settings: SlackDeskOptions = {
    appId,
    teamId,
    botToken,
    signingSecrets: [signingSecret],
    channel,
    apiUrl: slack.apiUrl,
    cards,
    // Failures here are immediate: a busy machine must not look like a Slack that does not answer.
    timeoutMs: 60_000,
    crowding: async () => [],
    mayAnswer: async () => ({}),
    onMenu: async ({ button, reason }) => {
      if (button.choice === ':suppress') return { opens: draft };
      if (button.choice === ':details') return { details: '*Timeline*\n14:02:11  incident.opened' };
      return button.choice === ':comment' && reason === undefined
        ? { asksFor: 'comment' }
        : { text: `${button.choice}: ${reason}` };
    },
    onCommand: async ({ text }) => {
      if (text === 'freeze') return { opens: freezeDraft };
      if (text.startsWith('break-glass ')) return { opens: brokenDraft };
      if (text === 'release cart') return { opens: leaseDraft() };
      if (text === 'quarantine')
        return { opens: { wish: 'quarantine', cluster: 'prod-1', owner: 'Ada Lovelace', pod: 'shop/cart-1' } };
      return text === 'suppress cart' ? { opens: draft } : { mrkdwn: `You typed *${text}*.` };
    },
    onShortcut: async ({ message }) => ({ opens: { wish: 'look', cluster: 'prod-1', owner: 'Ada Lovelace', message } }),
    onLease: async (answer) => {
      leaseAnswers.push(answer);
      return { text: 'Taken.' };
    },
    onOrder: async (order) => {
      if (order.about === 'suppression') proposals.push(order);
      else if (order.about === 'restraint') restraints.push(order);
      else {
        incidents.push(order);
        return { text: 'Started.', announce: 'Ada Lovelace started the incident shop/Deployment/cart from this message.' };
      }
      return { text: 'Proposed.' };
    },
    onClick: async (click) => {
      clicks.push(click);
      return { text: `Your answer "${click.button.label}" is recorded.` };
    },
    onSignIn: async () => ({ text: 'Sign in first.', link: 'https://firebreak.example.com/sign-in/abc' }),
    onRefused: (refusal) => {
      refusals.push(refusal);
    },
    onUnproven: (refusal) => {
      refusals.push(refusal);
    },
    log: (message, facts) => logs.push(JSON.stringify({ message, ...facts })),
    ...options,
  };
  let desk = createSlackDesk(settings);
  const server = createServer((request, response) => desk.listener?.(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/slack/events`;
  slack.setInteractionsUrl(url);
  await desk.open();
  if (slack.socket) await until(() => (slack.socket?.connections === 2 ? true : undefined), 10_000);
  return {
    slack,
    url,
    get desk() {
      return desk;
    },
    restart: async () => {
      await desk.close();
      desk = createSlackDesk(settings);
      await desk.open();
    },
    cards,
    clicks,
    proposals,
    restraints,
    leaseAnswers,
    incidents,
    refusals,
    logs,
    stop: async () => {
      await desk.close();
      await slack.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** Whether it has a button that answers; the details button stays when everything is decided. */
export function canBeAnswered({ blocks = [] }: FakeMessage): boolean {
  return blocks.some(
    (block) => block.type === 'actions' && block.elements.some(({ action_id: id = '' }) => /^fb_(vote|decide|choose)/.test(id)),
  );
}

/** Posts the card with everybody's groups. */
export function post(rig: Rig, card: QuestionCard = questionCard()): Promise<MessageRef> {
  return rig.desk.postQuestion({ card, groups: ['oncall', 'leads'], requester: 'playbook:firebreak/contain-dropped-binary' });
}

/** Ada has clicked, and her incident reports the result. */
export async function answer(rig: Rig, text: string, to: Partial<ReplyTo> = {}, click = 'click-1'): Promise<void> {
  const signature = `signature of ${click}`;
  await rig.cards.saveReply({ click, signature, incident: incident.id, to: { channel, user: 'U0ADA', ...to }, at: Date.now() });
  await rig.desk.answerClick({ incident, click, signature, text });
}

/** Waits for what happens after the click was acknowledged. */
export function until<Value>(look: () => Value | undefined, withinMs = 45_000): Promise<Value> {
  return eventually('what is waited for', look, { withinMs, everyMs: 10 });
}
