import { condition, defineQuery, setHandler, workflowInfo } from '@temporalio/workflow';

const state = defineQuery<object>('state');

/** The test has a second build, in which this is another word: not a boolean, which the compiler would put in its place. */
const build: string = 'broken build';

/** Its tasks fail as those do that an outage has cut off, and are done again. */
export async function incident(): Promise<void> {
  setHandler(state, () => ({ incident: { id: workflowInfo().workflowId }, open: true }));
  if (build.startsWith('broken')) throw new TypeError('not in this build');
  await condition(() => false);
}
