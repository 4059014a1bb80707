import type { Plan } from '../../core/action/plan.ts';
import { incidentNames } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';
import { deskActivities, voteActivities } from '../../workflows/calls.ts';
import { IncidentModel } from '../../workflows/incident/model.ts';
import { type Decision, Questions } from '../../workflows/questions/questions.ts';
import { Votes } from '../../workflows/questions/votes.ts';
import { condition, onSignal } from '../../workflows/world.ts';

/** Asks one question about something destructive at two levels, as a playbook does: nothing else of an incident. */
export async function askOneQuestion(input: IncidentInput & { readonly plan: Plan }): Promise<{
  readonly decision: Decision;
  readonly timeline: readonly string[];
}> {
  const desk = deskActivities(input.settings);
  const model = new IncidentModel(input, desk);
  const questions = new Questions(model, desk);
  const votes = new Votes({
    home: model,
    desk,
    cell: () => voteActivities(model.settings),
    counted: (vote) => questions.counted(vote),
  });
  onSignal<[unknown]>(incidentNames.voteSignal, (vote) => votes.receive(vote));
  void votes.run();
  const [alert] = input.start.batch.alerts;
  if (!alert) throw new Error('no alert');
  const decision = await questions.ask({
    text: 'Delete it?',
    choices: [
      { id: 'yes', label: 'Yes', plans: [input.plan] },
      { id: 'no', label: 'No', plans: [] },
    ],
    levels: [
      { group: 'oncall', withinMs: 900_000 },
      { group: 'leads', withinMs: 3_600_000 },
    ],
    requester: 'playbook/asking',
    onSilence: 'nothing',
    alert,
  });
  // Answers and the last card are still on their way.
  await condition(() => model.busy === 0);
  return { decision, timeline: model.timeline.map(({ kind, text }) => `${kind}: ${text}`) };
}
