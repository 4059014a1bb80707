import type { StepContext, UndoResult, Verification } from '../../core/action/action.ts';
import { checkGuardrails } from '../../core/action/guardrail.ts';
import { namespacesOf, type Plan, planDigest } from '../../core/action/plan.ts';
import { releaseIdOf } from '../../core/action/release-plan.ts';
import type { AppliedStep, StepCall, UndoCall, UndoReason } from '../../core/action/step.ts';
import { type Severity, worse } from '../../core/alert/severity.ts';
import { silenceUnder } from '../../core/assessment/assessment.ts';
import { observersIn, planIsCovered } from '../../core/decide/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import { boundedTerms, type HoldTerms, type ReleasedObject } from '../../core/incident/hold.ts';
import { defaultLeaseMs } from '../../core/incident/lease.ts';
import { digestOf } from '../../core/text/digest.ts';
import { approvedBy, isSameStep, LandedSteps } from '../memory/landed-steps.ts';
import { approvedPlan, knownOf, mustBeApproved } from './approval-check.ts';
import { asApproved, type ChangeWindows, createChangeWindows, restrainableOf } from './change-windows.ts';
import { createEvidenceRule, type EvidenceRule } from './evidence-rule.ts';
import type { ChokepointParts, PolicyStep, RegisteredAction } from './parts.ts';
import { createReleaseRule, type ReleaseRule } from './release-check.ts';
import { createReservations, type Reservations } from './reservations.ts';
import { underway } from './step-register.ts';

const hourMs = 3_600_000;

export interface Chokepoint {
  plan(call: StepCall, context: StepContext): Promise<Plan>;
  apply(call: StepCall, context: StepContext): Promise<AppliedStep>;
  verify(step: { readonly call: StepCall; readonly output: unknown }, context: StepContext): Promise<Verification>;
  undo(undo: UndoCall, context: StepContext): Promise<UndoResult>;
}

/** One stage that every step goes through. */
interface Stage {
  readonly name: string;
  readonly does: string;
  /** File that contains the rule. */
  readonly file: string;
  /** Chokepoint calls that go through this stage. */
  readonly on: readonly (keyof Chokepoint)[];
  readonly run: (run: StepRun, rules: Rules) => void | Promise<void>;
}

/** The one way to an effect: every call goes through the stages that name it, in this order, and nothing else calls an implementation. */
export const order: readonly Stage[] = [
  {
    name: 'input',
    does: 'The action belongs to this worker, and its schema accepts the input.',
    file: 'core/actions/inputs.schema.ts',
    on: ['plan', 'apply', 'verify', 'undo'],
    run: readInput,
  },
  {
    name: 'repeat',
    does: 'A step that was undone is not run again.',
    file: 'activities/memory/landed-steps.ts',
    on: ['apply'],
    run: refuseGivenBack,
  },
  {
    name: 'plan',
    does: 'It is planned again; a step that was cut short continues under the plan that was approved.',
    file: 'core/action/plan.ts',
    on: ['plan', 'apply'],
    run: makePlan,
  },
  {
    name: 'approval',
    does: 'If people approved it, they approved exactly this plan of this incident, and enough of those who may approve it did.',
    file: 'activities/chokepoint/approval-check.ts',
    on: ['apply'],
    run: checkApproval,
  },
  {
    name: 'silence',
    does: 'If nobody has answered, the cell itself has said that silence contains the pod, the whole time is over, and it knows of no answer.',
    file: 'core/assessment/silence-seal.ts',
    on: ['apply'],
    run: checkSilence,
  },
  {
    name: 'guardrails',
    does: 'Neither rules, caps, windows nor restraints forbid it. What no approval can allow is not even put to people.',
    file: 'core/action/guardrail.ts',
    on: ['plan', 'apply'],
    run: guard,
  },
  {
    name: 'evidence',
    does: 'Nothing is destroyed until evidence of it is kept, that is waived, or the time for it is over.',
    file: 'activities/chokepoint/evidence-rule.ts',
    on: ['apply'],
    run: requireEvidence,
  },
  {
    name: 'before-state',
    does: 'The request for it is durable. The earlier state is sealed onto the object in the same call as the change.',
    file: 'core/cluster/before-state.ts',
    on: ['apply'],
    run: prepareNote,
  },
  {
    name: 'apply',
    does: 'The action changes what its plan says, once for its key; if people approved it, once for their votes.',
    file: 'core/action/action.ts',
    on: ['apply'],
    run: applyStep,
  },
  {
    name: 'record',
    does: 'Its success is remembered, and what it has done: from then on it is not undone as a step that failed, nor by what a call says about it.',
    file: 'activities/memory/landed-steps.ts',
    on: ['apply'],
    run: recordStep,
  },
  {
    name: 'verify',
    does: 'What was changed is read back, or probed.',
    file: 'core/action/action.ts',
    on: ['verify'],
    run: verifyStep,
  },
  {
    name: 'release',
    does: 'People approved this release, its lease has ended, or the step failed: according to the note on the object, not to the call.',
    file: 'activities/chokepoint/release-check.ts',
    on: ['undo'],
    run: checkRelease,
  },
  {
    name: 'undo',
    does: 'The action restores what its note says, if nobody has changed it since.',
    file: 'core/action/action.ts',
    on: ['undo'],
    run: undoStep,
  },
  {
    name: 'event',
    does: 'An Event tells whoever looks at the object. Nothing waits for it.',
    file: 'core/cluster/object-event.ts',
    on: ['apply', 'undo'],
    run: tellOwners,
  },
];

