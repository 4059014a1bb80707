import { condition } from '@temporalio/workflow';

/** Stands for an incident of a simulated cell: it starts and waits. */
export async function waiting(): Promise<void> {
  await condition(() => false);
}
