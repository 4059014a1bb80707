import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { cpuMs } from '../clock.ts';
import type { CellPoint } from './model.ts';

const starts = 200;
const idleMs = 10_000;

/** Workers that poll like cells, each on its own queue: measures what Temporal does for them while nothing happens, and for each incident that begins. */
export async function simulateCells(options: {
  readonly address: string;
  readonly namespace: string;
  readonly temporalPid: number;
  readonly counts: readonly number[];
}): Promise<readonly CellPoint[]> {
  const { address, namespace, temporalPid, counts } = options;
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: join(import.meta.dirname, 'waiting-incident.ts'),
    logger: new DefaultLogger('WARN'),
  });
  const points: CellPoint[] = [];
  for (const count of counts) {
    const connection = await NativeConnection.connect({ address });
    const prefix = `scale-${randomUUID()}`;
    const queueOf = (index: number): string => `${prefix}-${index % count}`;
    const workers = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        Worker.create({
          connection,
          namespace,
          taskQueue: queueOf(index),
          workflowBundle,
          maxCachedWorkflows: starts,
        }),
      ),
    );
    const running = workers.map((worker) => worker.run());
    await sleep(3_000);
    const idleFrom = cpuMs(temporalPid);
    await sleep(idleMs);
    const idleShare = (cpuMs(temporalPid) - idleFrom) / idleMs;
    const { workflow } = new Client({ connection, namespace });
    const from = cpuMs(temporalPid);
    const began = performance.now();
    const handles = [];
    for (let first = 0; first < starts; first += 20)
      handles.push(
        ...(await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            workflow.start('waiting', { workflowId: `${prefix}/${first + index}`, taskQueue: queueOf(first + index), args: [] }),
          ),
        )),
      );
    await sleep(2_000);
    const cpuMsPerStart = (cpuMs(temporalPid) - from - (performance.now() - began) * idleShare) / starts;
    points.push({ cells: count, idleShare, cpuMsPerStart });
    console.log(`${count} cells: idle ${idleShare.toFixed(3)}, ${cpuMsPerStart.toFixed(1)} ms a start`);
    for (const handle of handles) await handle.terminate('measured').catch(() => undefined);
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await connection.close();
  }
  return points;
}
