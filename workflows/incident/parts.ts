import type { Plan } from '../../core/action/plan.ts';
import type { AlertBatch } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { deskActivities, followUpActivities, voteActivities } from '../calls.ts';
import { FollowUp } from '../follow-up/follow-up.ts';
import { HandedRecords } from '../handed-records.ts';
import { Questions } from '../questions/questions.ts';
import { Remarks } from '../questions/remarks.ts';
import { Votes } from '../questions/votes.ts';
import { ContainmentChecks } from '../steps/containment-checks.ts';
import { EffectChecks } from '../steps/effect-checks.ts';
import { Leases } from '../steps/leases.ts';
import { StepEngine } from '../steps/steps.ts';
import { timeNow } from '../world.ts';
import { joinBatch } from './alerts.ts';
import { Bodies } from './bodies.ts';
import { IncidentModel } from './model.ts';
import { PostureLook } from './posture.ts';
import { TargetLocks } from './targets.ts';

/** The parts of an incident. */
export interface IncidentParts {
  readonly model: IncidentModel;
  readonly handed: HandedRecords;
  readonly questions: Questions;
  readonly votes: Votes;
  readonly remarks: Remarks;
  readonly leases: Leases;
  readonly checks: ContainmentChecks;
  readonly effects: EffectChecks;
  readonly posture: PostureLook;
  readonly bodies: Bodies;
  readonly followUp: FollowUp;
}

/** @param lists all playbooks, by pack */
export function createParts(input: IncidentInput, lists: readonly (readonly ListedPlaybook[])[]): IncidentParts {
  const desk = deskActivities(input.settings);
  const model = new IncidentModel(input, desk);
  const questions = new Questions(model, desk);
  const followUp = new FollowUp({
    model,
    activities: followUpActivities(input.settings),
    tell: (text) => questions.page(text),
    changed: () => questions.touchAll(),
  });
  const leases = new Leases(model, {
    page: (text) => questions.page(text),
    renewed: (lease) => questions.renewed(lease),
    ended: (id, why) => questions.closeStanding(id, why),
    changed: () => questions.touchAll(),
  });
  const effects = new EffectChecks(model, {
    run: (order) => engine.run(order),
    tell: (text) => questions.page(text),
    changed: () => questions.touchAll(),
  });
  const engine = new StepEngine({ model, leases, questions, effects, locks: new TargetLocks() });
  questions.onLeaseDecided(async (id, choice, by, { proof, plan }) => {
    // A release that was already due is being tried: people decide on its outcome.
    await leases.tried(id);
    if (choice === 'keep') leases.keep(id, by);
    if (choice === 'extend') leases.extend(id, by);
    const given = (): void => {
      const lease = model.leases.get(id);
      if (lease?.state !== 'released') return;
      bodies.givenBack(lease.target.uid, timeNow(), [...new Set(proof.votes.map(({ vote }) => vote.person))]);
    };
    // By then a refusal is recorded and paged: the lease stands, and so must its question.
    if (choice === 'release' && plan)
      await leases.undo(id, { kind: 'approved', proof, plan }).then(given, () => void leases.comesLater(id).then(given));
    const lease = model.leases.get(id);
    if (lease?.state === 'active') questions.standing(lease, plan ?? standingPlan(proof.question.choices));
  });
  const bodies = new Bodies({ model, engine, questions, leases }, lists);
  const checks = new ContainmentChecks(model, () => questions.touchAll());
  const posture = new PostureLook(model, () => questions.touchAll());
  const votes = new Votes({
    home: model,
    desk,
    cell: () => voteActivities(model.settings),
    counted: (vote) => questions.counted(vote),
  });
  if (input.carried?.cards) questions.carryOn(input.carried.cards);
  const remarks = new Remarks({ model, desk, questions });
  const handed = new HandedRecords(model.ref.id, desk.recordAudit, input.carried?.handedRecords);
  return { model, handed, questions, votes, remarks, leases, checks, effects, posture, bodies, followUp };
}

function standingPlan(choices: readonly { readonly plans: readonly Plan[] }[]): Plan {
  const plan = choices.flatMap((choice) => choice.plans)[0];
  if (!plan) throw new Error('a standing question without the plan of its release');
  return plan;
}

/** Takes in alerts, and starts what answers them. */
export function join(
  { model, bodies, questions }: Pick<IncidentParts, 'model' | 'bodies' | 'questions'>,
  batch: AlertBatch,
): void {
  try {
    const { fresh, repeated, showsOnCards } = joinBatch(model, batch);
    for (const alert of fresh) bodies.evaluate(alert);
    for (const count of repeated) bodies.repeated(count);
    if (showsOnCards) questions.touchAll();
  } catch {
    // Rethrowing would stop the whole incident for good.
    model.record('alert.refused', 'engine', 'a batch of alerts that cannot be read');
  }
}

/** Starts what runs for as long as the incident lives. */
export function runParts({ model, handed, votes, leases, effects, followUp }: IncidentParts): void {
  void model.outbox.run();
  void handed.run();
  void votes.run();
  void leases.run();
  effects.run();
  followUp.run();
}
