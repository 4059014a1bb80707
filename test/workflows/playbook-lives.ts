import type { Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import { actions } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { sampleOutputs } from '../../testing/sample-output.ts';
import { targetText } from '../../workflows/steps/step-data.ts';
import { waysInto } from '../playbooks/shipped-alerts.ts';
import type { Lab, RunningIncident } from './harness.ts';
import { signVote } from './people.ts';
import { planOf, type Script } from './scripted.ts';
import { voteOn } from './voting.ts';

/** What each action plans and returns, matching its declaration and its schema: playbook bodies read that. */
export const livesScript: Script = Object.fromEntries(
  actions.flatMap(({ name, effect, reach }) => [
    [`plan:${name}`, (call: StepCall): Plan => planned(call, { effect, reach })],
    [`output:${name}`, (call: StepCall) => outputOf(call)],
  ]),
);

/** A signed image would end a body at once. */
function outputOf({ action, input }: StepCall): unknown {
  const outputs = sampleOutputs(action, input).map((make) => make());
  return outputs.find((output) => isObject(output) && output.signature === 'unsigned') ?? outputs[0];
}

function planned(call: StepCall, declared: Pick<Plan, 'effect' | 'reach'>): Plan {
  const plan = planOf(call);
  if (plan.target.uid !== undefined) return { ...plan, ...declared };
  const name = targetText(call.input);
  return { ...plan, ...declared, target: { name }, changes: [{ target: name, what: call.action }], blastRadius: [name] };
}

/** The first test alert of each shipped playbook. */
export const lives: readonly (readonly [name: string, alert: Alert])[] = Object.entries(waysInto).flatMap(([name, [alert]]) =>
  alert ? [[name, alert] as const] : [],
);

const isOver = (state: string): boolean => state === 'done' || state === 'failed' || state === 'skipped';

/** Runs the playbook from its alert to the end of its body: each question gets its last answer, from as many people as required. */
export async function live(lab: Lab, name: string, alert: Alert): Promise<RunningIncident> {
  const incident = await lab.start([{ ...alert, cluster: 'lab' }], { playbooks: [`firebreak/${name}`], lingerMs: 3_600_000 });
  const ended = ({ bodies }: Awaited<ReturnType<RunningIncident['state']>>) =>
    bodies.length > 0 && bodies.every(({ state }) => isOver(state));
  const openIn = ({ questions }: Awaited<ReturnType<RunningIncident['state']>>): QuestionState | undefined =>
    questions.find(({ status, question }) => status.state === 'open' && !question.id.startsWith('lease:'));
  for (;;) {
    const state = await incident.until((now) => ended(now) || openIn(now) !== undefined, `a question of ${name}, or its end`);
    const asked = openIn(state);
    if (!asked) return incident;
    const choice = asked.question.choices.at(-1)?.id ?? '';
    for (const person of ['ana', 'ben']) await incident.signal(signVote(voteOn(asked, { choice, person })));
    const { id } = asked.question;
    await incident.until((now) => openIn(now)?.question.id !== id, `an end of “${asked.question.text}” of ${name}`);
  }
}
