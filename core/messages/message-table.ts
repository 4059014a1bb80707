import type { CellActivities } from '../action/step.ts';
import { controlNames } from '../decide/control.ts';
import { incidentNames } from '../incident/incident.ts';
import type { ScheduleActivities } from '../playbook/scheduled-runs.ts';
import type { ActivitiesByRole, SignalsByWorkflow } from './contract.ts';
import type { Senders } from './message.ts';
import type { SigningRole } from './sender.ts';

const cell = ['cell'] as const;

/** Started by Temporal's schedules, which cannot sign anything: it makes the cell check whether a scheduled playbook is due. */
export const scheduleBellName = 'scheduleBell';

/** `nobody`: its start carries no information, so it needs no trusted sender. */
export type StartedBy = Senders | 'nobody';

/** Does nothing, on the same path as an incident's first containment. */
export const warmUpName = 'warmUp';

type SendersOf<Workflow extends keyof SignalsByWorkflow> = Readonly<Record<keyof SignalsByWorkflow[Workflow], Senders>>;

/** All workflows, who may start each, and who may send it which signal. Anything that is not listed is refused. */
export const workflowTable: Readonly<
  Record<
    string,
    { readonly startedBy: StartedBy; readonly signals: Readonly<Record<string, Senders>>; readonly queries: readonly string[] }
  >
> = {
  [incidentNames.workflow]: {
    startedBy: cell,
    signals: {
      [incidentNames.alertsSignal]: cell,
      [incidentNames.noteSignal]: cell,
      [incidentNames.voteSignal]: 'anybody',
      [incidentNames.remarkSignal]: 'anybody',
      [incidentNames.ticketNewsSignal]: ['desk'],
    } satisfies SendersOf<'incident'>,
    queries: [incidentNames.stateQuery],
  },
  [controlNames.workflow]: {
    startedBy: cell,
    signals: {
      [controlNames.orderSignal]: 'anybody',
      [controlNames.voteSignal]: 'anybody',
      [controlNames.stormSignal]: cell,
      [controlNames.intakeSignal]: cell,
      [controlNames.setAsideSignal]: cell,
      [controlNames.expireEvidenceSignal]: cell,
      [controlNames.recallSignal]: cell,
      [controlNames.handOverSignal]: cell,
    } satisfies SendersOf<'control'>,
    queries: [controlNames.stateQuery],
  },
  [warmUpName]: { startedBy: cell, signals: {}, queries: [] },
  [scheduleBellName]: { startedBy: 'nobody', signals: {}, queries: [] },
};

/** Activities of all queues are ordered by a workflow, and therefore by the cell that runs it; a cell and its pools only obey their own cluster's cell. */
export const activitiesOrderedBy = cell;

/** They take no arguments and return nothing, so it does not matter which start the calling run came from. */
export const ofAnyStart: readonly (keyof ScheduleActivities)[] = ['runDueSchedules'];

type Names<Activities> = Readonly<Record<keyof Activities, true>>;

const stepActivities: Names<CellActivities> = {
  planStep: true,
  applyStep: true,
  applyStepNow: true,
  verifyStep: true,
  undoStep: true,
  verifyVote: true,
  verifyRemark: true,
  answerersTo: true,
};

const ownActivities: Names<Omit<ActivitiesByRole['cell'], keyof CellActivities>> = {
  issueWarrant: true,
  issueReleaseWarrant: true,
  lookAtEffect: true,
  lookAtPosture: true,
  takeOrder: true,
  checkEvidenceOrder: true,
  carryOutEvidenceOrder: true,
  findExpiredEvidence: true,
  destroyExpiredEvidence: true,
  runDueSchedules: true,
};

const deskActivities: Names<Omit<ActivitiesByRole['desk'], keyof CellActivities>> = {
  postQuestion: true,
  updateQuestion: true,
  postInThread: true,
  showNotice: true,
  answerClick: true,
  recordAudit: true,
  updateTicket: true,
  callPeople: true,
  endPage: true,
  ticketNews: true,
};

/** The activities on each role's queue. A worker with any other activity does not start. */
export const activityTable: Readonly<Record<SigningRole, readonly string[]>> = {
  cell: Object.keys({ ...stepActivities, ...ownActivities }),
  secrets: Object.keys(stepActivities),
  forensics: Object.keys(stepActivities),
  packs: Object.keys(stepActivities),
  desk: Object.keys({ ...stepActivities, ...deskActivities }),
};

/** What an outsider has access to. */
export type Outsider = 'temporal' | 'payload-key' | 'person';

/** What happens when a stranger sends something of that kind. */
export type Outcome = 'fails-at-once' | 'looked' | 'ignored' | 'checked' | 'own-word-only' | 'refused' | 'unread' | 'answered';