/** What a call is about, and what the stages have found so far. */
interface StepRun {
  readonly operation: keyof Chokepoint;
  readonly call: StepCall;
  readonly context: StepContext;
  /** Why the step is undone. */
  readonly reason?: UndoReason;
  /** The action with its input. */
  action?: RegisteredAction;
  input?: unknown;
  plan?: Plan;
  /** Silence contains its target. */
  isUnanswered?: true;
  /** This run has taken a place under the caps. */
  hasPlace?: true;
  taking?: Omit<HoldTerms, 'at'>;
  /** It was done before, with the same votes. */
  isRepeated?: true;
  output?: unknown;
  verification?: Verification;
  /** The cell's sealed notes on what is released. */
  released?: readonly ReleasedObject[];
  undone?: UndoResult;
}

/** What the stages decide by. */
interface Rules {
  readonly parts: ChokepointParts;
  readonly registered: ReadonlyMap<string, RegisteredAction>;
  readonly reservations: Reservations;
  readonly windows: ChangeWindows;
  readonly evidence: EvidenceRule;
  readonly landed: LandedSteps;
  readonly release: ReleaseRule;
  readonly now: () => number;
}

/** The chokepoint of a worker. */
export function createChokepoint(parts: ChokepointParts): Chokepoint {
  const now = parts.now ?? Date.now;
  const landed = parts.landed ?? new LandedSteps();
  const rules: Rules = {
    parts,
    registered: new Map(parts.actions.map((action) => [action.declaration.name, action])),
    reservations: createReservations(parts),
    windows: createChangeWindows({ rules: parts.rules, now, restraintOn: parts.restraintOn }),
    evidence: createEvidenceRule(parts),
    landed,
    release: createReleaseRule({ ...parts, landed }),
    now,
  };

  const through = async (run: StepRun): Promise<StepRun> => {
    try {
      for (const stage of order) {
        if (!stage.on.includes(run.operation)) continue;
        const waiting = stage.run(run, rules);
        // Most stages wait for nothing.
        if (waiting) await waiting;
      }
      return run;
    } catch (error) {
      // A call that may come again, or may have taken effect, keeps its place.
      if (run.hasPlace && error instanceof FirebreakError && !error.retryable) rules.reservations.drop(run.call.key);
      throw error;
    }
  };

  return {
    plan: async (call, context) => found((await through({ operation: 'plan', call, context })).plan),
    apply: async (call, context) => {
      const run = await through({ operation: 'apply', call, context });
      const { longestLeaseHours } = parts.rules;
      const longest = longestLeaseHours !== undefined && { longestMs: longestLeaseHours * hourMs };
      const lease = call.lease && run.taking && { lease: { ...run.taking.lease, ...longest } };
      return { plan: found(run.plan), output: run.output, ...lease };
    },
    verify: async ({ call, output }, context) =>
      found((await through({ operation: 'verify', call, context, output })).verification),
    undo: async ({ call, reason }, context) => found((await through({ operation: 'undo', call, context, reason })).undone),
  };
}

/** Returns what an earlier stage has found. */
function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a stage of the chokepoint has run before the one that it needs');
  return value;
}

