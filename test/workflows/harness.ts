import type { DeskActivities, FollowUpActivities, IncidentSettings } from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { SignedVote, Vote } from '../../core/decide/approval.ts';
import { type AlertBatch, type IncidentNote, incidentIdOf, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';
import type { IncidentState, QuestionState } from '../../core/incident/incident-state.ts';
import type { Roster } from '../../core/people/roster.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { shippedPack } from '../../playbooks/index.ts';
import { incident } from '../../workflows/incident/incident.ts';
import type { Activity } from './memory/memory-calls.ts';
import type { LoggedLine, MemoryRun } from './memory/memory-run.ts';
import { type LabTime, MemoryServer, startsAt } from './memory/memory-server.ts';
import { batchOf, roster, signVote, subject } from './people.ts';
import { type Script, type Seen, scriptedActivities, seenNothing } from './scripted.ts';

/** Incidents, and the scripted cell and desk that they call. */
export interface Lab {
  readonly env: LabTime;
  readonly seen: Seen;
  start(alerts: readonly Alert[], settings?: Partial<IncidentSettings>): Promise<RunningIncident>;
  stop(): Promise<void>;
}

export interface RunningIncident {
  readonly id: string;
  state(): Promise<IncidentState>;
  alerts(batch: AlertBatch): Promise<void>;
  note(note: IncidentNote): Promise<void>;
  signal(vote: unknown): Promise<void>;
  vote(choice: string, person: string, over?: Partial<Vote>, lease?: boolean): Promise<SignedVote>;
  question(lease?: boolean): Promise<QuestionState>;
  until(check: (state: IncidentState) => boolean, what: string): Promise<IncidentState>;
  result(): Promise<IncidentState>;
  /** Ends the incident as it is. */
  end(): Promise<void>;
}

/** A lab in memory, with what only its clock can do. */
export interface MemoryLab extends Lab {
  readonly server: MemoryServer;
  /** Looks again whenever something happens, for a short while of the lab's time. */
  readonly eventually: MemoryServer['until'];
  /** Lines that playbooks have logged. */
  readonly lines: readonly LoggedLine[];
  /** The run of an incident. */
  run(incident: Pick<RunningIncident, 'id'>): MemoryRun;
}

export interface LabOptions {
  readonly script?: Script;
  /** Activities that do more than a script says: the clock stands still while they work. */
  readonly others?: Partial<FollowUpActivities & DeskActivities>;
  readonly people?: () => Roster;
  /** Added to those that are shipped. */
  readonly playbooks?: readonly ListedPlaybook[];
  /** At so many events an incident is to continue as new. */
  readonly suggestAt?: number;
}

/** The incident workflow in memory, where days pass in a moment. */
export async function startLab(options: LabOptions = {}): Promise<MemoryLab> {
  const { script = {}, others = {}, people = () => roster, playbooks = [], suggestAt } = options;
  const seen = seenNothing();
  const server = new MemoryServer({
    startsAt,
    activities: {
      scripted: { ...scriptedActivities(seen, script, () => server.currentTimeMs(), people) },
      // Each is called by its name, with the arguments of its type.
      real: others as Readonly<Record<string, Activity>>,
    },
    packs: [{ ...shippedPack, playbooks: [...shippedPack.playbooks, ...playbooks] }],
    ...(suggestAt !== undefined && { suggestAt }),
  });
  return {
    env: server,
    server,
    seen,
    lines: server.lines,
    eventually: (...asked) => server.until(...asked),
    run: ({ id }) => server.run(id),
    start: (alerts, settings) => startIncident(server, alerts, settings),
    stop: async () => undefined,
  };
}

const taskQueue = 'lab';
let started = 0;

async function startIncident(
  server: MemoryServer,
  alerts: readonly Alert[],
  settings: Partial<IncidentSettings> | undefined,
): Promise<RunningIncident> {
  started += 1;
  const id = `${incidentIdOf(subject)}-${started}`;
  const run = await server.start(incident, { workflowId: id, input: incidentInput(alerts, { taskQueue, settings }) });
  const state = (): Promise<IncidentState> => server.query(run, incidentNames.stateQuery);
  const summary = (): string => summaryOf(run.query(incidentNames.stateQuery) as IncidentState);
  const send = (name: string, value: unknown): Promise<void> => server.signal(run, name, value);
  const until: RunningIncident['until'] = (check, what) =>
    server.until(
      what,
      async () => {
        const now = await state();
        return check(now) && now;
      },
      { state: summary },
    );
  return {
    id,
    state,
    until,
    ...asking({ until, send, now: server.currentTimeMs }),
    alerts: (batch) => send(incidentNames.alertsSignal, batch),
    note: (note) => send(incidentNames.noteSignal, note),
    signal: (vote) => send(incidentNames.voteSignal, vote),
    result: () => server.result(run, summary),
    end: async () => run.terminate(),
  };
}

/** How the cell starts an incident of the lab's only workload, which everything is asked of in one queue. */
export function incidentInput(
  alerts: readonly Alert[],
  { taskQueue, settings }: { readonly taskQueue: string; readonly settings: Partial<IncidentSettings> | undefined },
): IncidentInput {
  return {
    start: { subject, batch: batchOf(alerts) },
    settings: {
      queues: { cell: taskQueue, desk: taskQueue, secrets: taskQueue, forensics: taskQueue, packs: taskQueue },
      playbooks: ['firebreak/contain-dropped-binary', 'firebreak/ask-about-shell', 'firebreak/ticket-sensitive-read'],
      levels: [{ group: 'oncall', withinMs: 900_000 }],
      evidenceDeadlineMs: 1_800_000,
      lingerMs: 1_000,
      maxBodies: 8,
      ...settings,
    },
  };
}

/** Waits for the question of an incident, and answers it. */
export function asking({
  until,
  send,
  now,
}: Pick<RunningIncident, 'until'> & { send(name: string, value: unknown): Promise<void>; now(): Promise<number> }): Pick<
  RunningIncident,
  'question' | 'vote'
> {
  const isAbout = ({ question }: QuestionState, lease: boolean): boolean => question.id.startsWith('lease:') === lease;
  const question = async (lease = false): Promise<QuestionState> => {
    const { questions } = await until((state) => state.questions.some((asked) => isAbout(asked, lease)), 'a question');
    const found = questions.find((asked) => isAbout(asked, lease));
    if (!found) throw new Error('no question');
    return found;
  };
  return {
    question,
    vote: async (choice, person, over = {}, lease = false) => {
      const asked = await question(lease);
      const signed = signVote({
        version: 1,
        id: `vote-${Math.random()}`,
        incident: asked.question.incident,
        question: asked.question.id,
        questionDigest: asked.digest,
        choice,
        person,
        via: 'slack',
        reason: 'not ours',
        at: new Date(await now()).toISOString(),
        ...over,
      });
      await send(incidentNames.voteSignal, signed);
      return signed;
    },
  };
}

/** What people need to see why a test waits in vain. */
function summaryOf({ open, verdict, bodies, questions, leases, timeline }: IncidentState): string {
  const lines = [
    `The incident is ${open ? 'open' : 'closed'}, verdict ${verdict}.`,
    ...bodies.map(({ playbook, state, detail }) => `body ${playbook}: ${state} ${detail ?? ''}`),
    ...questions.map(({ question, status }) => `question ${question.id}: ${status.state}: ${question.text}`),
    ...leases.map(({ action, state }) => `lease of ${action}: ${state}`),
    ...timeline.slice(-8).map(({ at, kind, text }) => `${at} ${kind}: ${text}`),
  ];
  return lines.join('\n  ');
}
