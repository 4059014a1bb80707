import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import type { DeskActivities, FollowUpActivities, IncidentSettings } from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { incidentIdOf, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { boundPatterns } from '../../service/packs/turns/linear-patterns.ts';
import { isCatchingUp } from '../../service/temporal/grpc-status.ts';
import { resultOf } from '../../service/temporal/speaker.ts';
import { workflowThread } from '../../service/temporal/workers.ts';
import { eventually } from '../eventually.ts';
import { bundlePath } from './bundle.ts';
import { asking, incidentInput, type Lab, type RunningIncident } from './harness.ts';
import { roster, subject } from './people.ts';
import { type Script, scriptedActivities, seenNothing } from './scripted.ts';
import './temporal-error-log.ts';
import { clientOptions, testSpeaker, workerOptions } from './speakers.ts';

/** A lab on a Temporal server. */
export interface RealLab extends Lab {
  readonly env: TestWorkflowEnvironment;
}

export interface LabServer {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
}

interface RealLabOptions {
  readonly script?: Script;
  readonly maxCachedWorkflows?: number;
  readonly others?: Partial<FollowUpActivities & DeskActivities>;
  /** What is bundled instead of the product's workflows, or a bundle. */
  readonly workflowsPath?: string;
}

/** The incident workflow on a real Temporal server: what only a server, a worker or the workflow sandbox does is tested there. */
export async function startLabOn({ address, namespace, taskQueue }: LabServer, options: RealLabOptions = {}): Promise<RealLab> {
  const client = clientOptions(testSpeaker('lab', { namespace }));
  const env = await TestWorkflowEnvironment.createFromExistingServer({ address, namespace, client });
  return startLabIn(env, { ...options, taskQueue, namespace, isListed: true });
}

/** The same in an environment that is there already. */
export async function startLabIn(
  env: TestWorkflowEnvironment,
  options: RealLabOptions & {
    readonly taskQueue: string;
    readonly namespace: string;
    /** With a search attribute, as the intake starts it. The time-skipping server does not support it. */
    readonly isListed: boolean;
  },
): Promise<RealLab> {
  const { script = {}, maxCachedWorkflows = 100, others = {}, workflowsPath, taskQueue, namespace, isListed } = options;
  const seen = seenNothing();
  boundPatterns();
  const worker = await Worker.create({
    connection: env.nativeConnection,
    namespace,
    taskQueue,
    workflowBundle: { codePath: await bundlePath(workflowsPath) },
    activities: {
      ...scriptedActivities(
        seen,
        script,
        () => env.currentTimeMs(),
        () => roster,
      ),
      ...others,
    },
    ...workerOptions(testSpeaker('lab', { namespace })),
    ...workflowThread,
    maxCachedWorkflows,
  });
  const running = worker.run();
  return {
    env,
    seen,
    start: (alerts, settings) => startIncident({ env, taskQueue, alerts, settings, isListed }),
    stop: async () => {
      worker.shutdown();
      await running;
      await env.teardown();
    },
  };
}

async function startIncident(options: {
  readonly env: TestWorkflowEnvironment;
  readonly taskQueue: string;
  readonly alerts: readonly Alert[];
  readonly settings: Partial<IncidentSettings> | undefined;
  readonly isListed: boolean;
}): Promise<RunningIncident> {
  const { env, taskQueue, alerts, settings, isListed } = options;
  const id = `${incidentIdOf(subject)}-${Math.random().toString(36).slice(2)}`;
  const handle = await env.client.workflow.start(incidentNames.workflow, {
    workflowId: id,
    taskQueue,
    // It ends soon after there is nothing left to do: here that time really passes.
    args: [incidentInput(alerts, { taskQueue, settings: { lingerMs: 200, ...settings } })],
    ...(isListed && { searchAttributes: { FirebreakSeverity: [alerts[0]?.severity ?? 'unknown'] } }),
  });
  /** On a busy machine a worker may need longer to answer than Temporal waits. */
  const state = (): Promise<IncidentState> =>
    eventually('an answer of the incident', () =>
      handle.query<IncidentState>(incidentNames.stateQuery).catch((error: unknown) => {
        if (isCatchingUp(error)) return undefined;
        throw error;
      }),
    );
  const until: RunningIncident['until'] = (check, what) =>
    eventually(what, async () => {
      const now = await state();
      return check(now) && now;
    });
  const send = (name: string, value: unknown): Promise<void> => handle.signal(name, value);
  return {
    id,
    state,
    until,
    ...asking({ until, send, now: () => env.currentTimeMs() }),
    alerts: (batch) => send(incidentNames.alertsSignal, batch),
    note: (note) => send(incidentNames.noteSignal, note),
    signal: (vote) => send(incidentNames.voteSignal, vote),
    result: () => resultOf<IncidentState>(handle),
    end: async () => void (await handle.terminate()),
  };
}
