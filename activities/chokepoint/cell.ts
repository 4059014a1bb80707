import { Context } from '@temporalio/activity';
import type { StepContext } from '../../core/action/action.ts';
import type { AppliedStep, CellActivities, StepCall, StepListener } from '../../core/action/step.ts';
import { actions } from '../../core/actions/index.ts';
import type { StepOutcome } from '../../core/cluster/object-event.ts';
import { type Question, questionDigest } from '../../core/decide/approval.ts';
import { type AskingIn, groupsAskedBy } from '../../core/decide/asking.ts';
import type { FormAnswers } from '../../core/decide/form.ts';
import { answerersTo } from '../../core/decide/standing.ts';
import { checkVote, tallyOf, type VoteKeys } from '../../core/decide/vote-check.ts';
import { isErrorCode } from '../../core/errors.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';
import { checkRemark } from '../../core/incident/remark.ts';
import type { WorkloadLeft } from '../../core/incident/workload-left.ts';
import type { Roster } from '../../core/people/roster.ts';
import { asFailure } from '../failures.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { IncidentMemory } from '../memory/incident-memory.ts';
import type { LeaseAnswer } from '../memory/lease-memory.ts';
import type { VoteMemory } from '../memory/vote-memory.ts';
import type { Chokepoint } from './chokepoint.ts';
import type { SignInReader } from './parts.ts';

interface ActivityLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Listens for what this process has itself found out about incidents, regardless of what a workflow says. */
export interface IncidentListener extends StepListener {
  /** Decided by votes that were verified here. Called again if a vote is asked about again. */
  decided(question: Question, answer: DecidedAnswer): void;
}

export interface DecidedAnswer {
  readonly choice: string;
  /** How many groups had been asked before the one that answered. */
  readonly level: number;
  readonly form?: FormAnswers;
}

/** The activities of one pool: the chokepoint for steps, and the check of votes. */
export function createCellActivities(parts: {
  readonly chokepoint: Chokepoint;
  readonly roster: Roster;
  readonly keys: VoteKeys;
  /** Who may be asked, regardless of what a question says. */
  readonly asking: AskingIn;
  /** What this process itself has heard about incidents: a call can only add to it. */
  readonly incidents: IncidentMemory;
  /** Remembers votes as they arrive: a vote presented before a step is compared with it. */
  readonly votes: VoteMemory;
  readonly signIns?: SignInReader;
  /** The cell's confirmation that it has now heard of a question whose silence contains a pod. Absent: this is not the cell. */
  readonly hears?: (question: Question) => string;
  /** From memory: never blocks. */
  readonly left?: (incident: IncidentRef) => WorkloadLeft | undefined;
  /** Tells the owners of what is held that people have decided about it. */
  readonly tell?: ((outcome: StepOutcome) => void) | undefined;
  readonly listener?: IncidentListener | undefined;
  readonly log: ActivityLog;
}): CellActivities {
  const { chokepoint, roster, keys, asking, incidents, votes, signIns, hears, left: leftOf, tell, listener, log } = parts;

  /** Who may and may not answer, as far as the cell knows: a question can only make it stricter. */
  const ownWord = (question: Question, actors: readonly string[] = []) => {
    const known = incidents.of(question.incident);
    return {
      actors: [...new Set([...known.actors, ...actors])],
      requesters: known.requesters,
      groups: groupsAskedBy(question, asking(question.incident), known.playbooks),
    };
  };

  const tellOfLease = (question: Question, outcome: LeaseAnswer): void => {
    const [release] = question.choices.flatMap(({ plans }) => plans);
    const action = actions.find(({ name }) => `undo:${name}` === release?.action);
    if (!release || !action) return;
    const objects = [release.target, ...release.blastRadius.map((name) => ({ name }))];
    tell?.({ action, outcome, incident: question.incident.id, key: questionDigest(question), objects });
  };

  const run = async <T>(
    what: 'plan' | 'apply' | 'verify' | 'undo',
    call: StepCall,
    fast: boolean,
    work: (context: StepContext) => Promise<T>,
  ): Promise<T> => {
    const { cancellationSignal, info } = Context.current();
    let at: string | undefined;
    const started = performance.now();
    try {
      const step: StepContext = {
        key: call.key,
        incident: call.incident.id,
        run: call.incident.run,
        fast,
        order: `${info.workflowExecution?.runId ?? ''}/${info.activityId}`,
        signal: cancellationSignal,
        progress(text) {
          at = text;
          log.info({ incident: call.incident.id, step: call.key, attempt: info.attempt }, `${what} ${call.action}: ${text}`);
        },
      };
      const result = await withHeartbeat(
        () => work(step),
        () => at,
      );
      log.info(
        { incident: call.incident.id, step: call.key, attempt: info.attempt, ms: Math.round(performance.now() - started) },
        `${what} ${call.action}`,
      );
      return result;
    } catch (error) {
      const failure = asFailure(error);
      log.warn(
        { incident: call.incident.id, step: call.key, attempt: info.attempt, code: failure.type, reason: failure.message },
        `${what} ${call.action} failed`,
      );
      if (failure.nonRetryable && what !== 'verify' && isErrorCode(failure.type)) listener?.failed(call, what, failure.type);
      throw failure;
    }
  };

  const apply = async (call: StepCall, fast: boolean): Promise<AppliedStep> => {
    const applied = await run('apply', call, fast, (context) => chokepoint.apply(call, context));
    listener?.done(call, applied.output);
    return applied;
  };

  return {
    planStep: (call) => run('plan', call, false, (context) => chokepoint.plan(call, context)),
    applyStep: (call) => apply(call, false),
    applyStepNow: (call) => apply(call, true),
    verifyStep: (step) => run('verify', step.call, false, (context) => chokepoint.verify(step, context)),
    undoStep: (undo) => run('undo', undo.call, false, (context) => chokepoint.undo(undo, context)),
    verifyVote: async ({ vote, question, level, actors }) => {
      const stepUp = await signIns?.read([vote]).catch((error: unknown) => Promise.reject(asFailure(error)));
      const now = Date.now();
      const known = ownWord(question, actors);
      const checked = checkVote({
        signed: vote,
        question,
        level,
        roster,
        keys,
        now,
        ...known,
        ...(stepUp && { stepUp }),
      });
      const seen = { at: now, asked: level, actors: known.actors };
      if (!checked.ok) return checked;
      const { ok, lease } = votes.note(question, vote, { ...seen, level: checked.level });
      if (!ok) return { ok: false, reason: 'You have answered this question too often.' };
      if (lease) tellOfLease(question, lease);
      const { status, level: reached } = tallyOf(question, votes.of(question), question.severity);
      if (status.state === 'decided')
        listener?.decided(question, { choice: status.choice, level: reached, ...(status.answers && { form: status.answers }) });
      return checked;
    },
    verifyRemark: async ({ remark, question, level }) =>
      checkRemark({ signed: remark, question, level, roster, keys, now: Date.now(), ...ownWord(question) }),
    answerersTo: async ({ question, actors }) => {
      const left = leftOf?.(question.incident);
      return {
        ...answerersTo({ question, roster, ...ownWord(question, actors) }, Date.now()),
        ...(left && { left }),
        ...(hears && question.containsOnSilence !== undefined && { heard: hears(question) }),
      };
    },
  };
}
