import type proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { bundlePath } from './bundle.ts';
import { testSpeaker } from './speakers.ts';

/** Those of the histories that do not replay on the workflows of today, by their workflows' ids. */
export async function unreplayed(
  histories: Iterable<{ readonly workflowId: string; readonly history: proto.temporal.api.history.v1.IHistory }>,
): Promise<ReadonlyMap<string, Error>> {
  const options = { workflowBundle: { codePath: await bundlePath() }, ...testSpeaker().workflows };
  const errors = new Map<string, Error>();
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories))
    if (error) errors.set(workflowId, error);
  return errors;
}

/** What replaying a history on the workflows of today comes to: one entry, undefined when it comes out the same. */
export async function replayHistory(workflowId: string, history: proto.temporal.api.history.v1.IHistory, workflowsPath?: string) {
  const results = Worker.runReplayHistories(
    { workflowBundle: { codePath: await bundlePath(workflowsPath) }, ...testSpeaker().workflows },
    [{ workflowId, history }],
  );
  const errors: (Error | undefined)[] = [];
  for await (const result of results) errors.push(result.error);
  return errors;
}
