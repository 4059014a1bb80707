import type { ActionDeclaration } from '../../core/action/action.ts';
import type { Plan } from '../../core/action/plan.ts';
import { approvedReleaseIn, releasePlanOf } from '../../core/action/release-plan.ts';
import { isAskedAbout, responseTo } from '../../core/assessment/contained-at-once.ts';
import { containedOnSilence } from '../../core/assessment/silence-seal.ts';
import { type Approval, type Level, plansApproved } from '../../core/decide/approval.ts';
import { type Form, problemOfForm } from '../../core/decide/form.ts';
import type { Verdict } from '../../core/incident/incident.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { type Duration, durationMs } from '../../core/playbook/duration.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { valuesOf } from '../../core/playbook/params.ts';
import {
  type BodyIncident,
  followsAssessment,
  type LeaseOptions,
  type LogFields,
  levelsOf,
  type PlaybookEnd,
  type Settled,
  type StepResult,
} from '../../core/playbook/playbook.ts';
import { redactSecrets } from '../../core/text/redact.ts';
import { stepFailure } from '../calls.ts';
import type { AskedQuestion } from '../questions/asked-question.ts';
import type { Questions } from '../questions/questions.ts';
import { StepFailure } from '../step-failure.ts';
import { afterQuarantine } from '../steps/after-quarantine.ts';
import type { Caller } from '../steps/caller.ts';
import { EvidenceFirst } from '../steps/evidence-first.ts';
import type { Leases } from '../steps/leases.ts';
import { runOrAsk } from '../steps/run-or-ask.ts';
import type { StepOrder } from '../steps/step-calls.ts';
import { targetText } from '../steps/step-data.ts';
import type { StepEngine } from '../steps/steps.ts';
import { logLine, nowMs } from '../world.ts';
import { containUnanswered, mayContain, silenceOf, whyContained } from './at-once.ts';
import { BodyTime } from './body-time.ts';
import { type BodyWork, onlyLooks } from './body-work.ts';
import type { Body, IncidentModel } from './model.ts';
import { Saga } from './saga.ts';
import { giveVerdict } from './verdicts.ts';

export interface ContextParts {
  readonly model: IncidentModel;
  readonly engine: StepEngine;
  readonly questions: Questions;
  readonly leases: Leases;
}

/** Another playbook, as its author names it. */
export type CalledPlaybook = Pick<ListedPlaybook, 'id'> & Partial<Pick<ListedPlaybook, 'run'>>;

/** For one run of a body: what it has begun, and what it needs from the others. */
export interface BodyLife {
  readonly work: BodyWork;
  /** Called when it sleeps or waits for another, so that others may run. */
  readonly onWait: () => void;
  readonly runPlaybook: (other: CalledPlaybook) => Promise<PlaybookEnd>;
}

interface AskShape {
  readonly question: string;
  readonly choices: Readonly<Record<string, string>>;
  readonly plan?: Readonly<Record<string, Plan | readonly Plan[] | undefined>>;
  readonly harmless?: readonly string[];
  readonly forms?: Readonly<Record<string, Form | undefined>>;
  readonly onSilence: string;
  readonly untilContained?: boolean;
}

const mostReasons = 3;

function plansOf(plan: Plan | readonly Plan[] | undefined): readonly Plan[] {
  if (plan === undefined) return [];
  return 'action' in plan ? [plan] : plan;
}

/**
 * The context that a body is called with. `PlaybookContext` is generic over the playbook's actions, which only the compiler knows: here they are made from the
 * envelope at run time, so the one cast from the dynamic to the typed side is the `never` in the return type.
 */