function readInput(run: StepRun, { registered }: Rules): void {
  const { call } = run;
  const action = registered.get(call.action);
  if (!action) throw new FirebreakError('FB_ERR_REFUSED', `this worker does not have the action ${call.action}`);
  const input = action.input.safeParse(call.input);
  if (!input.success) {
    const [{ path = [], message = '' } = {}] = input.error.issues;
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `the input of ${call.action} is not valid at ${path.join('.') || 'its root'}: ${message}`,
    );
  }
  run.action = action;
  run.input = input.data;
}

function refuseGivenBack({ call }: StepRun, { landed }: Rules): void {
  if (landed.wasGivenBack(call.key))
    throw new FirebreakError('FB_ERR_REFUSED', `this step of ${call.action} was undone: it is not run again`);
}

async function makePlan(run: StepRun, rules: Rules): Promise<void> {
  run.plan = run.operation === 'plan' ? await planAnew(run, rules) : await planToRun(run, rules);
}

async function planAnew(run: StepRun, { parts, windows }: Rules): Promise<Plan> {
  const { call, context, input } = run;
  const { declaration, implementation } = found(run.action);
  // The incident is known here from its first plan on.
  parts.incidents.began(call.incident);
  const planned = await underway(parts.steps, call, undefined, () => implementation.plan(input, context));
  const plan: Plan = {
    ...planned,
    action: declaration.name,
    effect: declaration.effect,
    reach: planned.reach ?? declaration.reach,
    inputDigest: digestOf(call.input),
  };
  return windows.asAsked(plan, call);
}

/** The plan that the step runs under: a new one, or the approved one if this very step was interrupted. */
async function planToRun(run: StepRun, rules: Rules): Promise<Plan> {
  const approved = approvedPlan(run.call);
  let plan: Plan;
  try {
    plan = asApproved(await planAnew(run, rules), approved);
  } catch (error) {
    if (approved && (await hasStarted(run))) return approved;
    throw error;
  }
  if (!approved || planDigest(plan) === planDigest(approved)) return plan;
  return (await hasStarted(run)) ? approved : plan;
}

function hasStarted({ action, input, context }: StepRun): Promise<boolean> {
  return found(action).implementation.started(input, context);
}

async function checkApproval(run: StepRun, { parts }: Rules): Promise<void> {
  const { call, context } = run;
  const { approval } = call;
  if (!approval) return;
  const plan = found(run.plan);
  parts.warrants?.take(call, context.order ?? call.key);
  await mustBeApproved(parts, call, approval, 'step');
  if (planIsCovered(approval, plan)) return;
  if (!approvedPlan(call))
    throw new FirebreakError(
      'FB_ERR_PLAN_CHANGED',
      `people were not shown ${call.action} of ${plan.target.name} with “${approval.choice}”: ask() must offer its plan with that choice`,
    );
  if (plan.outsideWindow !== undefined && approvedPlan(call)?.outsideWindow === undefined)
    throw new FirebreakError(
      'FB_ERR_OUTSIDE_WINDOW',
      `${plan.outsideWindow} has closed since people approved ${plan.target.name}: one more person must agree. Ask again`,
    );
  throw new FirebreakError('FB_ERR_PLAN_CHANGED', `${plan.target.name} is no longer as it was when people approved`);
}

/** An answer wins, whatever question about the pod it is on. Everything else that stops a containment without people stops this one. */
function checkSilence(run: StepRun, { parts, now }: Rules): void {
  const { call } = run;
  const { unanswered } = call;
  if (!unanswered || call.approval) return;
  const plan = found(run.plan);
  const { uid, name } = plan.target;
  const silence = parts.bySilence?.(unanswered, { podUid: uid, incident: call.incident }) ?? noSilence;
  const why = silence.ok ? whyNotInSilence(run, parts, silence) : silence.reason;
  if (!silence.ok || why !== undefined)
    throw new FirebreakError('FB_ERR_REFUSED', `${name} is not contained because nobody answered: ${why}`);
  // Comes again by itself: the workflow's clock may be ahead of this one.
  if (now() < silence.from)
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `people have until ${new Date(silence.from).toISOString()} to answer`);
  run.isUnanswered = true;
}

const noSilence = { ok: false, reason: 'here silence does nothing' } as const;

function whyNotInSilence(
  { call, action, plan }: StepRun,
  { votes, policyOn }: ChokepointParts,
  { podUid, assessedAt }: { readonly podUid: string; readonly assessedAt: number },
): string | undefined {
  if (found(action).declaration.contains !== true) return `silence does not order ${call.action}`;
  if (votes.mayHaveAnswered(podUid, assessedAt)) return 'people have decided about it since';
  const policy = policyOn?.(policyStepOf(call, found(plan)));
  return policy && silenceUnder(policy) !== 'contain'
    ? `mode ${policy.mode} (${policy.scope}) does nothing on silence`
    : undefined;
}