export const outcomeTexts: Readonly<Record<Outcome, string>> = {
  'fails-at-once': 'it fails at once without doing anything',
  looked:
    'the cell checks whether anything is due, by its own configuration, memory and clock; nothing runs that would not have run anyway',
  ignored: 'ignored, on record once',
  checked: 'checked by the cell, and refused if it has no signature',
  'own-word-only': 'counts as this person’s own word, if the roster allows them to say that',
  refused: 'refused and counted; nothing is done',
  unread: 'an answer that cannot be read',
  answered: 'the state, which nothing depends on',
};

/** The outcome for each thing that can be sent over Temporal, by its kind and by whose signature it needs. */
export function outcomeOf(kind: 'start' | 'signal' | 'query' | 'activity', from: StartedBy, stranger: Outsider): Outcome {
  if (from === 'nobody') return 'looked';
  if (kind === 'query') return stranger === 'temporal' ? 'unread' : 'answered';
  if (from !== 'anybody') return kind === 'start' ? 'fails-at-once' : kind === 'signal' ? 'ignored' : 'refused';
  if (stranger === 'temporal') return 'ignored';
  return stranger === 'person' ? 'own-word-only' : 'checked';
}

/** What happens when one of our starts was kept and is sent again, or a run is reset, and what ensures it. */
export const playedBack = {
  'same-id': {
    what: 'a start of ours, sent again under the same id after its run has ended',
    outcome: 'fails at its first call, which no pool accepts: another run has used that start',
  },
  'other-id': {
    what: 'a start of ours, sent again under another id',
    outcome: 'it fails at once without doing anything: a start is made for one id',
  },
  older: {
    what: 'an older start of ours, sent again under the same id',
    outcome: 'fails at its first call, which no pool accepts: there was a newer start',
  },
  'reset-after-end': {
    what: 'a reset of a run that had ended normally',
    outcome: 'fails at its next call: the called process asks what it was reset from, and finds the end that a cell has signed',
  },
  'reset-while-open': {
    what: 'a reset of a run that is open',
    outcome: 'continues from there; released containments are not applied again, and the cell repeats to it what it has received',
  },
  moved: {
    what: 'an open run, moved to another available build',
    outcome: 'fails at its next call: it must run on the build that a cell started it with, and is started again with that one',
  },
  skipped: {
    what: 'an open run, for which they make Temporal skip time',
    outcome: 'fails at its next call, and is started again: the called process knows how long ago it was started',
  },
  'own-run': {
    what: 'calls of ours, sent again by a run of their own that uses the id of an incident',
    outcome: 'refused: the called process asks where that run comes from, and it comes from none of ours',
  },
  'own-worker': {
    what: 'a call of ours, sent again in its own run by a worker of theirs that has taken over the workflow task',
    outcome:
      'it is done as after a crash: a step that people approved is not repeated, a release does not free anything contained since, and the end of a page does not end a later one',
  },
  deleted: {
    what: 'the run of an open incident deleted, while somebody who may patch its pod removes every mark from it',
    outcome: 'the pod is quarantined again from the same note: no run is asked whether it is held',
  },
} as const;

/** What happens when an order that a person has signed is sent without the command line or Slack. */
export const sentOrders = {
  plain: {
    what: 'a true order, sent unencrypted with access to Temporal alone',
    outcome: 'ignored, on record once: nobody has sealed it',
  },
  copy: {
    what: 'a true order as Temporal keeps it, sent again by somebody without any key',
    outcome: 'nothing: an order is carried out once, and its first copy is on record',
  },
  'read-and-sent': {
    what: 'a true order of somebody else, read with the payload key and sent on',
    outcome: 'it is theirs: what they wanted, once, and within minutes of when they signed it',
  },
  'own-word': {
    what: 'an order with the key of a person on the roster',
    outcome:
      'it is this person’s: others are asked about a freeze or a suppression, which comes into force by their votes; an end takes effect',
  },
  unsigned: {
    what: 'an order with the payload key, signed with a key that belongs to nobody',
    outcome: 'refused, on record',
  },
  'other-name': {
    what: 'an order in somebody else’s name, or as if Slack had vouched for it, with their own key',
    outcome: 'refused, on record',
  },
  'other-cluster': {
    what: 'a true order about another cluster',
    outcome: 'refused, on record',
  },
  'other-kind': {
    what: 'a true order changed into one of another kind or about something else, under the same signature; a vote as an order',
    outcome: 'refused, on record: the kind and every word are signed',
  },
  'not-theirs': {
    what: 'an order of a person who may not give it: to read, hold or destroy evidence',
    outcome: 'refused, on record',
  },
  late: {
    what: 'a true order that was held back for more than five minutes, or is dated in the future',
    outcome: 'refused, on record; only an end, which strengthens the response, still ends what it names',
  },
} as const;

/** Who answers queries about a workflow and reports how it ended. */
export const workflowsAnsweredBy = cell;

/** Undefined for a signal that the workflow does not know. */
export function sendersOf(workflow: string, signal: string): Senders | undefined {
  const signals = workflowTable[workflow]?.signals ?? {};
  return Object.hasOwn(signals, signal) ? signals[signal] : undefined;
}
