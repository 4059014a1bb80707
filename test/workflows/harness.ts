import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/activity';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { UndoResult, Verification } from '../../core/action/action.ts';
import type { Plan } from '../../core/action/plan.ts';
import type {
  AppliedStep,
  CellActivities,
  DeskActivities,
  FollowUpActivities,
  IncidentSettings,
  LookActivities,
  StepCall,
  UndoReason,
  WarrantActivities,
} from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { OutgoingRecord } from '../../core/audit/alert-archive.ts';
import type { QuestionCard } from '../../core/cards/card.ts';
import { questionCard } from '../../core/cards/question-card.ts';
import type { Posture } from '../../core/cluster/posture.ts';
import type { SignedVote, Vote } from '../../core/decide/approval.ts';
import { answerersTo } from '../../core/decide/standing.ts';
import { checkVote } from '../../core/decide/vote-check.ts';
import type { SignedWarrant, Warrant } from '../../core/decide/warrant.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { EffectLook } from '../../core/incident/effect.ts';
import { type AlertBatch, type IncidentNote, incidentIdOf, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentState, QuestionState } from '../../core/incident/incident-state.ts';
import { checkRemark } from '../../core/incident/remark.ts';
import type { Roster } from '../../core/people/roster.ts';
import { digestOf } from '../../core/text/digest.ts';
import { boundPatterns } from '../../service/packs/turns/linear-patterns.ts';
import { grpc, grpcCode, isCatchingUp } from '../../service/temporal/grpc-status.ts';
import { resultOf } from '../../service/temporal/speaker.ts';
import { workflowThread } from '../../service/temporal/workers.ts';
import { eventually, within } from '../eventually.ts';
import { bundlePath } from './bundle.ts';
import { batchOf, roster, signVote, subject, voteKeys } from './people.ts';
import './temporal-error-log.ts';
import { clientOptions, testSpeaker, workerOptions } from './speakers.ts';
import { heldOf, isLost, skipping, startTimeSkipping } from './time-skipping.ts';

export type Script = Partial<Record<string, (call: StepCall, attempt: number) => unknown>>;

/** What the scripted cell and desk have done, in order: once per key, however often it was requested. */
export interface Seen {
  readonly applied: StepCall[];
  readonly undone: StepCall[];
  readonly undoReasons: UndoReason[];
  readonly cards: QuestionCard[];
  readonly threads: string[];
  readonly answers: string[];
  readonly records: OutgoingRecord[];
}

export function planOf(call: StepCall): Plan {
  const destructive = call.action === 'deletePod' || call.action === 'rotateSecret';
  const pod = Object.values(call.input as Record<string, { name?: string; uid?: string }>).find(
    (value) => value?.uid !== undefined,
  );
  return {
    action: call.action,
    effect: destructive ? 'destructive' : call.action === 'quarantinePod' ? 'reversible' : 'read',
    reach: call.action === 'rotateSecret' ? 'workload' : 'pod',
    target: { name: `pod/shop/${pod?.name ?? 'none'}`, ...(pod?.uid ? { uid: pod.uid } : {}) },
    changes: [{ target: `pod/shop/${pod?.name ?? 'none'}`, what: call.action }],
    blastRadius: [`pod/shop/${pod?.name ?? 'none'}`],
    notes: [],
    inputDigest: digestOf(call.input),
  };
}

function outputOf(call: StepCall): unknown {
  if (call.action === 'rotateSecret') return { rotated: [], refused: [] };
  if (call.action !== 'snapshotPodState') return { action: call.action };
  return {
    evidence: {
      manifestSha256: 'a'.repeat(64),
      target: planOf(call).target,
      artefacts: [{ name: 'pod.yaml', sha256: 'b'.repeat(64), bytes: 10 }],
    },
  };
}

const nothingCame: EffectLook = {
  outcome: 'no-alerts',
  at: '2026-11-24T22:00:00.000Z',
  since: '2026-11-24T21:50:00.000Z',
  alerts: { counts: {} },
  problems: [],
  pods: { there: 1, of: 1 },
  unknown: [],
};

