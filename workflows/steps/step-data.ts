import { type ImageCheck, type PodImage, withImages } from '../../core/action/image-signature.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { QuarantinePodInput } from '../../core/actions/containment/quarantine-pod.schema.ts';
import type { QuarantineWorkloadOutput } from '../../core/actions/containment/quarantine-workload.schema.ts';
import { quarantinePod, quarantineWorkload } from '../../core/actions/index.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import type { EvidenceRef } from '../../core/evidence/evidence.ts';

/** The evidence that a step kept, if it keeps any. */
export function evidenceIn(output: unknown): EvidenceRef | undefined {
  if (typeof output !== 'object' || output === null || !('evidence' in output)) return undefined;
  // Only `snapshot…` actions have this field, and the chokepoint has checked their output against its schema.
  return output.evidence as EvidenceRef;
}

/** What is known of images after a step, if it checks any. */
export function imagesAfter(known: readonly PodImage[], { action, target }: Plan, output: unknown): readonly PodImage[] {
  if (action !== 'verifyImage' || typeof output !== 'object' || output === null || !('images' in output)) return known;
  // The chokepoint has checked its output against its schema.
  return withImages(known, target.uid ?? '', output.images as readonly ImageCheck[]);
}

/** The pods that a step has quarantined; empty for other actions. The chokepoint has checked its input and output against its schemas. */
export function quarantinedPods(action: string, input: unknown, output: unknown): readonly ResolvedPod[] {
  if (action === quarantinePod.name) return [(input as QuarantinePodInput).pod];
  if (action === quarantineWorkload.name) return (output as QuarantineWorkloadOutput | undefined)?.pods ?? [];
  return [];
}

/** The output as recorded, bounded: outputs are small by design, but truncated here all the same. */
export function outputForRecord(output: unknown): unknown {
  const text = JSON.stringify(output ?? null);
  return text.length <= 20_000 ? (output ?? null) : { cut: text.slice(0, 20_000) };
}

/** `kind/namespace/name` of the object of a step's input: from the first field that names one. */
export function targetText(input: unknown): string {
  if (typeof input !== 'object' || input === null) return 'outside';
  for (const [field, value] of Object.entries(input)) {
    if (typeof value === 'string' && (field === 'namespace' || field === 'node')) return `${field}/${value}`;
    if (typeof value !== 'object' || value === null || !('name' in value)) continue;
    if (field === 'node') return `node/${String(value.name)}`;
    if (!('namespace' in value)) continue;
    const kind = 'kind' in value ? String(value.kind) : field === 'suspect' ? 'pod' : field;
    return `${kind.toLowerCase()}/${String(value.namespace)}/${String(value.name)}`;
  }
  return 'outside';
}
