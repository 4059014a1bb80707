import { basename } from 'node:path';
import { z } from 'zod';
import type { StepContext } from '../../core/action/action.ts';
import { fetcher } from '../../core/actions/evidence/checkpoint-container.ts';
import { FirebreakError } from '../../core/errors.ts';
import { newReader } from '../../integrations/evidence/sent-stream.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { OwnPod } from '../../integrations/kubernetes/pods/own-pod-manifest.ts';
import { type PodCommand, podCommand } from '../../integrations/kubernetes/pods/pod-command.ts';
import { mustHaveEnded, outputOf } from './in-container.ts';
import { compressed, hashing, keepSealed, type SealingParts } from './sealed-evidence.ts';
import { byExec, type UploadParts } from './uploads.ts';

/** Where the node's checkpoint folder is mounted in the pod that fetches. */
export const mountedAt = '/checkpoints';

const fetchMs = 600_000;
/** More memory than a container has. */
const mostUploaded = 256 * 1024 ** 3;
/** Maximum clock difference between a node and the API server. */
const clockSeconds = 5;

/** The last line of `firebreak-tools send` on standard error. */
const sentSchema = z.object({ tool: z.string(), bytes: z.int(), sha256: z.string() });
/** Output of `firebreak-tools remove`. */
const removedSchema = z.object({ removed: z.array(z.string()) });

interface Fetcher {
  readonly api: KubernetesApi;
  /** Runs on the node, with the folder mounted. */
  readonly pod: OwnPod;
  readonly context: StepContext;
}

function run({ api, pod: { namespace, name }, context }: Fetcher, command: readonly string[], timeoutMs: number): PodCommand {
  const words = [fetcher.program, ...command];
  const { signal } = context;
  return podCommand({ api, namespace, pod: name, container: 'main', command: words, timeoutMs, idleMs: 60_000, signal });
}

/** Fetches an archive, encrypted for this call alone before it leaves the node, and stores it. */
export async function fetchArchive(parts: SealingParts & UploadParts, where: Fetcher, archive: string) {
  const { context } = where;
  const file = `${mountedAt}/${basename(archive)}`;
  const reader = newReader();
  const words = ['send', '-file', file, '-to', reader.publicKey];
  const start = (more: readonly string[]) => run(where, [...words, ...more], fetchMs);
  const order = { step: context.key, mostBytes: mostUploaded, lastsMs: fetchMs, start };
  const { command, way } = parts.uploads?.stream(order) ?? byExec(start([]));
  const came = hashing(reader.open(command.stdout));
  let tool = '';
  const data = (async function* () {
    yield* came.data;
    mustHaveEnded(command);
    const sent = sentSchema.parse(JSON.parse(command.end().stderr.trimEnd().split('\n').at(-1) ?? ''));
    const { sha256, bytes } = came.result();
    if (sha256 !== sent.sha256 || bytes !== sent.bytes)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the stored checkpoint differs from what the node sent');
    tool = sent.tool;
  })();
  const what = { mediaType: 'application/zstd' };
  const kept = await keepSealed(parts, { kind: 'memory', what, data: compressed(data), context });
  return { kept, tool, command: [fetcher.program, ...words], sent: way() };
}

/**
 * Removes from the node what was created of a container's memory since then, also by an abandoned attempt, and verifies that it is gone. An archive known by
 * name is removed whatever the node's clock says.
 */
export async function sweepArchives(
  where: Fetcher,
  { prefix, since, archive }: { readonly prefix: string; readonly since: number; readonly archive: string | undefined },
): Promise<void> {
  const sweep = async (of: string, from: number) => {
    const command = run(where, ['remove', '-folder', mountedAt, '-prefix', of, '-since', String(from)], 30_000);
    return removedSchema.parse(JSON.parse(String(await outputOf(command, { mostBytes: 65_536 })))).removed;
  };
  const removed = await sweep(prefix, since - clockSeconds);
  if (archive !== undefined && !removed.includes(basename(archive))) await sweep(basename(archive), 0);
}