/** A warrant that no trusted party signed: scripted pools require none. */
export function warrantOf({ key, action, incident, severity }: StepCall): SignedWarrant {
  const digests = { inputDigest: '', planDigest: '', proofDigest: '' };
  const known = { severity, deciders: [], actors: [], requesters: [] };
  const warrant: Warrant = { version: 1, id: randomUUID(), incident, step: key, action, ...digests, ...known, at: 0, until: 0 };
  return { warrant, keyId: 'none', signature: '' };
}

export function refuse(code: ErrorCode, message: string = code): never {
  throw ApplicationFailure.create({ type: code, message, nonRetryable: true });
}

/** The cell and the desk as scripted; votes are really checked and remembered, against `people` and at the `clock`’s time. */
export function scriptedActivities(
  seen: Seen,
  script: Script,
  clock: () => Promise<number>,
  people: () => Roster,
): CellActivities & DeskActivities & WarrantActivities & LookActivities {
  const attempts = new Map<string, number>();
  const done = new Set<string>();
  const votes = new VoteMemory();
  /** On a busy machine an answer is sometimes delivered too late, and the same is requested again under its key: real ones detect that it is done. */
  const isFirst = (key: string): boolean => {
    const first = !done.has(key);
    done.add(key);
    return first;
  };
  const apply = async (call: StepCall) => {
    const attempt = (attempts.get(call.key) ?? 0) + 1;
    attempts.set(call.key, attempt);
    const scripted = await script[call.action]?.(call, attempt);
    if (isFirst(call.key)) seen.applied.push(call);
    const output = await script[`output:${call.action}`]?.(call, attempt);
    if (output !== undefined) return { plan: planOf(call), output };
    const answers = ['openTicket', 'verifyImage', 'quarantineWorkload', 'rotateSecret'].includes(call.action);
    const lease = (await script[`lease:${call.action}`]?.(call, attempt)) as AppliedStep['lease'];
    return { plan: planOf(call), output: (answers && scripted) || outputOf(call), ...(lease && { lease }) };
  };
  return {
    planStep: async (call) => ((await script[`plan:${call.action}`]?.(call, 1)) as Plan | undefined) ?? planOf(call),
    issueWarrant: async (call) => {
      await script.issueWarrant?.(call, 1);
      return warrantOf(call);
    },
    issueReleaseWarrant: async ({ call }) => {
      await script.issueReleaseWarrant?.(call, 1);
      return warrantOf(call);
    },
    applyStep: apply,
    applyStepNow: apply,
    verifyStep: async ({ call }): Promise<Verification> => {
      const scripted = (await script[`verify:${call.action}`]?.(call, 1)) as Verification | undefined;
      if (scripted) return scripted;
      return call.action === 'deletePod'
        ? { state: 'verified', detail: 'gone' }
        : { state: 'unverified', detail: 'applied; no probe' };
    },
    undoStep: async ({ call, reason }) => {
      const attempt = (attempts.get(`undo ${call.key}`) ?? 0) + 1;
      attempts.set(`undo ${call.key}`, attempt);
      const { proof } = { proof: undefined, ...reason };
      if (proof && votes.isAskedAnew(proof.question))
        refuse('FB_ERR_APPROVAL_INVALID', 'the question has since been asked again, and answered');
      const scripted = (await script[`undo:${call.action}`]?.(call, attempt)) as UndoResult | undefined;
      if (isFirst(`undo ${call.key}`)) {
        seen.undone.push(call);
        seen.undoReasons.push(reason);
      }
      if (scripted) return scripted;
      return { state: 'undone', detail: 'as before' };
    },
    lookAtEffect: async ({ step }) =>
      ((await script.lookAtEffect?.({ key: step } as StepCall, 1)) as EffectLook | undefined) ?? nothingCame,
    lookAtPosture: async (asked) => {
      const found = await script.lookAtPosture?.({ key: '', input: asked } as StepCall, 1);
      return (
        (found as Posture | undefined) ?? {
          at: '2026-11-24T22:00:00.000Z',
          of: 'pod/shop/cart-1',
          level: 'restricted',
          findings: [],
          unknown: [],
        }
      );
    },
    verifyVote: async ({ vote, question, level, actors = [] }) => {
      const now = await clock();
      const checked = checkVote({ signed: vote, question, level, roster: people(), keys: voteKeys, now, actors });
      if (checked.ok) votes.note(question, vote, { at: now, asked: level, level: checked.level, actors });
      return checked;
    },
    verifyRemark: async ({ remark, question, level }) =>
      checkRemark({ signed: remark, question, level, roster: people(), keys: voteKeys, now: await clock() }),
    answerersTo: async ({ question, actors = [] }) => ({
      ...answerersTo({ question, roster: people(), actors }, await clock()),
      ...(question.containsOnSilence !== undefined && { heard: 'heard by the scripted cell' }),
    }),
    postQuestion: async (post) => {
      seen.cards.push(questionCard(post, { roster: people(), keys: voteKeys }));
      return { channel: 'C1', ts: '1.0' };
    },
    updateQuestion: async (post) => void seen.cards.push(questionCard(post, { roster: people(), keys: voteKeys })),
    postInThread: async (post) => {
      if (isFirst(`thread ${post.key}`)) seen.threads.push(post.text);
      return { channel: 'C1', ts: '1.1' };
    },
    showNotice: async () => null,
    answerClick: async ({ text }) => void seen.answers.push(text),
    recordAudit: async (records) => {
      seen.records.push(...records.filter(({ chain, number, at }) => isFirst(`record ${chain} ${number} ${at}`)));
      return { chain: records[0]?.chain ?? '', number: records.at(-1)?.number ?? 0, hash: '0' };
    },
  };
}

