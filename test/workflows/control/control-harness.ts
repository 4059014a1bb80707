import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import type { SignInReader } from '../../../activities/chokepoint/parts.ts';
import { createControlActivities } from '../../../activities/control/control.ts';
import type { CellActivities, DeskActivities } from '../../../core/action/step.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { Notice, QuestionCard } from '../../../core/cards/card.ts';
import { questionCard } from '../../../core/cards/question-card.ts';
import { type SignedVote, type Vote, voteBytes } from '../../../core/decide/approval.ts';
import { type ControlInput, type ControlState, controlNames, type EvidenceActivities } from '../../../core/decide/control.ts';
import type { Propose } from '../../../core/decide/decision.ts';
import { checkVote, type VoteKeys } from '../../../core/decide/vote-check.ts';
import { controlIdOf, type Order, orderBytes, type SignedOrder } from '../../../core/orders/order.ts';
import type { Beliefs } from '../../../core/orders/order-check.ts';
import type { ProposeSuppression, SuppressionTerms } from '../../../core/orders/suppression.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { shippedPack } from '../../../playbooks/index.ts';
import { control } from '../../../workflows/control/control.ts';
import type { Activity } from '../memory/memory-calls.ts';
import type { MemoryRun } from '../memory/memory-run.ts';
import { type LabTime, MemoryServer, startsAt } from '../memory/memory-server.ts';

export const dayMs = 86_400_000;
export const digest = `sha256:${'d'.repeat(64)}`;
const people = ['ana', 'ben', 'lea', 'eve', 'stranger', 'desk'] as const;
export type Signer = (typeof people)[number];
const keys = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>(
  people.map((id) => [id, generateKeyPairSync('ed25519')]),
);

/** Eve is on the roster, but in no group that decides. */
export const roster: Roster = {
  people: [
    { id: 'ana', name: 'Ana', slackIds: ['U1'], keys: ['ana'], accounts: ['ana@example.com'] },
    { id: 'ben', name: 'Ben', slackIds: ['U2'], keys: ['ben'], accounts: ['ben@example.com'] },
    { id: 'lea', name: 'Lea', slackIds: ['U3'], keys: ['lea'] },
    { id: 'eve', name: 'Eve', slackIds: ['U4'], keys: ['eve'] },
  ],
  groups: { oncall: ['ana', 'ben'], leads: ['lea'], guests: ['eve'] },
};

/** Real signatures over real bytes: only the source of the keys is the test's. */
export const voteKeys: VoteKeys = {
  deskKeyIds: ['desk'],
  keyIdsOf: (person) => person.keys,
  verify: (keyId, bytes, signature) => {
    const key = keyId === 'stranger' ? undefined : keys.get(keyId);
    return key !== undefined && verify(null, bytes, key.publicKey, Buffer.from(signature, 'base64'));
  },
};

export function beliefsAt(now: number): Beliefs {
  return { cluster: 'lab', roster, keys: voteKeys, groups: ['oncall', 'leads'], now };
}

export function signature(bytes: Uint8Array, signer: Signer): string {
  const key = keys.get(signer);
  if (!key) throw new Error('no such key');
  return sign(null, bytes, key.privateKey).toString('base64');
}

export function signedOrder<Given extends Order>(order: Given, signer: Signer) {
  return { order, keyId: signer as string, signature: signature(orderBytes(order), signer) };
}

let serial = 0;
export function termsOf(now: number, over: Partial<SuppressionTerms> = {}): SuppressionTerms {
  serial += 1;
  return {
    version: 1,
    id: serial.toString(16).padStart(16, '0'),
    cluster: 'lab',
    match: {
      rule: 'Terminal shell in container',
      namespace: 'shop',
      workload: { kind: 'Deployment', name: 'debug' },
      image: { digest },
    },
    upTo: 'medium',
    owner: 'ana',
    reason: 'our own debug pod',
    from: new Date(now).toISOString(),
    until: new Date(now + 7 * dayMs).toISOString(),
    ...over,
  };
}

export function proposalOf(terms: SuppressionTerms, person = 'ana', signer: Signer = 'ana'): SignedOrder<ProposeSuppression> {
  return signedOrder({ version: 1, kind: 'suppression.propose', person, at: terms.from, terms }, signer);
}

