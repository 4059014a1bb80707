import { expect, test } from '@jest/globals';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { type ControlInput, type ControlState, controlNames } from '../../../core/decide/control.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import { controlActivities, proposalOf, termsOf, voteOnDecision } from '../../workflows/control/control-harness.ts';
import { replayHistory } from '../../workflows/replay-history.ts';
import { clientOptions, testSpeaker, workerOptions } from '../../workflows/speakers.ts';
import '../../workflows/temporal-error-log.ts';

const platform = await testPlatform();

test('what people decide in the control workflow, and what it refuses, replays', async () => {
  const { temporalAddress: address, temporalNamespace: namespace, prefix } = platform;
  const taskQueue = `${prefix}-control-replay`;
  const client = clientOptions(testSpeaker('lab', { namespace }));
  const env = await TestWorkflowEnvironment.createFromExistingServer({ address, namespace, client });
  const { cell, desk } = controlActivities(() => Date.now());
  const worker = await Worker.create({
    connection: env.nativeConnection,
    namespace,
    taskQueue,
    workflowBundle: { codePath: await bundlePath() },
    activities: { ...cell, ...desk },
    ...workerOptions(testSpeaker('lab', { namespace })),
  });
  const running = worker.run();
  const input = { cluster: 'lab', queues: { cell: taskQueue, desk: taskQueue } } satisfies ControlInput;
  const handle = await env.client.workflow.start(controlNames.workflow, {
    workflowId: controlIdOf('lab'),
    taskQueue,
    args: [input],
  });
  try {
    const until = (what: string, check: (state: ControlState) => boolean) =>
      eventually(what, async () => {
        const state = await handle.query<ControlState>(controlNames.stateQuery);
        return check(state) && state;
      });
    const isBegun = (id: string) => (state: ControlState) =>
      state.decisions.some(({ proposal, status }) => proposal.order.terms.id === id && status.state === 'active');
    for (let nth = 0; nth < 3; nth += 1) {
      const terms = termsOf(Date.now());
      await handle.signal(controlNames.orderSignal, proposalOf(terms));
      const asked = await until('the proposal', ({ questions }) =>
        questions.some(({ question }) => question.id.includes(terms.id)),
      );
      await handle.signal(
        controlNames.voteSignal,
        voteOnDecision(asked.questions, terms.id, { choice: 'approve', person: 'ana', at: new Date().toISOString() }),
      );
      await handle.signal(
        controlNames.voteSignal,
        voteOnDecision(asked.questions, terms.id, { choice: 'approve', person: 'ben', at: new Date().toISOString() }),
      );
      await until('its beginning', isBegun(terms.id));
    }
    await handle.signal(controlNames.orderSignal, 'suppress everything');
    await until('the refusal', ({ timeline }) => timeline.some(({ kind }) => kind === 'order.refused'));
    await until('all records', ({ audit }) => audit.acknowledged === audit.made);
    const history = await handle.fetchHistory();
    expect(history.events?.length).toBeGreaterThan(100);
    expect(await replayHistory(controlIdOf('lab'), history)).toEqual([undefined]);
  } finally {
    await handle.terminate();
    worker.shutdown();
    await running;
    await env.teardown();
  }
});