export interface Lab {
  readonly env: TestWorkflowEnvironment;
  readonly seen: Seen;
  start(alerts: readonly Alert[], settings?: Partial<IncidentSettings>): Promise<RunningIncident>;
  stop(): Promise<void>;
}

export interface RunningIncident {
  readonly id: string;
  state(): Promise<IncidentState>;
  alerts(batch: AlertBatch): Promise<void>;
  note(note: IncidentNote): Promise<void>;
  signal(vote: unknown): Promise<void>;
  vote(choice: string, person: string, over?: Partial<Vote>, lease?: boolean): Promise<SignedVote>;
  question(lease?: boolean): Promise<QuestionState>;
  until(check: (state: IncidentState) => boolean, what: string): Promise<IncidentState>;
  result(): Promise<IncidentState>;
  /** Ends the incident as it is. */
  end(): Promise<void>;
}

interface LabServer {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
}

const mostQueryMs = 30_000;

/** A run that the time-skipping server has lost never goes on: there is no use in waiting for it as long as for a slow one. */
const lostAfterMs = 20_000;

/** The incident workflow on a time-skipping Temporal server, where days pass in a moment, or on a real one. */
export async function startLab(
  script: Script = {},
  maxCachedWorkflows = 100,
  server?: LabServer,
  others?: Partial<FollowUpActivities & DeskActivities>,
  people: () => Roster = () => roster,
  workflowsPath?: string,
): Promise<Lab> {
  const speaker = testSpeaker('lab', server && { namespace: server.namespace });
  const env = server
    ? await TestWorkflowEnvironment.createFromExistingServer({
        address: server.address,
        namespace: server.namespace,
        client: clientOptions(speaker),
      })
    : await startTimeSkipping();
  const taskQueue = server?.taskQueue ?? 'lab';
  const seen: Seen = { applied: [], undone: [], undoReasons: [], cards: [], threads: [], answers: [], records: [] };
  boundPatterns();
  const worker = await Worker.create({
    connection: env.nativeConnection,
    ...(server ? { namespace: server.namespace } : {}),
    taskQueue,
    workflowBundle: { codePath: await bundlePath(workflowsPath) },
    activities: { ...scriptedActivities(seen, script, () => env.currentTimeMs(), people), ...others },
    ...workerOptions(speaker),
    ...workflowThread,
    maxCachedWorkflows,
  });
  const running = worker.run();
  return {
    env,
    seen,
    start: (alerts, settings) => startIncident({ env, taskQueue, alerts, settings, listed: server !== undefined }),
    stop: async () => {
      worker.shutdown();
      await running;
      await env.teardown();
    },
  };
}