function policyStepOf({ workload, playbook, incident }: StepCall, plan: Plan): PolicyStep {
  return { namespaces: namespacesOf(plan), uid: plan.target.uid, workload, playbook, incident };
}

async function guard(run: StepRun, rules: Rules): Promise<void> {
  const { call } = run;
  const plan = found(run.plan);
  let closed = rules.windows.refusal(plan, call);
  if (run.operation === 'plan') return mayBeAsked(run, rules, closed);
  // What began while the window was open is not left half done.
  if (closed !== undefined && call.approval && (await hasStarted(run))) closed = undefined;
  const { parts, reservations } = rules;
  const { declaration } = found(run.action);
  const { uid } = plan.target;
  const namespace = plan.target.name.split('/')[1] ?? '';
  const ours = reservations.containedBy(call.incident.id, namespace);
  const held = uid !== undefined && ours.has(uid);
  // Counting thousands takes milliseconds: so it is done only if a cap could stop the step.
  const isCounted = declaration.contains === true && !call.approval && !held;
  const contained = isCounted ? reservations.contained(uid, namespace) : { total: 0, namespace: 0 };
  const answer = checkGuardrails(parts.rules, {
    declaration,
    plan,
    assessed: run.isUnanswered === true || parts.isAssessed?.(call.assessed, uid) === true,
    approved: call.approval !== undefined,
    doubt: call.doubt,
    closed,
    restraint: parts.restraintOn?.(restrainableOf(call, plan)),
    policy: parts.policyOn?.(policyStepOf(call, plan)),
    ownerReplicas: parts.census.ownerReplicas(call),
    held,
    // The incident counts what it knows of; the cell counts what it sees and what it is about to do.
    ownerContained: Math.max(call.ownerContained, ours.size - (held ? 1 : 0)),
    namespaceContained: contained.namespace,
    clusterContained: contained.total,
  });
  if (!answer.ok) throw new FirebreakError(answer.code, answer.reason);
  // In the same turn as the guardrails: nobody else counts between counting and reserving.
  if (declaration.contains !== true || uid === undefined) return;
  reservations.reserve(uid, plan, call);
  run.hasPlace = true;
}

/** What no approval can allow is not put to people in the first place. */
function mayBeAsked(run: StepRun, { parts }: Rules, closed: string | undefined): void {
  const { declaration } = found(run.action);
  const nothing = { assessed: false, doubt: undefined, ownerReplicas: undefined, held: false };
  const counts = { ownerContained: 0, namespaceContained: 0, clusterContained: 0 };
  const plan = found(run.plan);
  const answer = checkGuardrails(parts.rules, { declaration, plan, closed, approved: true, ...nothing, ...counts });
  if (!answer.ok) throw new FirebreakError(answer.code, answer.reason);
}

async function requireEvidence(run: StepRun, { evidence }: Rules): Promise<void> {
  await evidence(run.call, found(run.action).declaration, found(run.plan));
}

async function prepareNote(run: StepRun, { parts }: Rules): Promise<void> {
  const { call, context } = run;
  await kept(context);
  const longestMs = (parts.rules.longestLeaseHours ?? Number.POSITIVE_INFINITY) * hourMs;
  // A pool has heard no alerts: the cell's warrant gives the severity.
  const said = call.approval && call.warrant ? parts.warrants?.read(call).severity : undefined;
  const severity = worse(knownOf(parts, call).severity, said ?? 'unknown');
  run.taking = takingOf(call, found(run.plan), { severity, longestMs });
}

async function applyStep(run: StepRun, { parts, landed }: Rules): Promise<void> {
  const { call, context, input, taking } = run;
  const { implementation } = found(run.action);
  const done = landed.doneByVotes(call) ?? (await doneByAnother(run, parts));
  if (done) {
    run.isRepeated = true;
    run.output = done.output;
    return;
  }
  const plan = found(run.plan);
  const apply = () => implementation.apply(input, { ...context, taking, planned: plan.blastRadius });
  const { writing } = parts;
  run.output = await underway(parts.steps, call, plan, writing ? () => writing.step(apply) : apply);
}

