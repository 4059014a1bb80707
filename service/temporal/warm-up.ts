import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { warmUpName } from '../../core/messages/message-table.ts';

const withinMs = 10_000;

/**
 * Runs the `warmUp` workflow the way the intake starts incidents, so that the first alert after a start is contained as fast as the next. Returns false if it
 * did not finish in time: then only the first alert is slower.
 */
export async function warmUp({
  client,
  cluster,
  taskQueue,
}: {
  readonly client: Client;
  readonly cluster: string;
  readonly taskQueue: string;
}): Promise<boolean> {
  try {
    await client.workflow.execute(warmUpName, {
      workflowId: `warm-up/${cluster}/${randomUUID()}`,
      taskQueue,
      requestEagerStart: true,
      workflowTaskTimeout: '3s',
      workflowExecutionTimeout: withinMs,
    });
    return true;
  } catch {
    return false;
  }
}
