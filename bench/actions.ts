import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingForRealNodes } from '../service/dev/nodes/parts.mjs';
import { callsOfActions } from './action-calls.ts';
import { writeResult } from './report.ts';
import { measureSnapshot } from './snapshot.ts';

/** Megabytes (10^6 bytes) of the tree, and times that each action is done. */
const megabytes = Number(process.env.BENCH_MEGABYTES ?? 2_000);
const times = Number(process.env.BENCH_COUNT ?? 5);

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-'));
try {
  const calls = await callsOfActions({ stateDir: join(folder, 'calls'), times });
  const missing = missingForRealNodes();
  const snapshot = missing === undefined ? await measureSnapshot({ stateDir: join(folder, 'snapshot'), megabytes }) : undefined;
  writeResult({
    name: 'actions',
    what: `Each action on an otherwise idle API server: calls, bytes of JSON bodies in both directions, milliseconds, of plan, apply and verify together; and snapshotFilesystem of a tree of ${megabytes} MB in a container of a real node, through the API server, into a folder`,
    figures: {
      ...calls,
      ...(snapshot?.figures ?? { 'snapshotFilesystem was not measured': missing ?? '' }),
    },
    goals: snapshot?.goals ?? [],
    limitedBy: [
      'Times of actions that wait for controllers or for pods to end are theirs.',
      'Snapshot: the node, the API server, Firebreak and what is compared run on the same cores. The bytes go from the container’s runtime through kubelet and API server, each of which copies them, before they are hashed, compressed, sealed and written.',
    ],
  });
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
