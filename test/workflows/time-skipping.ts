import { TestWorkflowEnvironment } from '@temporalio/testing';
import { timeSkippingServerPath } from '../../service/parts/time-skipping-server.ts';
import { clientOptions, testSpeaker } from './speakers.ts';

/** Less than the half minute after which a connection on which nothing comes sends a ping. */
const askEveryMs = 10_000;

/** A Temporal server on which days pass in a moment. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const path = await timeSkippingServerPath();
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
    client: clientOptions(testSpeaker()),
  });
  keepFromPinging(env);
  return env;
}

/**
 * This server closes a connection after the third ping without an answer of its own in between ("excess pings"; gRPC for Java allows one in five minutes), and
 * what it has just handed to the worker on it is lost for the ten seconds of a workflow task: a file that takes minutes took many more.
 */
function keepFromPinging({ connection, nativeConnection }: TestWorkflowEnvironment): void {
  const asking = setInterval(() => {
    const asked = [connection, nativeConnection].map(({ workflowService }) => workflowService.getSystemInfo({}));
    // They are closed.
    Promise.all(asked).catch(() => clearInterval(asking));
  }, askEveryMs);
  asking.unref();
}
