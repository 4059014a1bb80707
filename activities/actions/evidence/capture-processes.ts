import { z } from 'zod';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type { CaptureProcessesInput, CaptureProcessesOutput } from '../../../core/actions/evidence/capture-processes.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { redactSecrets } from '../../../core/text/redact.ts';
import { createEvidenceWriter, type EvidenceParts, verifyStoredEvidence } from '../../evidence/evidence-writer.ts';
import {
  commandOf,
  hasToolsIn,
  inContainer,
  keepFacts,
  outputOf,
  planLookInside,
  type ToolsParts,
} from '../../evidence/in-container.ts';

const mostBytes = 32 * 1024 * 1024;
const mostInOutput = 200;

/** Output of `firebreak-tools processes`, as far as it is read here; the rest is stored unchanged. */
const listingSchema = z.looseObject({
  tool: z.string(),
  processes: z.array(
    z.looseObject({
      pid: z.int(),
      startTicks: z.int(),
      name: z.string(),
      exe: z.string().exactOptional(),
      exeDeleted: z.literal(true).exactOptional(),
      exeSha256: z.string().exactOptional(),
      arguments: z.array(z.string()),
      missing: z.array(z.string()).exactOptional(),
    }),
  ),
  missing: z.array(z.string()).exactOptional(),
});
type Listing = z.infer<typeof listingSchema>;

/** Stores the processes that run in a container; see the declaration in `core/actions/evidence/capture-processes.ts`. */
export function captureProcessesImplementation(
  parts: ToolsParts & EvidenceParts,
): ActionImplementation<CaptureProcessesInput, CaptureProcessesOutput> {
  return {
    async plan({ pod, container: wanted = {} }, { signal }) {
      return planLookInside({
        parts,
        pod,
        wanted,
        signal,
        notes: [
          'Anyone in the container can see that the tools run. Command lines are kept redacted; environments are not kept at all.',
        ],
      });
    },

    started: ({ pod }, context) => hasToolsIn({ parts, pod, context }),

    async apply({ pod, container: wanted = {} }, context) {
      const { result: listing, facts } = await inContainer({
        parts,
        pod,
        wanted,
        context,
        work: async ({ tool }) => readListing(await outputOf(tool('processes'), { mostBytes })),
      });
      const keeping = createEvidenceWriter(parts, { pod, context });
      const partial = missingIn(listing, facts.tools.rights);
      await keeping.keep(
        'state',
        {
          name: 'processes.json',
          mediaType: 'application/json',
          tool: listing.tool,
          ...commandOf(facts),
          ...(partial && { partial }),
        },
        JSON.stringify(redacted(listing), null, 2),
      );
      await keepFacts(keeping, 'state', facts);
      const did = `listed ${listing.processes.length} processes of container ${facts.container.id} with our own tools`;
      return {
        evidence: await keeping.close('firebreak/forensics', did),
        container: { id: facts.container.id, name: facts.container.name },
        processes: listing.processes.slice(0, mostInOutput).map(({ pid, startTicks, name, exe, exeDeleted, exeSha256 }) => ({
          pid,
          startTicks,
          name,
          ...(exe !== undefined && { exe: exe.slice(0, 500) }),
          ...(exeDeleted && { exeDeleted }),
          ...(exeSha256 !== undefined && { exeSha256 }),
        })),
      };
    },

    verify: ({ evidence }) => verifyStoredEvidence(parts, { evidence, what: 'artefacts' }),
  };
}

function readListing(bytes: Buffer): Listing {
  const listing = listingSchema.safeParse(JSON.parse(bytes.toString('utf8')));
  if (!listing.success) throw new FirebreakError('FB_ERR_REFUSED', 'the tools did not write a list of processes');
  return listing.data;
}

/** Secrets appear on command lines as a name followed by a value: so the whole line is searched. */
function redacted(listing: Listing): object {
  const processes = listing.processes.map(({ arguments: given, ...process }) => ({
    ...process,
    commandLine: redactSecrets(given.join(' ')),
  }));
  return { ...listing, processes };
}

function missingIn({ processes, missing = [] }: Listing, rights: string): string | undefined {
  const cut = processes.filter((process) => process.missing !== undefined).length;
  const reasons = [...missing, ...(cut > 0 ? [`${cut} processes could not be read in full (the tools ran ${rights})`] : [])];
  return reasons.length > 0 ? reasons.join('; ') : undefined;
}