async function startIncident(options: {
  readonly env: TestWorkflowEnvironment;
  readonly taskQueue: string;
  readonly alerts: readonly Alert[];
  readonly settings: Partial<IncidentSettings> | undefined;
  /** With a search attribute, as the intake starts it. The time-skipping server does not support it. */
  readonly listed: boolean;
}): Promise<RunningIncident> {
  const { env, taskQueue, alerts, settings, listed } = options;
  const id = `${incidentIdOf(subject)}-${Math.random().toString(36).slice(2)}`;
  const input = {
    start: { subject, batch: batchOf(alerts) },
    settings: {
      queues: { cell: taskQueue, desk: taskQueue, secrets: taskQueue, forensics: taskQueue },
      playbooks: ['firebreak/contain-dropped-binary', 'firebreak/ask-about-shell', 'firebreak/ticket-sensitive-read'],
      levels: [{ group: 'oncall', withinMs: 900_000 }],
      evidenceDeadlineMs: 1_800_000,
      lingerMs: 1_000,
      maxBodies: 8,
      ...settings,
    },
  };
  const handle = await env.client.workflow.start(incidentNames.workflow, {
    workflowId: id,
    taskQueue,
    args: [input],
    ...(listed ? { searchAttributes: { FirebreakSeverity: [alerts[0]?.severity ?? 'unknown'] } } : {}),
  });
  /**
   * On a busy machine a worker may need longer to answer than Temporal waits, and a task that a signal has overtaken is run again. Then the time-skipping
   * server, which sets no deadline, may lose a task for good: a query must not wait for it as long.
   */
  const state = (): Promise<IncidentState> =>
    eventually('an answer of the incident', () =>
      env.client
        .withDeadline(Date.now() + mostQueryMs, () => handle.query<IncidentState>(incidentNames.stateQuery))
        .catch((error: unknown) => {
          if (grpcCode(error) === grpc.deadlineExceeded || isCatchingUp(error)) return undefined;
          throw error;
        }),
    );
  const question = async (lease = false): Promise<QuestionState> => {
    const { questions } = await until(
      (now) => now.questions.some((asked) => asked.question.id.startsWith('lease:') === lease),
      'a question',
    );
    const found = questions.find((asked) => asked.question.id.startsWith('lease:') === lease);
    if (!found) throw new Error('no question');
    return found;
  };
  const until = async (check: (state: IncidentState) => boolean, what: string): Promise<IncidentState> => {
    const look = async () => {
      const now = await state();
      return check(now) && now;
    };
    const soon = await within(lostAfterMs, look);
    if (soon) return soon;
    if (env.supportsTimeSkipping && isLost(await handle.fetchHistory())) throw new Error(`${what}: ${await heldOf(env, id)}`);
    return await eventually(what, look).catch(async (error: Error) => {
      error.message += `\n${await heldOf(env, id)}`;
      throw error;
    });
  };
  return {
    id,
    state,
    question,
    until,
    alerts: (batch) => handle.signal(incidentNames.alertsSignal, batch),
    note: (note) => handle.signal(incidentNames.noteSignal, note),
    signal: (vote) => handle.signal(incidentNames.voteSignal, vote),
    vote: async (choice, person, over = {}, lease = false) => {
      const asked = await question(lease);
      const signed = signVote({
        version: 1,
        id: `vote-${Math.random()}`,
        incident: asked.question.incident,
        question: asked.question.id,
        questionDigest: asked.digest,
        choice,
        person,
        via: 'slack',
        reason: 'not ours',
        at: new Date().toISOString(),
        ...over,
      });
      await handle.signal(incidentNames.voteSignal, signed);
      return signed;
    },
    result: () => skipping(env, () => resultOf<IncidentState>(handle)),
    end: async () => {
      // Otherwise the time-skipping server waits for what was under way for good, and never skips time again.
      await eventually('that nothing of it is under way', async () => {
        const { raw } = await handle.describe();
        return !raw.pendingWorkflowTask && !raw.pendingActivities?.length;
      });
      await handle.terminate();
    },
  };
}
