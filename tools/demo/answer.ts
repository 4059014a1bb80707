import type { IncidentState, StepState } from '../../core/incident/incident-state.ts';
import { askedQuestion, type Incident, stepOf } from './incident.ts';
import type { DemoResponse } from './respond.ts';
import { people } from './settings.ts';
import type { Stage, StageTime } from './stage.ts';

/** `release`, `remove`, or undefined if nobody decided. */
export type DemoDecision = 'release' | 'remove' | undefined;

const countedWithinMs = 120_000;
const doneWithinMs = 300_000;
const closedWithinMs = 120_000;

export interface Answered {
  readonly outcome: DemoDecision;
  readonly state: IncidentState;
  readonly times: readonly StageTime[];
}

/** Lets people (or a script, through the same Slack) answer, and shows what follows until nothing is left to do. */
export async function showAnswer(options: {
  readonly incident: Incident;
  readonly response: DemoResponse;
  readonly answer: Exclude<DemoDecision, undefined> | undefined;
  readonly consoleUrl?: string | undefined;
  readonly stage: Stage;
}): Promise<Answered> {
  const { incident, response, answer, consoleUrl, stage } = options;
  const decided = (state: IncidentState): boolean => askedQuestion(state)?.status.state !== 'open';
  if (answer) await clickThrough({ ...options, answer });
  else {
    stage.heading('Your turn to answer');
    for (const { name, title, slack } of people) stage.line(`  ${response.slack.pageUrl(slack)}  as ${name}, ${title}`);
    if (consoleUrl !== undefined) stage.line(`  ${consoleUrl}  the console, for any of them`);
    stage.line('  Choose an answer there, and the demo continues. Ctrl-C ends it.');
    stage.waiting('waiting for a click');
  }
  const after = await incident.until('the decision', answer ? countedWithinMs : undefined, decided);
  const { status, question } = askedQuestion(after) ?? response.asked;
  if (status.state !== 'decided') {
    stage.event(
      undefined,
      'undecided',
      status.state === 'void' ? status.why : 'nobody answered in time: the pod stays quarantined',
    );
    return { outcome: undefined, state: after, times: [] };
  }
  const label = question.choices.find(({ id }) => id === status.choice)?.label ?? status.choice;
  const at = Date.parse(status.at);
  stage.heading(`Decided: “${label}”, by ${status.by.join(' and ')}`);
  const outcome: DemoDecision = status.choice === 'remove' ? 'remove' : 'release';
  stage.waiting(
    outcome === 'remove' ? 'rotating the Secret, rolling out the Deployments that use it, deleting the pod' : 'releasing the pod',
  );
  const done = await incident.until('the end of the playbook', doneWithinMs, ({ bodies }) =>
    bodies.every(({ state }) => state === 'done' || state === 'failed'),
  );
  const times = outcome === 'remove' ? showRemoval(done, at, stage) : showRelease(done, at, stage);
  stage.waiting('waiting for the last records');
  const closed = await incident.until('the end of the incident', closedWithinMs, ({ open }) => !open).catch(() => done);
  return { outcome, state: closed, times };
}

async function clickThrough(options: {
  readonly incident: Incident;
  readonly response: DemoResponse;
  readonly answer: 'release' | 'remove';
  readonly stage: Stage;
}): Promise<void> {
  const { incident, response, answer, stage } = options;
  const choice = response.asked.question.choices.find(({ id }) => id === answer);
  const voters = people.slice(0, choice?.quorum ?? 1);
  stage.heading(`Answering through Slack as ${voters.map(({ name }) => name).join(' and ')}`);
  for (const [index, { name, slack, id }] of voters.entries()) {
    await response.slack.click({ user: slack, button: choice?.label ?? '', ts: response.cardTs });
    const state = await incident.until(
      `the vote of ${name}`,
      countedWithinMs,
      (now) => askedQuestion(now)?.votes.some(({ vote }) => vote.person === id) === true,
    );
    stage.event(
      undefined,
      'vote',
      `${name}: “${choice?.label}” (${index + 1} of ${choice?.quorum}, ${askedQuestion(state)?.status.state})`,
    );
  }
}

function showRemoval(state: IncidentState, at: number, stage: Stage): readonly StageTime[] {
  return [
    ...showStep({ step: stepOf(state, 'rotateSecret'), name: 'rotated', at, stage }),
    ...showStep({ step: stepOf(state, 'deletePod'), name: 'deleted', at, stage }),
  ];
}

function showRelease(state: IncidentState, at: number, stage: Stage): readonly StageTime[] {
  const entry = state.timeline.findLast(({ kind }) => kind.startsWith('lease.'));
  const ms = entry ? Date.parse(entry.at) - at : undefined;
  stage.event(ms, 'released', entry?.text ?? 'nothing was released');
  return ms === undefined ? [] : [{ stage: 'decision to released', ms }];
}

function showStep(options: {
  readonly step: StepState | undefined;
  readonly name: string;
  readonly at: number;
  readonly stage: Stage;
}): readonly StageTime[] {
  const { step, name, at, stage } = options;
  if (!step) {
    stage.event(undefined, name, 'this step did not run');
    return [];
  }
  const ms = step.endedAt === undefined ? undefined : Date.parse(step.endedAt) - at;
  stage.event(ms, name, `${step.target}: ${step.state}`, [step.detail]);
  return ms === undefined ? [] : [{ stage: `decision to ${name}`, ms }];
}
