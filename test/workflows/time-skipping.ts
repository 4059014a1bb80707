import { TestWorkflowEnvironment } from '@temporalio/testing';
import { timeSkippingServerPath } from '../../service/parts/time-skipping-server.ts';
import { clientOptions, testSpeaker } from './speakers.ts';

/** A Temporal server on which days pass in a moment. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const path = await timeSkippingServerPath();
  return TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
    client: clientOptions(testSpeaker()),
  });
}
