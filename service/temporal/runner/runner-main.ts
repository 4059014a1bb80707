/**
 * The program of a playbook runner: it runs the workflows of one worker, bodies of playbooks included, for the worker in the cell, which it knows only by the
 * pipe that it was given. It has no keys, environment, state, children or addons. See `docs/decisions/playbook-runner.md`.
 */
import { Socket } from 'node:net';
import { deserialize } from 'node:v8';
import proto from '@temporalio/proto';
import type { WorkflowCreator } from '@temporalio/worker/lib/workflow/interface.js';
import { confineProcess } from '../../packs/confine.ts';
import { answerFrame, readFrames } from './frames.ts';
import type { RunnerAnswer, RunnerRequest } from './messages.ts';

const { WorkflowActivation } = proto.coresdk.workflow_activation;
const { WorkflowActivationCompletion } = proto.coresdk.workflow_completion;
const pipe = 3;

// The SDK asks its native part for nothing here but the time, and no addon may be loaded.
process.dlopen = (module: { exports: unknown }) => {
  module.exports = { getTimeOfDay: () => BigInt(Date.now()) * 1_000_000n };
};
const { createRunnerSandbox, runsNow, workflowOf } = await import('./sandbox.ts');

const cell = new Socket({ fd: pipe });
cell.on('close', () => process.exit());
cell.on('error', () => process.exit());
let creator: WorkflowCreator | undefined;

/** One at a time: what happens meanwhile is of this run. */
let last: Promise<void> = Promise.resolve();
const reply = cell.write.bind(cell);
readFrames(
  cell,
  (body) => {
    const request: RunnerRequest = deserialize(body);
    last = last.then(() => answer(request));
  },
  () => process.exit(1),
);
// From here on nothing is loaded.
confineProcess();
reply(answerFrame({ kind: 'ready' } satisfies RunnerAnswer));

async function answer(request: RunnerRequest): Promise<void> {
  const { id } = request;
  try {
    const { head = {}, bytes } = await done(request);
    reply(answerFrame({ kind: 'done', id, ...head } satisfies RunnerAnswer, bytes));
  } catch (error) {
    reply(answerFrame({ kind: 'failed', id, reason: reasonOf(error) } satisfies RunnerAnswer));
  }
}

/** An error of the sandbox is none of the host's classes, and may throw at whoever reads it. */
function reasonOf(error: unknown): string {
  try {
    return String(Object(error).message ?? error);
  } catch {
    return 'unknown';
  }
}

async function done(
  request: RunnerRequest,
): Promise<{ readonly head?: { readonly sinks?: unknown }; readonly bytes?: Uint8Array }> {
  switch (request.kind) {
    case 'init':
      creator = await createRunnerSandbox(request);
      return {};
    case 'create':
      runsNow(request.options.info.runId);
      await creator?.createWorkflow(request.options);
      // What it left to the host for later, such as an error in a callback, happens before another run's turn.
      await new Promise(setImmediate);
      return {};
    case 'activate': {
      const workflow = workflowOf(request.runId);
      if (!workflow) throw new Error('this run is not here');
      runsNow(request.runId);
      const completion = await workflow.activate(WorkflowActivation.decode(request.activation));
      const sinks = (await workflow.getAndResetSinkCalls()).map(({ ifaceName, fnName, args }) => [ifaceName, fnName, args]);
      return { head: { sinks }, bytes: WorkflowActivationCompletion.encode(completion).finish() };
    }
    case 'dispose':
      await workflowOf(request.runId)?.dispose();
      return {};
  }
}