export function contextFor(parts: ContextParts, playbook: ListedPlaybook, body: Body, life: BodyLife): never {
  const { model, questions } = parts;
  const { work } = life;
  const { alert } = body;
  const { workload, doubt } = alert;
  const { subjectKey } = body.state;
  const caller: Caller = { playbook: playbook.id, subjectKey, startedAt: nowMs(), workload, alert, doubt };
  const evidence = new EvidenceFirst({ model, within: playbook.evidenceFirst });
  const run = (order: StepOrder) => {
    const result = evidence.run(order, () =>
      runOrAsk({ ...parts, alert: body.alert, order, isOnlyRecorded: isOnlyRecorded(playbook, body) }),
    );
    // Not chained into the body's own promise: an extra one would reorder its commands, and no history would replay.
    result.then(
      (quarantine) => afterQuarantine(parts, order, quarantine),
      () => undefined,
    );
    return result;
  };
  const stepsOf = (saga?: Saga) =>
    Object.fromEntries(
      Object.entries(playbook.uses).map(([name, declaration]) => [
        name,
        stepFor({ parts, caller, declaration, run, work, saga, sagaUndo: playbook.sagaUndo !== undefined }),
      ]),
    );

  if (playbook.contains === 'pod') mayContain({ model, body, work, caller, run });

  const refuseUnanswerable = ({ question, choices, forms = {} }: AskShape): void => {
    const [problem] = [
      ...(question.trim() === '' ? ['its question is empty'] : []),
      ...(Object.keys(choices).length === 0 ? ['it has no choices'] : []),
      ...Object.values(forms).flatMap((form) => (form && problemOfForm(form)) ?? []),
    ];
    if (problem !== undefined) throw new StepFailure('FB_ERR_REFUSED', `nobody could answer: ${problem}`);
  };

  const askPeople = async (asked: AskShape) => {
    refuseUnanswerable(asked);
    const { untilContained = false } = asked;
    if (untilContained && playbook.contains === undefined)
      throw new StepFailure(
        'FB_ERR_REFUSED',
        "untilContained is only for a playbook with contains: 'pod': add that to its envelope",
      );
    const contained = () =>
      untilContained && body.contained ? { choice: 'contained', ...containedBy(body.contained) } : undefined;
    if (contained()) return contained();
    const { question, choices, plan = {}, harmless = [], forms = {}, onSilence } = asked;
    const notAsked = followsAssessment(playbook) ? whyNotAsked(body) : undefined;
    const silence = untilContained ? silenceOf(body) : undefined;
    let expired: QuestionState | undefined;
    body.shown = body.state.kinds;
    delete body.uncovered;
    const put: AskedQuestion = {
      text: question,
      choices: Object.entries(choices).map(([id, label]) => ({
        id,
        label,
        plans: plansOf(plan[id]),
        ...(harmless.includes(id) && { harmless: true as const }),
        ...(forms[id] && { form: forms[id] }),
      })),
      levels: pagedBy(playbook, body, levelsOf(playbook, body.severity, model.settings.levels)),
      requester: `playbook/${playbook.id}`,
      onSilence: silence ? containedOnSilence : onSilence,
      ...(silence && {
        containsOnSilence: silence.podUid,
        onExpired: (state: QuestionState) => {
          expired = state;
        },
      }),
      alert: body.contained?.because ?? body.alert,
      finding: body.alert,
      caller,
      ...(untilContained && { until: () => whyContained(body) }),
    };
    if (notAsked !== undefined) {
      body.state = { ...body.state, withheld: true };
      questions.withhold(put, notAsked);
      return { choice: 'silence', notAsked };
    }
    const decision = await questions.ask(put);
    if (decision) body.lastAnswered = decision.question;
    if (expired && silence) await containUnanswered(body, expired, silence.seal);
    return decision
      ? {
          choice: decision.choice,
          by: model.namesOf(decision.by),
          approval: { proof: decision.proof, covers: {} },
          form: decision.answers ?? {},
        }
      : (contained() ?? { choice: 'silence' });
  };

  const ask = (asked: AskShape) => work.begin(`the question “${asked.question}”`, true, () => askPeople(asked));

  const settle = async (waiting: Readonly<Record<string, Promise<unknown>>>) => {
    const settled = await Promise.all(Object.entries(waiting).map(async ([name, part]) => [name, await settled1(part)] as const));
    return Object.fromEntries(settled);
  };

  const saga = async (part: (steps: unknown) => Promise<unknown>) => {
    const whole = new Saga(parts, playbook, body);
    try {
      return await part(stepsOf(whole));
    } catch (error) {
      if (!work.skipped) await work.tidy('the undo of a saga', true, () => whole.undo(error));
      throw error;
    }
  };

  const time = new BodyTime({ model, body, onSleep: life.onWait });

  const verdict = (value: Verdict, why: string) => giveVerdict(model, body, value, why);

  const context = {
    alert: body.alert,
    incident: incidentSeenBy(model),
    params: valuesOf(playbook.params ?? {}, model.settings.params?.[playbook.id]),
    get containment() {
      return body.containment && work.read('the containment of its pod', body.containment.result);
    },
    steps: stepsOf(),
    ask,
    settle,
    saga,
    sleep: (pause: Duration) => work.begin(`the sleep of ${pause}`, false, () => time.sleep(pause)),
    every: (pause: Duration, times: number, turn: (n: number) => Promise<unknown>) =>
      work.begin(`every(${pause})`, false, () => time.every(pause, times, turn)),
    runPlaybook: (other: CalledPlaybook) => work.begin(`playbook ${calledId(other)}`, true, () => life.runPlaybook(other)),
    verdict,
    note: (text: string) => model.record('playbook.note', `playbook/${playbook.id}`, text),
    log: (text: string, fields: LogFields = {}) => sayInLog(playbook, body, text, fields),
    skip: (reason: string) => work.skip(reason),
    evidence: () => model.evidence,
  };
  return context as never;
}

