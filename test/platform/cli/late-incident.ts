import { condition, defineQuery, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow';

const state = defineQuery<object>('state');
const order = defineSignal<[{ readonly signature: string }]>('order');

/** The test has a second build, in which this is another word: not a boolean, which the compiler would put in its place. */
const build: string = 'broken build';

/** Its tasks fail as those do that an outage has cut off, and are done again. */
export async function incident(): Promise<void> {
  setHandler(state, () => ({ incident: { id: workflowInfo().workflowId }, open: true }));
  if (build.startsWith('broken')) throw new TypeError('not in this build');
  await condition(() => false);
}

/** Says of each order that it has it. */
export async function control(): Promise<void> {
  const timeline: object[] = [];
  setHandler(state, () => ({ timeline }));
  setHandler(order, ({ signature }) => void timeline.push({ at: new Date().toISOString(), kind: 'order.taken', of: signature }));
  await condition(() => false);
}
