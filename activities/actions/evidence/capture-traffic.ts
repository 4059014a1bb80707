import { z } from 'zod';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type { CaptureTrafficInput, CaptureTrafficOutput } from '../../../core/actions/evidence/capture-traffic.schema.ts';
import { tools } from '../../../core/actions/in-container-rights.ts';
import { createEvidenceWriter, type EvidenceParts, verifyStoredEvidence } from '../../evidence/evidence-writer.ts';
import { commandOf, hasToolsIn, inContainer, keepFacts, planLookInside, type ToolsParts } from '../../evidence/in-container.ts';
import { keepSealed, type SealingParts } from '../../evidence/sealed-evidence.ts';
import { wholeStream } from '../../evidence/tool-stream.ts';

const defaults = { seconds: 30, maxBytes: 16 * 1024 * 1024 };
/** The tools are silent as long as the pod is: they must report something only afterwards. */
const graceMs = 20_000;
const summarySchema = z.object({
  tool: z.string(),
  packets: z.int(),
  dropped: z.int(),
  bytes: z.int(),
  sha256: z.string(),
  cut: z.boolean(),
});

/** Captures and stores a pod's traffic; see the declaration in `core/actions/evidence/capture-traffic.ts`. */
export function captureTrafficImplementation(
  parts: ToolsParts & EvidenceParts & SealingParts,
): ActionImplementation<CaptureTrafficInput, CaptureTrafficOutput> {
  return {
    async plan({ pod, container: wanted = {}, seconds = defaults.seconds, maxBytes = defaults.maxBytes }, { signal }) {
      return planLookInside({
        parts,
        pod,
        wanted,
        signal,
        notes: [
          `Keeps whole packets of all containers of the pod for ${seconds} s, up to ${maxBytes} bytes: unencrypted traffic is kept as it is, sealed under the incident’s key.`,
        ],
      });
    },

    started: ({ pod }, context) => hasToolsIn({ parts, pod, context }),

    async apply({ pod, container: wanted = {}, seconds = defaults.seconds, maxBytes = defaults.maxBytes }, context) {
      const what = { name: 'traffic.pcap', mediaType: 'application/vnd.tcpdump.pcap' };
      const {
        result: { kept, summary },
        facts,
      } = await inContainer({
        parts,
        pod,
        wanted,
        context,
        more: tools.moreCapabilities,
        work: async ({ tool }) => {
          const silentMs = seconds * 1_000 + graceMs;
          const limits = ['-seconds', String(seconds), '-max-bytes', String(maxBytes)];
          const stream = wholeStream(
            tool('traffic', { arguments: limits, timeoutMs: silentMs, idleMs: silentMs }),
            summarySchema,
          );
          const kept = await keepSealed(parts, { kind: 'traffic', what, ...stream, context });
          return { kept, summary: stream.summary() };
        },
      });
      const keeping = createEvidenceWriter(parts, { pod, context });
      keeping.add({ ...what, tool: summary.tool, ...commandOf(facts), ...kept, ...partialOf(summary) });
      await keepFacts(keeping, 'traffic', facts);
      const { packets } = summary;
      const did = `captured ${packets} packets next to container ${facts.container.id} with our own tools, sealed on the way`;
      return { evidence: await keeping.close('firebreak/forensics', did), packets };
    },

    verify: ({ evidence }) => verifyStoredEvidence(parts, { evidence, what: 'artefacts' }),
  };
}

function partialOf({ cut, dropped, bytes }: z.infer<typeof summarySchema>): { readonly partial?: string } {
  const reasons = [
    ...(cut ? [`cut after ${bytes} bytes`] : []),
    ...(dropped > 0 ? [`the kernel dropped ${dropped} packets that were not read in time`] : []),
  ];
  return reasons.length > 0 ? { partial: reasons.join('; ') } : {};
}
