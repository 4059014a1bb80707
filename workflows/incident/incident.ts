import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Plan } from '../../core/action/plan.ts';
import { blockEgress, isolateNamespace } from '../../core/actions/index.ts';
import { type AlertBatch, type IncidentNote, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';
import type { IncidentState, StepState } from '../../core/incident/incident-state.ts';
import { deskActivities, followUpActivities, voteActivities } from '../calls.ts';
import { declarationOf } from '../declarations.ts';
import { FollowUp } from '../follow-up/follow-up.ts';
import { onRefusedMessages, recordRefused } from '../messages.ts';
import { Questions } from '../questions/questions.ts';
import { Remarks } from '../questions/remarks.ts';
import { Votes } from '../questions/votes.ts';
import { ContainmentChecks } from '../steps/containment-checks.ts';
import { Leases } from '../steps/leases.ts';
import { lasts } from '../steps/step-calls.ts';
import { StepEngine } from '../steps/steps.ts';
import { joinBatch } from './alerts.ts';
import { Bodies } from './bodies.ts';
import { IncidentModel } from './model.ts';
import { TargetLocks } from './targets.ts';

const alertsSignal = defineSignal<[AlertBatch]>(incidentNames.alertsSignal);
const noteSignal = defineSignal<[IncidentNote]>(incidentNames.noteSignal);
const remarkSignal = defineSignal<[unknown]>(incidentNames.remarkSignal);
const ticketNewsSignal = defineSignal(incidentNames.ticketNewsSignal);
const voteSignal = defineSignal<[unknown]>(incidentNames.voteSignal);
const stateQuery = defineQuery<IncidentState>(incidentNames.stateQuery);

/**
 * One affected workload (or node), from its first alert until nothing is left to do. It is the one writer of everything that is
 * done about it: playbooks, steps, questions, leases and records all live here.
 */
export async function incident(input: IncidentInput): Promise<IncidentState> {
  const parts = createParts(input);
  const { model, questions, votes, remarks, leases, bodies, followUp } = parts;

  const join = (batch: AlertBatch): void => {
    try {
      const { fresh, repeated, showsOnCards } = joinBatch(model, batch);
      for (const alert of fresh) bodies.evaluate(alert);
      for (const count of repeated) bodies.repeated(count);
      if (showsOnCards) questions.touchAll();
    } catch {
      // Thrown on, it would stop the whole incident for good.
      model.record('alert.refused', 'engine', 'a batch of alerts that cannot be read');
    }
  };
  setHandler(alertsSignal, join);
  setHandler(noteSignal, (note) => noteOn(parts, note));
  setHandler(remarkSignal, (remark) => remarks.receive(remark));
  setHandler(ticketNewsSignal, () => followUp.nudge());
  setHandler(voteSignal, (vote) => votes.receive(vote));
  setHandler(stateQuery, () => model.snapshot());
  onRefusedMessages((refused) => recordRefused(model, refused));

  if (!input.carried) join(input.start.batch);
  void model.outbox.run();
  void votes.run();
  void leases.run();
  followUp.run();

  for (;;) {
    await condition(() => !votes.unread && (model.quiet || tooLong(parts)));
    if (tooLong(parts)) await carryOn(input, parts);
    else if ((await quietFor(parts)) && (await close(parts))) return model.snapshot();
  }
}

const noteKinds: ReadonlySet<unknown> = new Set([
  'alert.suppressed',
  'sensor.back',
  'step.seen',
  'incident.restarted',
  'containment.reasserted',
  'containment.changed',
  'containment.whole',
  'containment.gone',
]);

const makesPolicies: ReadonlySet<string> = new Set([isolateNamespace.name, blockEgress.name]);

/** A line for the record, once; whoever reaches Temporal can send one. */
function noteOn(parts: Pick<Parts, 'model' | 'questions' | 'checks'>, note: Partial<IncidentNote> | null | undefined): void {
  const { model, questions, checks } = parts;
  const { id, kind, text, about } = note ?? {};
  if (typeof id !== 'string' || !noteKinds.has(kind) || typeof text !== 'string' || typeof about !== 'string') return;
  if (!model.firstSight(`note:${id}`)) return;
  const words = text.slice(0, 1_000);
  // What the incident itself has ended, or is giving back, is no news.
  if (kind === 'containment.gone' && [...model.steps.values()].some(endsTargets)) return;
  if (
    about.startsWith('networkpolicy/') &&
    !model.activeLeases.some(({ state, action }) => state === 'active' && makesPolicies.has(action))
  )
    return;
  // Likewise of an object that is held without a lease: nobody gives it back by the incident, but it may be deleted by it.
  if (kind === 'containment.changed' && !stillHeld(model, about, words)) return;
  model.record(String(kind), 'engine', words, { about: about.slice(0, 300) });
  if (kind === 'incident.restarted') questions.page(words);
  if (!String(kind).startsWith('containment.')) return;
  // Whoever changes a quarantine is there now. How it stands the cell says itself, whoever has sent the note.
  questions.page(words);
  checks.lookAgain();
}

/** Where the step that holds it has no lease, the note says how it stands; false where the incident itself has ended it. */
function stillHeld(model: IncidentModel, about: string, detail: string): boolean {
  const own = [...model.steps.values()].filter(({ target }) => target === about);
  const holding = own.filter(({ action }) => declarationOf(action).holds !== undefined);
  if (holding.length > 0 && own.some((step) => endsTargets(step) && !holding.includes(step))) return false;
  for (const step of holding) {
    if (lasts(declarationOf(step.action)) || step.state === 'failed') continue;
    const { verification: _, ...others } = step;
    model.steps.set(step.key, { ...others, state: 'drifted', detail });
  }
  return true;
}

function endsTargets({ action, state }: StepState): boolean {
  return state !== 'failed' && declarationOf(action).effect === 'destructive';
}

interface Parts {
  readonly model: IncidentModel;
  readonly questions: Questions;
  readonly votes: Votes;
  readonly remarks: Remarks;
  readonly leases: Leases;
  readonly checks: ContainmentChecks;
  readonly bodies: Bodies;
  readonly followUp: FollowUp;
}

function createParts(input: IncidentInput): Parts {
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
  const engine = new StepEngine({ model, leases, questions, locks: new TargetLocks() });
  questions.onLeaseDecided(async (id, choice, by, { proof, plan }) => {
    if (choice === 'keep') leases.keep(id, by);
    if (choice === 'extend') leases.extend(id, by);
    // A refusal is on the record and paged by then: the lease stands, and so must its question.
    if (choice === 'release' && plan) await leases.undo(id, { kind: 'approved', proof, plan }).catch(() => undefined);
    const lease = model.leases.get(id);
    if (choice === 'release' && lease?.state === 'released')
      bodies.givenBack(lease.target.uid, new Date().toISOString(), [...new Set(proof.votes.map(({ vote }) => vote.person))]);
    if (lease?.state === 'active') questions.standing(lease, plan ?? standingPlan(proof.question.choices));
  });
  const bodies = new Bodies({ model, engine, questions, leases });
  const checks = new ContainmentChecks(model, () => questions.touchAll());
  const votes = new Votes({
    home: model,
    desk,
    cell: () => voteActivities(model.settings),
    counted: (vote) => questions.counted(vote),
  });
  const remarks = new Remarks({ model, desk, questions });
  return { model, questions, votes, remarks, leases, checks, bodies, followUp };
}

function standingPlan(choices: readonly { readonly plans: readonly Plan[] }[]): Plan {
  const plan = choices.flatMap((choice) => choice.plans)[0];
  if (!plan) throw new Error('a standing question without the plan of its release');
  return plan;
}

/** History is cut only when no body is open: a suspended function cannot be carried. */
function tooLong({ model, followUp }: Pick<Parts, 'model' | 'followUp'>): boolean {
  return (
    workflowInfo().continueAsNewSuggested && followUp.idle && !model.openBodies && model.busy === 0 && model.outbox.canBeCarried
  );
}

async function carryOn(input: IncidentInput, { model }: Parts): Promise<void> {
  await condition(allHandlersFinished);
  await continueAsNew<typeof incident>({ ...input, carried: model.carry() });
}

const mostNoiseMs = 3_600_000;

/** True when nothing came for the lingering time: alerts that follow within it join this incident. */
async function quietFor({ model, votes }: Parts): Promise<boolean> {
  const loud = () => !model.quiet || votes.unread;
  for (;;) {
    const { lingerMs } = model.settings;
    // Noise alone does not keep it open: an attacker who makes some would choose which incident the next alert joins.
    const left = Math.min(model.lastAlertAt + lingerMs, model.lastNewsAt + Math.max(lingerMs, mostNoiseMs)) - Date.now();
    if (left <= 0) return !loud();
    if (await condition(loud, left)) return false;
  }
}

/** An incident does not close before its records are acknowledged. False: something came in the meantime, which the next run would not know. */
async function close({ model, votes, followUp }: Parts): Promise<boolean> {
  followUp.closing = true;
  await followUp.finish();
  if (model.quiet && !votes.unread) {
    const { verdict, reached, total } = model;
    model.record('incident.closed', 'engine', `closed: ${verdict}`, { verdict, reached, total });
    await condition(() => model.outbox.empty);
    await condition(allHandlersFinished);
    model.open = !model.quiet || votes.unread || model.total !== total;
    if (model.open) model.record('incident.reopened', 'engine', 'something came while it closed');
  }
  followUp.closing = false;
  return !model.open;
}