/** A proposal as the desk signs it for somebody who submitted a dialog in Slack. */
export function slackProposal(
  terms: SuppressionTerms,
  over: Partial<ProposeSuppression> = {},
  signer: Signer = 'desk',
): SignedOrder<ProposeSuppression> {
  return signedOrder(
    { version: 1, kind: 'suppression.propose', person: 'ana', at: terms.from, terms, via: 'slack', ...over },
    signer,
  );
}

/** A vote on what is asked about a decision. */
export function voteOnDecision(
  questions: ControlState['questions'],
  decision: string,
  over: Pick<Vote, 'choice' | 'person' | 'at'> & Partial<Vote>,
  signer: Signer = 'desk',
): SignedVote {
  const asked = questions.find(({ question }) => question.id.split(':')[1] === decision);
  if (!asked) throw new Error('no such question');
  const vote: Vote = {
    version: 1,
    id: `vote-${Math.random()}`,
    incident: asked.question.incident,
    question: asked.question.id,
    questionDigest: asked.digest,
    via: signer === 'desk' ? 'slack' : 'cli',
    reason: 'our own debug pod',
    ...over,
  };
  return { vote, keyId: signer, signature: signature(voteBytes(vote), signer) };
}

/** An alert that the suppression of `termsOf` hides. */
export function noisyAlert(over: Partial<Alert> = {}): Alert {
  return {
    id: 'a'.repeat(32),
    sensor: 'falco',
    rule: 'Terminal shell in container',
    severity: 'low',
    time: '2026-11-24T21:41:44.717016731Z',
    title: 'A shell was spawned',
    cluster: 'lab',
    pod: { namespace: 'shop', name: 'debug-1', uid: 'uid-1' },
    workload: { kind: 'Deployment', namespace: 'shop', name: 'debug' },
    container: { id: 'c'.repeat(12), digest },
    observables: [],
    tags: [],
    mitre: [],
    ...over,
  };
}

export interface ControlLab {
  readonly env: LabTime;
  readonly server: MemoryServer;
  /** Looks again whenever something happens, for a short while of the lab's time. */
  readonly eventually: MemoryServer['until'];
  readonly records: AuditRecord[];
  readonly said: string[];
  /** Waits for a line in a thread that satisfies `check`: an activity of its own posts it, so it appears after the state shows its cause. */
  heard(check: (text: string) => boolean): Promise<string>;
  readonly answers: string[];
  readonly notices: (Notice & { readonly shownAt: number })[];
  /** Cards as they were first posted. */
  readonly cards: QuestionCard[];
  /** Cards as they were edited, in order of the edits. */
  readonly edited: QuestionCard[];
  /** What the desk waits for before an edit completes. */
  readonly slowly: { edit?: (card: QuestionCard) => Promise<unknown> };
  /** Alerts that were handed to the intake. */
  readonly raised: Alert[];
  /** The cell's clock. */
  clock(): Promise<number>;
  start(over?: Partial<ControlInput>): Promise<RunningControl>;
  stop(): Promise<void>;
}

export interface RunningControl {
  readonly run: MemoryRun;
  state(): Promise<ControlState>;
  until(check: (state: ControlState) => boolean, what: string): Promise<ControlState>;
  signal(name: string, value: unknown): Promise<void>;
  propose(terms: SuppressionTerms, person?: string, signer?: Signer): Promise<ControlState>;
  vote(
    id: string,
    choice: string,
    person: string,
    signer?: Signer,
    over?: Partial<Vote>,
    /** Returns the identity provider's token for this vote. */
    idToken?: (vote: Vote) => Promise<string>,
  ): Promise<void>;
}

/** Some votes and orders also need a sign-in. */
interface SignIns {
  readonly reader: SignInReader;
  readonly roster: Roster;
  readonly inForce: (decision: string) => Propose | undefined;
}

/** What the desk was asked to show and to store. */
type Shown = Pick<ControlLab, 'records' | 'said' | 'answers' | 'notices' | 'cards' | 'edited' | 'slowly' | 'raised'>;

