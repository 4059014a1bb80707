import type { StepContext, Verification } from '../../core/action/action.ts';
import type { SnapshotPodStateOutput } from '../../core/actions/evidence/snapshot-pod-state.schema.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Artefact, ClockOffset, EvidenceClass, EvidenceManifest } from '../../core/evidence/evidence.ts';
import type { VerifyManifest, WriteManifest } from '../../core/evidence/evidence-store.ts';
import type { IncidentKey, KeyOwner } from '../../core/evidence/incident-key.ts';
import { keepSealedBytes, type SealingParts } from './sealed-evidence.ts';

export interface EvidenceParts extends Pick<SealingParts, 'store' | 'keys'> {
  readonly writeManifest: WriteManifest;
  readonly verifyManifest: VerifyManifest;
  readonly now?: () => Date;
  /** Offset of that clock from the API server's. */
  readonly clock?: () => ClockOffset | undefined;
}

/** What an action's output says about the evidence it stored. */
type StoredEvidence = SnapshotPodStateOutput['evidence'];

/** Stores one step's evidence of a target: artefact by artefact, then the signed list of them. */
export interface EvidenceWriter {
  /** Seals it under the incident's key for this class, and stores it. */
  keep(
    kind: EvidenceClass,
    what: Omit<Artefact, 'sha256' | 'bytes' | 'sealed' | 'collectedAt'>,
    data: Uint8Array | string,
  ): Promise<Artefact>;
  /** Adds an artefact that is already in the store. */
  add(artefact: Omit<Artefact, 'collectedAt'>): void;
  /** @param did what was done, for the custody list: `collected 3 logs through the Kubernetes API`. */
  close(who: string, did: string): Promise<StoredEvidence>;
}

/** Whose evidence it is: a pod, or anything else with a name and a uid. */
type EvidenceOwner = { readonly pod: ResolvedPod } | { readonly target: EvidenceManifest['target'] };

/** Begins to store evidence of a target. Nothing counts as kept until it is closed. */
export function createEvidenceWriter(
  { store, keys, writeManifest, now = () => new Date(), clock: clockNow }: EvidenceParts,
  { context, ...of }: EvidenceOwner & { readonly context: StepContext },
): EvidenceWriter {
  const target = 'pod' in of ? { name: `pod/${of.pod.namespace}/${of.pod.name}`, uid: of.pod.uid } : of.target;
  const artefacts: Artefact[] = [];
  // One step has one key per class: a key service is asked for it only once.
  const known = new Map<EvidenceClass, Promise<IncidentKey>>();
  const keyFor = (owner: KeyOwner): Promise<IncidentKey> => {
    const key = known.get(owner.class) ?? keys.keyFor(owner);
    known.set(owner.class, key);
    return key;
  };
  return {
    async keep(kind, what, data) {
      const kept = await keepSealedBytes({ store, keyFor }, { kind, what, data: Buffer.from(data), context });
      const artefact = { ...what, ...kept, collectedAt: now().toISOString() };
      artefacts.push(artefact);
      return artefact;
    },
    add(artefact) {
      artefacts.push({ ...artefact, collectedAt: now().toISOString() });
    },
    async close(who, did) {
      const at = now().toISOString();
      const clock = clockNow?.();
      const ref = await writeManifest({
        incident: context.incident,
        run: context.run,
        step: context.key,
        target,
        artefacts,
        custody: [{ at, who, did }],
        createdAt: at,
        ...(clock && { clock }),
      });
      return {
        manifestSha256: ref.manifestSha256,
        target: { ...ref.target },
        artefacts: ref.artefacts.map((artefact) => ({ ...artefact })),
      };
    },
  };
}

/** Reads everything back. @throws FB_ERR_EVIDENCE_DAMAGED if it differs from the manifest. */
export async function verifyStoredEvidence(
  { verifyManifest }: EvidenceParts,
  { evidence, what }: { readonly evidence: StoredEvidence; readonly what: string },
): Promise<Verification> {
  const problems = await verifyManifest(evidence.manifestSha256);
  if (problems.length > 0) throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', problems.join('; '));
  const missing = evidence.artefacts.flatMap(({ name, partial }) => (partial ? [`${name}: ${partial}`] : []));
  const detail = `${evidence.artefacts.length} ${what} and their signed manifest are read back and hashed again`;
  return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
}
