import { z } from 'zod';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type {
  SnapshotFilesystemInput,
  SnapshotFilesystemOutput,
} from '../../../core/actions/evidence/snapshot-filesystem.schema.ts';
import type { RunningContainer } from '../../../integrations/kubernetes/pods/containers.ts';
import { createEvidenceWriter, type EvidenceParts, verifyStoredEvidence } from '../../evidence/evidence-writer.ts';
import { commandOf, hasToolsIn, inContainer, planLookInside, type ToolsParts } from '../../evidence/in-container.ts';
import { inTurn, keepSealed, type SealingParts } from '../../evidence/sealed-evidence.ts';
import { wholeStream } from '../../evidence/tool-stream.ts';
import { byExec, type UploadParts } from '../../evidence/uploads.ts';

const defaultBytes = 4_000_000_000;
const defaultSeconds = 600;
/** Seconds for transferring the files, in addition to the time that the tools spend reading them. */
const moreSeconds = 120;

/** The last line of `firebreak-tools tar` on standard error. */
const summarySchema = z.object({
  tool: z.string(),
  entries: z.int(),
  bytes: z.int(),
  sha256: z.string(),
  tarBytes: z.int(),
  cut: z.array(z.string()),
  mounts: z.array(z.string()),
  skipped: z.array(z.object({ path: z.string(), why: z.string() })),
  skippedCount: z.int(),
});
type Summary = z.infer<typeof summarySchema>;

/** Stores a container's files; see the declaration in `core/actions/evidence/snapshot-filesystem.ts`. */
export function snapshotFilesystemImplementation(
  parts: ToolsParts & EvidenceParts & SealingParts & UploadParts,
): ActionImplementation<SnapshotFilesystemInput, SnapshotFilesystemOutput> {
  return {
    async plan(input, { signal }) {
      const { pod, container: wanted = {}, files = 'changed', maxBytes = defaultBytes, maxSeconds = defaultSeconds } = input;
      return planLookInside({
        parts,
        pod,
        wanted,
        signal,
        notes: [
          files === 'changed'
            ? 'Takes what was changed since the container started; what was deleted since then cannot be seen.'
            : 'Takes all files of the container, including those of the image.',
          `Takes at most ${maxBytes} bytes of files in ${maxSeconds} s, compressed on the node, ${parts.uploads ? `directly from the pod to ${parts.uploads.origin} if it is not quarantined and can reach it, otherwise ` : ''}through the API server; volumes only if they are named.`,
          'Anyone in the container can see that the tools run. Secrets in files are kept as they are, sealed under the incident’s key.',
        ],
      });
    },

    started: ({ pod }, context) => hasToolsIn({ parts, pod, context }),

    apply: (input, context) =>
      inTurn(parts, context, async () => {
        const { pod, container: wanted = {}, maxSeconds = defaultSeconds } = input;
        const what = { name: 'filesystem.tar.zst', mediaType: 'application/zstd' };
        const {
          result: { kept, summary, way },
          facts,
        } = await inContainer({
          parts,
          pod,
          wanted,
          context,
          livesSeconds: maxSeconds + moreSeconds,
          work: async ({ tool, container, isCutOff }) => {
            const timeoutMs = (maxSeconds + moreSeconds) * 1_000;
            const given = argumentsFor(input, container);
            // If nothing was changed, nothing is sent, however long the search takes: the tools enforce the time limit themselves.
            const start = (more: readonly string[]) =>
              tool('tar', { arguments: [...more, ...given], timeoutMs, idleMs: timeoutMs });
            const stream =
              parts.uploads && !isCutOff
                ? parts.uploads.stream({ step: context.key, mostBytes: mostSent(input), lastsMs: timeoutMs, start })
                : byExec(start([]));
            const archive = wholeStream(stream.command, summarySchema);
            const kept = await keepSealed(parts, { kind: 'files', what, ...archive, context });
            return { kept, summary: archive.summary(), way: stream.way() };
          },
        });
        const { keep, add, close } = createEvidenceWriter(parts, { pod, context });
        const partial = missingIn(summary, facts.tools.rights);
        add({ ...what, tool: summary.tool, ...commandOf(facts), ...kept, ...(partial !== undefined && { partial }) });
        const { files = 'changed', paths = ['/'], volumes = [] } = input;
        await keep(
          'files',
          { name: 'filesystem.json', mediaType: 'application/json', tool: 'kubernetes-api' },
          JSON.stringify({ ...facts, taken: { files, paths, volumes }, sent: way, summary }, null, 2),
        );
        const did = `took ${summary.entries} ${files === 'all' ? '' : 'changed '}files of container ${facts.container.id} with our own tools, sealed on the way`;
        return {
          evidence: await close('firebreak/forensics', did),
          container: { id: facts.container.id, name: facts.container.name },
          entries: summary.entries,
        };
      }),

    verify: ({ evidence }) => verifyStoredEvidence(parts, { evidence, what: 'artefacts' }),
  };
}

function argumentsFor(input: SnapshotFilesystemInput, { startedAt }: RunningContainer): readonly string[] {
  const { files = 'changed', paths = [], volumes = [], maxBytes = defaultBytes, maxSeconds = defaultSeconds } = input;
  // The start is known to the second: so the second that contains it counts in full.
  const since = Math.floor(Date.parse(startedAt) / 1_000);
  return [
    ...['-max-bytes', String(maxBytes), '-max-seconds', String(maxSeconds)],
    ...(files === 'changed' ? ['-changed-since', String(since)] : []),
    ...volumes.flatMap((volume) => ['-volume', volume]),
    ...(paths.length > 0 ? ['--', ...paths] : []),
  ];
}

/** Maximum bytes that the tools may upload: files that cannot be compressed, plus headers of many empty ones. */
function mostSent({ maxBytes = defaultBytes }: SnapshotFilesystemInput): number {
  return Math.ceil(1.125 * maxBytes) + 64 * 1024 * 1024;
}

function missingIn({ cut, skipped, skippedCount }: Summary, rights: string): string | undefined {
  const [first] = skipped;
  const reasons = [
    ...cut,
    ...(skippedCount > 0
      ? [`${skippedCount} could not be taken whole (the tools ran ${rights}), such as ${first?.path}: ${first?.why}`]
      : []),
  ];
  return reasons.length > 0 ? reasons.join('; ') : undefined;
}
