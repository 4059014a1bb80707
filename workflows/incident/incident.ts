import type { AnsweredBy } from '../../core/audit/record-cut.ts';
import { incidentNames } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import type { SignalsByWorkflow } from '../../core/messages/contract.ts';
import { recordRefused } from '../refused-messages.ts';
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  nowMs,
  onQuery,
  onRefusedMessages,
  onSignal,
  packsHere,
  runInfo,
} from '../world.ts';
import type { IncidentModel } from './model.ts';
import { noteOn } from './notes.ts';
import { createParts, type IncidentParts, join, runParts } from './parts.ts';

type Signals = SignalsByWorkflow['incident'];

/**
 * One affected workload (or node), from its first alert until nothing is left to do. It is the only writer of everything that is done about it: playbooks,
 * steps, questions, leases and records all live here.
 */
export async function incident(input: IncidentInput): Promise<IncidentState> {
  const parts = createParts(
    input,
    packsHere().map(({ playbooks }) => playbooks),
  );
  const { model, votes, remarks, posture, followUp } = parts;

  onSignal<Signals['alerts']>(incidentNames.alertsSignal, (batch) => join(parts, batch));
  onSignal<Signals['note']>(incidentNames.noteSignal, (note) => noteOn(parts, note));
  onSignal<[unknown]>(incidentNames.remarkSignal, (remark) => remarks.receive(remark));
  onSignal<Signals['ticketNews']>(incidentNames.ticketNewsSignal, () => followUp.nudge());
  onSignal<[unknown]>(incidentNames.voteSignal, (vote) => votes.receive(vote));
  onQuery(incidentNames.stateQuery, (): IncidentState => model.snapshot());
  onRefusedMessages((refused) => recordRefused(model, refused));

  if (!input.carried) {
    join(parts, input.start.batch);
    posture.begin(input.start.batch);
  }
  runParts(parts);

  for (;;) {
    await condition(() => !votes.unread && (model.quiet || tooLong(parts)));
    if (tooLong(parts)) await carryOn(input, parts);
    else if ((await quietFor(parts)) && (await close(parts))) return model.snapshot();
  }
}

/** The history is cut only when no body is open: a suspended function cannot be carried over. */
function tooLong({ model, handed, followUp }: Pick<IncidentParts, 'model' | 'handed' | 'followUp'>): boolean {
  const mayBeCarried = followUp.idle && !model.openBodies && model.busy === 0 && model.outbox.canBeCarried && handed.canBeCarried;
  return runInfo().continueAsNewSuggested && mayBeCarried;
}

async function carryOn(input: IncidentInput, { model, handed, questions }: IncidentParts): Promise<void> {
  await condition(allHandlersFinished);
  const { carried: cards } = questions;
  await continueAsNew<IncidentInput>({
    ...input,
    carried: {
      ...model.carry(),
      ...(!handed.empty && { handedRecords: handed.carried }),
      ...(cards.length > 0 && { cards }),
    },
  });
}

const mostNoiseMs = 3_600_000;

/** Noise alone does not keep an incident open: otherwise an attacker who makes noise could choose which incident the next alert joins. */
function lingersUntil({ settings: { lingerMs }, lastAlertAt, lastNewsAt }: IncidentModel): number {
  return Math.min(lastAlertAt + lingerMs, lastNewsAt + Math.max(lingerMs, mostNoiseMs));
}

/**
 * Returns true if nothing came for the lingering time: alerts that follow within it join this incident. A timer ends it, never the clock alone: on replay,
 * tasks in which nothing happened are merged, and what came in the first of them then sees the time of the last.
 */
async function quietFor({ model, votes }: IncidentParts): Promise<boolean> {
  const loud = () => !model.quiet || votes.unread;
  for (;;) {
    const until = lingersUntil(model);
    if (await condition(loud, Math.max(until - nowMs(), 1))) return false;
    if (lingersUntil(model) === until) return true;
  }
}

/** Determines how long its records are kept. */
function answeredBy({ questions, bodies, endedBodies }: IncidentModel): AnsweredBy {
  if (questions.size > 0) return 'people';
  return bodies.size + endedBodies.length > 0 ? 'playbooks' : 'nobody';
}

/** An incident does not close before its records are acknowledged. Returns false if something came in the meantime that the next run would not know. */
async function close({ model, handed, votes, followUp }: IncidentParts): Promise<boolean> {
  followUp.closing = true;
  await followUp.finish();
  if (model.quiet && !votes.unread) {
    const { verdict, reached, total } = model;
    model.record('incident.closed', 'engine', `closed: ${verdict}`, { verdict, reached, total, answered: answeredBy(model) });
    await condition(() => model.outbox.empty && handed.empty);
    await condition(allHandlersFinished);
    model.open = !model.quiet || votes.unread || model.total !== total;
    if (model.open) model.record('incident.reopened', 'engine', 'something came while it closed');
  }
  followUp.closing = false;
  return !model.open;
}