/** Why a body may not put its question before people. Once they have answered, it may go on asking. */
function whyNotAsked({ strongest, lastAnswered }: Body): string | undefined {
  if (lastAnswered !== undefined || isAskedAbout(strongest)) return undefined;
  const { rule, assessment } = strongest;
  const become = responseTo(strongest) === 'file' ? 'filed for later' : 'recorded';
  return `nobody is asked, since “${rule}” is only ${become} (${assessment?.reasons.slice(0, mostReasons).join('; ')})`;
}

function isOnlyRecorded(playbook: ListedPlaybook, { strongest, lastAnswered }: Body): boolean {
  return followsAssessment(playbook) && lastAnswered === undefined && responseTo(strongest) === 'watch';
}

/** Whether a question about containing wakes somebody is decided by the assessment; after a containment, and without an assessment, by the playbook. */
function pagedBy(playbook: ListedPlaybook, { strongest: { assessment } }: Body, levels: readonly Level[]): readonly Level[] {
  if (playbook.contains === undefined || assessment?.response !== 'ask') return levels;
  return levels.map(({ page: _, ...level }) => (assessment.pages ? { ...level, page: true } : level));
}

function containedBy({ done, because, unanswered }: NonNullable<Body['contained']>) {
  return { containment: done, because, ...(unanswered && { unanswered: true as const }) };
}

/** An author without a compiler may pass anything. */
function calledId(other: Readonly<Partial<Record<'id', unknown>>> | null | undefined): string {
  if (typeof other?.id === 'string') return other.id;
  throw new StepFailure(
    'FB_ERR_REFUSED',
    'runPlaybook takes a playbook made by definePlaybook, not a text: import the playbook and pass it',
  );
}

/** Always reflects the current state of the incident. */
function incidentSeenBy(model: IncidentModel): BodyIncident {
  return {
    id: model.ref.id,
    cluster: model.subject.cluster,
    title: model.title,
    openedAt: model.openedAt,
    get severity() {
      return model.severity;
    },
    get verdict() {
      return model.verdict;
    },
    get reached() {
      return model.reached;
    },
    get alerts() {
      return model.total;
    },
    get rules() {
      return [...new Set([...model.counts.values()].map(({ rule }) => rule))];
    },
    get evidence() {
      return model.evidence;
    },
    get inForce() {
      return model.holdingLeases.map(({ action, target }) => ({ action, target: target.name }));
    },
  };
}

const longestLine = 1_000;

