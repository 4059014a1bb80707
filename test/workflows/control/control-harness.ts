import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import type { SignInReader } from '../../../activities/chokepoint/parts.ts';
import { createControlActivities } from '../../../activities/control/control.ts';
import type { CellActivities, DeskActivities } from '../../../core/action/step.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { Notice, QuestionCard } from '../../../core/cards/card.ts';
import { questionCard } from '../../../core/cards/question-card.ts';
import { type Vote, voteBytes } from '../../../core/decide/approval.ts';
import { type ControlInput, type ControlState, controlNames, type EvidenceActivities } from '../../../core/decide/control.ts';
import type { Propose } from '../../../core/decide/decision.ts';
import { checkVote, type VoteKeys } from '../../../core/decide/vote-check.ts';
import { controlIdOf, type Order, orderBytes, type SignedOrder } from '../../../core/orders/order.ts';
import type { Beliefs } from '../../../core/orders/order-check.ts';
import type { ProposeSuppression, SuppressionTerms } from '../../../core/orders/suppression.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { eventually } from '../../eventually.ts';
import { bundlePath } from '../bundle.ts';
import { testSpeaker, workerOptions } from '../speakers.ts';
import { startTimeSkipping } from '../time-skipping.ts';

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
  readonly env: TestWorkflowEnvironment;
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

/** Starts the control workflow on a time-skipping server; the cell really checks what it is asked. */
export async function startControlLab(
  maxCachedWorkflows = 10,
  evidence: Partial<EvidenceActivities> = {},
  /** Some votes and orders also need a sign-in. */
  signIns?: {
    readonly reader: SignInReader;
    readonly roster: Roster;
    readonly inForce: (decision: string) => Propose | undefined;
  },
): Promise<ControlLab> {
  const env = await startTimeSkipping();
  const records: AuditRecord[] = [];
  const said: string[] = [];
  const answers: string[] = [];
  const raised: Alert[] = [];
  const notices: (Notice & { readonly shownAt: number })[] = [];
  let now = await env.currentTimeMs();
  const clock = async (): Promise<number> => {
    now = await env.currentTimeMs();
    return now;
  };
  const levels = [
    { group: 'oncall', withinMs: 900_000 },
    { group: 'leads', withinMs: 3_600_000 },
  ];
  const asked = signIns?.roster ?? roster;
  const cards: QuestionCard[] = [];
  const edited: QuestionCard[] = [];
  const slowly: ControlLab['slowly'] = {};
  const desk: DeskActivities = {
    postQuestion: async (post) => {
      cards.push(questionCard(post, { roster: asked, keys: voteKeys }));
      return null;
    },
    updateQuestion: async (post) => {
      const card = questionCard(post, { roster: asked, keys: voteKeys });
      await slowly.edit?.(card);
      edited.push(card);
    },
    postInThread: async ({ text }) => {
      said.push(text);
      return null;
    },
    showNotice: async (notice) => {
      notices.push({ ...notice, shownAt: await env.currentTimeMs() });
      return null;
    },
    answerClick: async ({ text }) => void answers.push(text),
    recordAudit: async (given) => {
      records.push(...given);
      return { chain: 'x', number: given.at(-1)?.number ?? 0, hash: '0' };
    },
  };
  const verifyVote: CellActivities['verifyVote'] = async ({ vote, question, level }) => {
    const stepUp = await signIns?.reader.read([vote]);
    const at = await env.currentTimeMs();
    return checkVote({ signed: vote, question, level, roster: asked, keys: voteKeys, now: at, ...(stepUp && { stepUp }) });
  };
  const noSignIn = signIns && { policy: signIns.reader.policy, signInOf: () => undefined };
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: 'lab',
    workflowBundle: { codePath: await bundlePath() },
    ...workerOptions(testSpeaker()),
    activities: {
      ...createControlActivities({
        beliefs: () => ({ ...beliefsAt(now), roster: asked, ...(noSignIn && { stepUp: noSignIn }) }),
        levels,
        problemOfPromotion: async () => undefined,
        ...(signIns && { signIns: signIns.reader, inForce: signIns.inForce }),
        raise: async (alert) => {
          raised.push(alert);
          return { incident: `incident/lab/${alert.pod?.namespace}/Pod/${alert.pod?.name}` };
        },
      }),
      ...evidence,
      ...desk,
      verifyVote,
    },
    maxCachedWorkflows,
  });
  const running = worker.run();
  const handles: { terminate(): Promise<unknown> }[] = [];
  return {
    env,
    records,
    said,
    heard: (check) => eventually('a line in a thread', () => said.find(check)),
    answers,
    notices,
    cards,
    edited,
    slowly,
    raised,
    clock,
    start: async (over = {}) => {
      serial += 1;
      const handle = await env.client.workflow.start(controlNames.workflow, {
        // One per test: only the id that the question names must be the cluster's.
        workflowId: controlIdOf('lab'),
        taskQueue: 'lab',
        args: [{ cluster: 'lab', queues: { cell: 'lab', desk: 'lab' }, ...over } satisfies ControlInput],
      });
      handles.push(handle);
      const state = () => handle.query<ControlState>(controlNames.stateQuery);
      const until: RunningControl['until'] = (check, what) =>
        eventually(what, async () => {
          const found = await state();
          return check(found) && found;
        });
      const signal = (name: string, value: unknown) => handle.signal(name, value);
      return {
        state,
        until,
        signal,
        propose: async (terms, person = 'ana', signer = 'ana') => {
          await clock();
          await signal(controlNames.orderSignal, proposalOf(terms, person, signer));
          return until(({ decisions }) => decisions.some((one) => one.proposal.order.terms.id === terms.id), 'the proposal');
        },
        vote: async (id, choice, person, signer = 'desk', over = {}, idToken = undefined) => {
          const { questions, timeline } = await state();
          const asked = questions.find(({ question }) => question.id.split(':')[1] === id);
          if (!asked) throw new Error('no such question');
          const vote: Vote = {
            version: 1,
            id: `vote-${Math.random()}`,
            incident: asked.question.incident,
            question: asked.question.id,
            questionDigest: asked.digest,
            choice,
            person,
            via: signer === 'desk' ? 'slack' : 'cli',
            reason: 'our own debug pod',
            at: new Date().toISOString(),
            ...over,
          };
          const signedVote = {
            vote,
            keyId: signer as string,
            signature: signature(voteBytes(vote), signer),
            ...(idToken && { idToken: await idToken(vote) }),
          };
          const before = timeline.filter(({ kind }) => kind.startsWith('vote.')).length;
          await signal(controlNames.voteSignal, signedVote);
          await until(
            (now) => now.timeline.filter(({ kind }) => kind.startsWith('vote.')).length > before,
            'an answer to the vote',
          );
        },
      };
    },
    stop: async () => {
      for (const handle of handles) await handle.terminate().catch(() => undefined);
      worker.shutdown();
      await running;
      await env.teardown();
    },
  };
}
