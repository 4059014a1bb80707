import type { Plan } from '../../core/action/plan.ts';
import { podUidOf } from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import { lastPart } from '../../core/text/object-name.ts';
import { stepFailure } from '../calls.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { Questions } from '../questions/questions.ts';
import { StepFailure } from '../step-failure.ts';
import type { StepOrder } from './step-calls.ts';
import type { StepEngine } from './steps.ts';

/** Codes of steps that may not run without people: a cap is full, or the alert is in doubt. */
const forPeople: ReadonlySet<ErrorCode> = new Set(['FB_ERR_ASK_FIRST', 'FB_ERR_CAP_REACHED']);

/**
 * Runs a step; if it may not run automatically, people are asked about exactly its plan, and it runs with their approval. Without approval the body gets the
 * refusal, as it would have at once.
 *
 * @throws StepFailure
 */
export async function runOrAsk(call: {
  readonly engine: StepEngine;
  readonly model: IncidentModel;
  readonly questions: Questions;
  readonly alert: Alert;
  readonly order: StepOrder;
  /** Nothing about it leaves Firebreak: no ticket is filed. */
  readonly isOnlyRecorded: boolean;
}): Promise<StepResult> {
  const { engine, model, order, isOnlyRecorded } = call;
  const { observed } = model.settings;
  const { effect, reach } = order.declaration;
  // The chokepoint would refuse it, except for a ticket, which no guardrail stops.
  if (observed && (effect !== 'read' || reach === 'outside'))
    return planned(call, 'in mode contain this would have been done or asked');
  if (isOnlyRecorded && reach === 'outside') return planned(call, 'not done, since the alert is only recorded');
  try {
    return await engine.run(order);
  } catch (error) {
    const refusal = stepFailure(error);
    if (refusal.code === 'FB_ERR_OBSERVED') {
      if (observed) return planned(call, refusal.message);
      await recordPlan(call, refusal.message);
    }
    if (order.approval || !forPeople.has(refusal.code) || model.settings.levels.length === 0) throw refusal;
    // The target may be gone by now: then there is nothing to ask.
    const plan = await engine.plan(order).catch(() => undefined);
    const decision = plan && (await askInstead({ ...call, plan, refusal }));
    if (decision?.choice === 'apply') return engine.run({ ...order, approval: decision.proof });
    if (isDone(call)) return engine.run(order);
    throw refusal;
  }
}

/** Whether the same is in force on the target meanwhile, for whatever reason. */
function isDone({ model, order }: Pick<Parameters<typeof runOrAsk>[0], 'model' | 'order'>): boolean {
  const uid = podUidOf(order.input);
  if (uid === undefined) return false;
  const isInForce = (step: string): boolean => model.steps.get(step)?.state !== 'running';
  return model.holdingLeases.some(
    ({ action, target, stepKey }) => action === order.declaration.name && target.uid === uid && isInForce(stepKey),
  );
}

type Planned = Pick<Parameters<typeof runOrAsk>[0], 'engine' | 'model' | 'order'>;

/** @throws StepFailure if it cannot even be planned */
async function planned(call: Planned, why: string): Promise<StepResult> {
  const plan = await call.engine.plan(call.order);
  note(call, plan, why);
  return asIfDone(plan, call.model.newId());
}

/** In observe mode, the plan is all that happens of a step. */
async function recordPlan(call: Planned, why: string): Promise<void> {
  const plan = await call.engine.plan(call.order).catch(() => undefined);
  if (plan) note(call, plan, why);
}

function note({ model, order: { declaration, caller } }: Planned, plan: Plan, text: string): void {
  const body = { action: declaration.name, plan };
  model.record('step.planned', `playbook/${caller.playbook}`, `${declaration.title}: ${text}`, body);
}

function askInstead(call: {
  readonly model: IncidentModel;
  readonly questions: Questions;
  readonly alert: Alert;
  readonly order: StepOrder;
  readonly plan: Plan;
  readonly refusal: StepFailure;
}): ReturnType<Questions['ask']> {
  const { model, questions, alert, order, plan, refusal } = call;
  const [first, ...later] = model.settings.levels;
  return questions.ask({
    text: `${order.declaration.title} (${lastPart(plan.target.name)})? It was not done at once: ${refusal.message}`,
    choices: [
      { id: 'apply', label: 'Yes', plans: [plan] },
      { id: 'leave', label: 'No, leave it as it is', plans: [] },
    ],
    // A waiting step is not contained: silence matters.
    levels: first ? [{ ...first, page: true }, ...later] : [],
    // Asks those who decide on incidents, whomever the playbook asks.
    requester: 'engine',
    onSilence: 'It is not done.',
    alert,
    caller: order.caller,
    until: () => (isDone(call) ? 'it has been done because of something else' : undefined),
  });
}

/** The result of a step that was only planned, so that a body goes on as if it had been done. What only the step itself could have found out ends the body. */
export function asIfDone(plan: Plan, key: string): StepResult {
  const detail = 'not done, only planned';
  return { action: plan.action, key, plan, output: unknownOutput(plan), verification: { state: 'unverified', detail } };
}

function unknownOutput({ action, target }: Plan): object {
  return new Proxy(
    {},
    {
      get: (_, field) => {
        // A promise asks for `then`, and a text for its symbols.
        if (typeof field === 'symbol' || field === 'then' || field === 'toJSON') return undefined;
        throw new StepFailure(
          'FB_ERR_OBSERVED',
          `only ${action} of ${target.name} could have told “${field}”, and it was not done. What follows is not simulated`,
        );
      },
    },
  );
}
