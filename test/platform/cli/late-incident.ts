import { condition, defineQuery, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow';

const state = defineQuery<object>('state');
const order = defineSignal<[{ readonly signature: string }]>('order');

/** The test's second build has another word here: not a boolean, which the compiler would inline. */
const build: string = 'broken build';

/** Its tasks fail like those that an outage has interrupted, and are retried. */
export async function incident(): Promise<void> {
  setHandler(state, () => ({ incident: { id: workflowInfo().workflowId }, open: true }));
  if (build.startsWith('broken')) throw new TypeError('not in this build');
  await condition(() => false);
}

/** Confirms that it has received each order. */
export async function control(): Promise<void> {
  const timeline: object[] = [];
  setHandler(state, () => ({ timeline }));
  setHandler(order, ({ signature }) => void timeline.push({ at: new Date().toISOString(), kind: 'order.taken', of: signature }));
  await condition(() => false);
}