/** The result, if another cell has done the step with the same votes. Only that cell remembers whether it was released since: then none of it is in place. */
async function doneByAnother(run: StepRun, { stepsOfCells }: ChokepointParts): Promise<{ readonly output: unknown } | undefined> {
  const { call } = run;
  const done = call.approval && (await stepsOfCells?.doneBefore(call.incident.id, approvedBy(call)));
  if (!done) return undefined;
  const isThere = !found(run.action).implementation.undo || (await hasStarted(run));
  if (isThere && done.output !== undefined) return { output: done.output };
  const { name } = found(run.plan).target;
  throw new FirebreakError(
    'FB_ERR_REFUSED',
    `another cell has done ${call.action} by these votes, so it is not done again: look at ${name}, ${isThere ? 'its outcome is unknown here' : 'which no longer carries it'}`,
  );
}

async function recordStep({ call, action, output, isRepeated }: StepRun, { parts, landed, now }: Rules): Promise<void> {
  if (!isRepeated) {
    landed.note(call.key, now());
    landed.noteApproved(call, output, now());
    if (found(action).implementation.undo) landed.noteDone(call, output, now());
  }
  if (call.approval) await parts.stepsOfCells?.done(call.incident.id, approvedBy(call), output);
}

async function verifyStep(run: StepRun, { parts }: Rules): Promise<void> {
  const { call, context, output } = run;
  const { implementation } = found(run.action);
  run.verification = await underway(parts.steps, call, undefined, () => implementation.verify(output, context));
}

async function checkRelease(run: StepRun, { release, landed }: Rules): Promise<void> {
  const { call } = run;
  const done = landed.doneBy(call.key);
  if (done && !isSameStep(call, done))
    throw new FirebreakError('FB_ERR_REFUSED', `the step with this key was another one, of ${done.action}`);
  if (!found(run.action).implementation.undo) throw new FirebreakError('FB_ERR_REFUSED', `${call.action} has no undo`);
  await release.before(call, found(run.reason));
}

async function undoStep(run: StepRun, { parts, release, reservations, landed, now }: Rules): Promise<void> {
  const { call, context, input } = run;
  const undo = found(found(run.action).implementation.undo);
  const reason = found(run.reason);
  const done = landed.doneBy(call.key);
  const isForgotten = !done && !landed.wasUndone(call.key);
  const observedFor = observersIn('proof' in reason ? reason.proof : undefined);
  const giveBack = () =>
    undo(
      {
        input,
        key: call.key,
        ...(done && { output: done.output }),
        ...(isForgotten && { isForgotten }),
        ...(observedFor && { observedFor }),
        allow: async (notes) => {
          await release.given(call, reason, notes);
          run.released = notes;
        },
      },
      context,
    );
  const { writing } = parts;
  run.undone = await underway(parts.steps, call, undefined, writing ? () => writing.release(giveBack) : giveBack);
  reservations.drop(call.key);
  // What was changed meanwhile is still held: it is put back, and may be released another time.
  if (run.undone.state !== 'drifted') landed.gaveBack(call.key, now(), run.released);
}

function tellOwners(run: StepRun, { parts }: Rules): void {
  if (!parts.tell || run.isRepeated) return;
  const { call, operation, output, plan, reason, taking, undone, released = [] } = run;
  const { declaration: action } = found(run.action);
  const step = { action, incident: call.incident.id, key: call.key };
  if (operation === 'apply') {
    const { target, changes } = found(plan);
    const objects = [target, ...changes.map((change) => ({ name: change.target }))];
    const done = { ...step, outcome: 'done', objects, output, playbook: call.playbook, release: releaseIdOf(call) } as const;
    parts.tell({ ...done, ...(taking && { terms: taking }) });
  } else if (undone?.state === 'undone') {
    const objects = released.map(({ object: name, uid }) => ({ name, ...(uid !== undefined && { uid }) }));
    const byPeople = reason !== undefined && 'proof' in reason && reason.proof !== undefined;
    parts.tell({ ...step, outcome: 'undone', objects, byPeople });
  }
}

async function kept({ durable }: StepContext): Promise<void> {
  try {
    await durable;
  } catch {
    throw new FirebreakError('FB_ERR_REFUSED', 'the request for it could not be stored');
  }
}

/** For the note on what is changed: a release is checked against this. */
function takingOf(
  { lease = { durationMs: defaultLeaseMs, onExpiry: 'renew' } }: StepCall,
  { reach }: Plan,
  { severity, longestMs }: { readonly severity: Severity; readonly longestMs: number },
): Omit<HoldTerms, 'at'> {
  return { severity, reach, lease: boundedTerms(lease, { severity, longestMs }) };
}
