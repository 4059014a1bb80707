import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { UndoResult, Verification } from '../../core/action/action.ts';
import type { Plan } from '../../core/action/plan.ts';
import type {
  AppliedStep,
  CellActivities,
  DeskActivities,
  LookActivities,
  StepCall,
  UndoReason,
  WarrantActivities,
} from '../../core/action/step.ts';
import type { OutgoingRecord } from '../../core/audit/alert-archive.ts';
import type { QuestionCard } from '../../core/cards/card.ts';
import { questionCard } from '../../core/cards/question-card.ts';
import type { Posture } from '../../core/cluster/posture.ts';
import { answerersTo } from '../../core/decide/standing.ts';
import { checkVote } from '../../core/decide/vote-check.ts';
import type { SignedWarrant, Warrant } from '../../core/decide/warrant.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { EffectLook } from '../../core/incident/effect.ts';
import { checkRemark } from '../../core/incident/remark.ts';
import type { Roster } from '../../core/people/roster.ts';
import { digestOf } from '../../core/text/digest.ts';
import { voteKeys } from './people.ts';

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

export function seenNothing(): Seen {
  return { applied: [], undone: [], undoReasons: [], cards: [], threads: [], answers: [], records: [] };
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
      await script.verifyVote?.({ key: vote.vote.id } as StepCall, 1);
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