/** The cell really checks what it is asked; the desk only notes it. */
export function controlActivities(
  clock: () => number,
  signIns?: SignIns,
): {
  readonly shown: Shown;
  readonly cell: ReturnType<typeof createControlActivities> & Pick<CellActivities, 'verifyVote'>;
  readonly desk: DeskActivities;
} {
  const shown: Shown = { records: [], said: [], answers: [], notices: [], cards: [], edited: [], slowly: {}, raised: [] };
  const asked = signIns?.roster ?? roster;
  const desk: DeskActivities = {
    postQuestion: async (post) => {
      shown.cards.push(questionCard(post, { roster: asked, keys: voteKeys }));
      return null;
    },
    updateQuestion: async (post) => {
      const card = questionCard(post, { roster: asked, keys: voteKeys });
      await shown.slowly.edit?.(card);
      shown.edited.push(card);
    },
    postInThread: async ({ text }) => {
      shown.said.push(text);
      return null;
    },
    showNotice: async (notice) => {
      shown.notices.push({ ...notice, shownAt: clock() });
      return null;
    },
    answerClick: async ({ text }) => void shown.answers.push(text),
    recordAudit: async (given) => {
      shown.records.push(...given);
      return { chain: 'x', number: given.at(-1)?.number ?? 0, hash: '0' };
    },
  };
  const noSignIn = signIns && { policy: signIns.reader.policy, signInOf: () => undefined };
  const cell = {
    ...createControlActivities({
      beliefs: () => ({ ...beliefsAt(clock()), roster: asked, ...(noSignIn && { stepUp: noSignIn }) }),
      levels: [
        { group: 'oncall', withinMs: 900_000 },
        { group: 'leads', withinMs: 3_600_000 },
      ],
      problemOfPromotion: async () => undefined,
      ...(signIns && { signIns: signIns.reader, inForce: signIns.inForce }),
      raise: async (alert) => {
        shown.raised.push(alert);
        return { incident: `incident/lab/${alert.pod?.namespace}/Pod/${alert.pod?.name}` };
      },
    }),
    verifyVote: async ({ vote, question, level }: Parameters<CellActivities['verifyVote']>[0]) => {
      const stepUp = await signIns?.reader.read([vote]);
      return checkVote({
        signed: vote,
        question,
        level,
        roster: asked,
        keys: voteKeys,
        now: clock(),
        ...(stepUp && { stepUp }),
      });
    },
  };
  return { shown, cell, desk };
}

/** Starts the control workflow in memory, where days pass in a moment. */
export async function startControlLab({
  evidence = {},
  signIns,
}: {
  readonly evidence?: Partial<EvidenceActivities>;
  readonly signIns?: SignIns;
} = {}): Promise<ControlLab> {
  const { shown, cell, desk } = controlActivities(() => server.clock.now(), signIns);
  const server: MemoryServer = new MemoryServer({
    startsAt,
    activities: {
      scripted: byName(desk),
      real: byName({ ...cell, ...evidence }),
    },
    packs: [shippedPack],
  });
  return {
    ...shown,
    env: server,
    server,
    eventually: (...asked) => server.until(...asked),
    heard: (check) => server.until('a line in a thread', () => shown.said.find(check)),
    clock: server.currentTimeMs,
    start: async (over = {}) => {
      const input = { cluster: 'lab', queues: { cell: 'lab', desk: 'lab' }, ...over } satisfies ControlInput;
      // Only the id that the question names must be the cluster's.
      const run = await server.start(control, { workflowId: controlIdOf('lab'), input });
      const state = (): Promise<ControlState> => server.query(run, controlNames.stateQuery);
      const until: RunningControl['until'] = (check, what) =>
        server.until(what, async () => {
          const found = await state();
          return check(found) && found;
        });
      const signal = (name: string, value: unknown): Promise<void> => server.signal(run, name, value);
      return {
        run,
        state,
        until,
        signal,
        propose: async (terms, person = 'ana', signer = 'ana') => {
          await signal(controlNames.orderSignal, proposalOf(terms, person, signer));
          return until(({ decisions }) => decisions.some((one) => one.proposal.order.terms.id === terms.id), 'the proposal');
        },
        vote: async (id, choice, person, signer = 'desk', over = {}, idToken = undefined) => {
          const { questions, timeline } = await state();
          const signedVote = voteOnDecision(
            questions,
            id,
            { choice, person, at: new Date(server.clock.now()).toISOString(), ...over },
            signer,
          );
          const proven = { ...signedVote, ...(idToken && { idToken: await idToken(signedVote.vote) }) };
          const before = timeline.filter(({ kind }) => kind.startsWith('vote.')).length;
          await signal(controlNames.voteSignal, proven);
          await until(
            (now) => now.timeline.filter(({ kind }) => kind.startsWith('vote.')).length > before,
            'an answer to the vote',
          );
        },
      };
    },
    stop: async () => undefined,
  };
}

/** Each is called by its name, with the arguments of its type. */
function byName(activities: object): Readonly<Record<string, Activity>> {
  return activities as Readonly<Record<string, Activity>>;
}