/** Logged once, not again on replay. The texts may be the attacker's, so their length is limited, and known shapes of secrets are removed. */
function sayInLog(playbook: ListedPlaybook, { state }: Body, text: string, fields: LogFields): void {
  const clean = (value: string): string => redactSecrets(value.slice(0, longestLine));
  const shown = Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? clean(value) : value]);
  const said = { playbook: playbook.id, subject: state.subjectKey, fields: Object.fromEntries(shown) };
  logLine(clean(text), { firebreakPlaybook: said });
}

async function settled1(part: Promise<unknown>): Promise<Settled<unknown>> {
  try {
    return { ok: true, value: await part };
  } catch (error) {
    const { code, message } = stepFailure(error);
    return { ok: false, code, reason: message };
  }
}

/** @throws StepFailure if it is not a duration: the cell would use its own four hours instead */
function leaseMs(lease: Duration, action: string): number {
  const ms = durationMs(lease);
  if (ms > 0) return ms;
  throw new StepFailure(
    'FB_ERR_REFUSED',
    `${action} has the lease ${lease}, which is not a duration: write 30m or 4h, or leave it out`,
  );
}

function stepFor({
  parts,
  caller,
  declaration,
  run,
  work,
  saga,
  sagaUndo,
}: {
  readonly parts: ContextParts;
  readonly caller: Caller;
  readonly declaration: ActionDeclaration;
  readonly run: (order: StepOrder) => Promise<StepResult>;
  readonly work: BodyWork;
  /** The saga that the step is a part of. */
  readonly saga: Saga | undefined;
  readonly sagaUndo: boolean;
}) {
  const { engine, leases } = parts;
  const { name } = declaration;
  const { model } = parts;
  const isOff = onlyLooks(declaration) && model.settings.unavailable?.includes(name) === true;
  /** Skips the step without calling anyone: the pool that would perform it may not exist. */
  const goWithout = async (): Promise<never> => {
    const text = `${declaration.title}: not done, since ${name} is off or has no tools`;
    model.record('step.unavailable', `playbook/${caller.playbook}`, text, { action: name });
    throw new StepFailure('FB_ERR_REFUSED', text);
  };
  const call = (options: LeaseOptions, approval?: Approval) => {
    if (isOff) return goWithout();
    const { lease, onExpiry, ...input } = options;
    const ofSaga = saga && sagaUndo ? { saga: true as const } : {};
    const order: StepOrder = {
      caller,
      declaration,
      input: declaration.effect === 'reversible' ? input : options,
      ...(declaration.effect === 'reversible'
        ? { lease: { ...(lease && { durationMs: leaseMs(lease, name) }), ...(onExpiry && { onExpiry }), ...ofSaga } }
        : {}),
      ...(approval ? { approval: approval.proof } : {}),
    };
    return work.begin(
      `${name} on ${targetText(order.input)}`,
      !onlyLooks(declaration),
      () => saga?.take(run(order)) ?? run(order),
    );
  };
  const releaseOf = ({ plan, key }: StepResult, observed = false): Plan => {
    if (plan.action !== name)
      throw new StepFailure(
        'FB_ERR_REFUSED',
        `${name}.undo received the result of ${plan.action}: pass it the result of ${name}`,
      );
    return releasePlanOf(plan, key, observed);
  };
  const giveBack = async (result: StepResult, approval: Approval) => {
    const release = releaseOf(result);
    const plan = approvedReleaseIn(plansApproved(approval.proof), release) ?? release;
    if (result.leaseId === undefined) return;
    const holder = `${caller.playbook}/${caller.subjectKey}`;
    const { leaseId } = result;
    await leases.letGo(leaseId, holder, { kind: 'approved', proof: approval.proof, plan }).catch(async (error: unknown) => {
      // The body goes on once it is released, as it would if nothing had refused it.
      if (!(await leases.comesLater(leaseId))) throw error;
    });
  };
  const undo = (result: StepResult, approval: Approval) =>
    work.begin(`the release of ${name}`, true, () => giveBack(result, approval));
  return Object.assign(call, {
    plan: (input: unknown) => work.begin(`the plan of ${name}`, false, () => engine.plan({ caller, declaration, input })),
    undo: Object.assign(undo, {
      plan: async (result: StepResult, how?: { readonly observed?: true }) => releaseOf(result, how?.observed),
    }),
  });
}
