import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { SnapshotVolumeInput, SnapshotVolumeOutput } from '../../../core/actions/evidence/snapshot-volume.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { redactSecrets } from '../../../core/text/redact.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { targetOf } from '../../../integrations/kubernetes/objects.ts';
import { readSnapshot, type SnapshotState, snapshotRef } from '../../../integrations/kubernetes/workloads/volume-snapshots.ts';
import { createEvidenceWriter, type EvidenceParts } from '../../evidence/evidence-writer.ts';
import { isMadeBy, makeObject } from '../made-object.ts';
import { type VolumeToTake, volumesToTake } from './volumes-to-take.ts';

const defaultWait = 300;

/** Takes snapshots of a pod's volumes; see the declaration in `core/actions/evidence/snapshot-volume.ts`. */
export function snapshotVolumeImplementation(
  options: EvidenceParts & {
    readonly api: KubernetesApi;
    readonly cellKey: CellKey;
    readonly pollMs?: number;
  },
): ActionImplementation<SnapshotVolumeInput, SnapshotVolumeOutput> {
  const { api, verifyManifest, pollMs = 1_000 } = options;

  return {
    async plan(input, context) {
      const { take, missing } = await volumesToTake({ api, input, context });
      const { pod } = input;
      const name = `pod/${pod.namespace}/${pod.name}`;
      return {
        target: { name, uid: pod.uid },
        changes: take.map(({ claim, made, snapshotClass }) => ({
          target: targetOf(made.ref),
          what: `takes a snapshot of claim ${claim} by class ${snapshotClass.metadata.name}`,
        })),
        blastRadius: [
          name,
          ...take.flatMap(({ claim, made }) => [`persistentvolumeclaim/${pod.namespace}/${claim}`, targetOf(made.ref)]),
        ].sort(),
        notes: [
          'The snapshots are crash-consistent: what a program has not written to disk yet is not in them.',
          ...take.filter(({ snapshotClass }) => snapshotClass.deletionPolicy === 'Delete').map(deletable),
          ...missing.map((reason) => `Not taken: ${reason}`),
        ],
      };
    },

    async started(input, context) {
      const { take } = await volumesToTake({ api, input, context });
      const made = await Promise.all(
        take.map((one) => isMadeBy({ ...options, made: one.made, key: context.key, signal: context.signal })),
      );
      return made.includes(true);
    },

    async apply(input, context) {
      const { pod } = input;
      const { take, missing } = await volumesToTake({ api, input, context });
      for (const { made } of take) await makeObject({ ...options, made, context });
      const taken = await settled(take, input.waitSeconds ?? defaultWait, context);
      const snapshots = taken.flatMap(({ claim, made, state }) =>
        state.content?.handle === undefined
          ? []
          : [{ claim, snapshot: made.ref.name, uid: state.uid, content: state.content.name, handle: state.content.handle }],
      );
      const left = [...missing, ...taken.flatMap(whatIsWrong)];
      if (snapshots.length === 0)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `no volume of ${pod.name} could be taken: ${left.join('; ')}`);
      const { keep, close } = createEvidenceWriter(options, { pod, context });
      const partial = left.length > 0 ? { partial: left.join('; ') } : {};
      await keep(
        'state',
        { name: 'volume-snapshots.json', mediaType: 'application/json', tool: 'kubernetes-api', ...partial },
        canonicalJson({ taken: taken.map(described), missing }),
      );
      const named = snapshots.map(
        ({ claim, snapshot, content, handle }) =>
          `claim ${claim} as VolumeSnapshot ${pod.namespace}/${snapshot}, content ${content}, handle ${handle}`,
      );
      return {
        evidence: await close('firebreak/cell', `took snapshots of ${named.join('; ')}`),
        namespace: pod.namespace,
        snapshots,
        missing: [...missing, ...taken.filter(({ state }) => state.content?.handle === undefined).flatMap(whatIsWrong)],
      };
    },

    async verify({ evidence, namespace, snapshots, missing }, { signal }) {
      const problems = [...(await verifyManifest(evidence.manifestSha256))];
      const waiting: string[] = [];
      for (const { claim, snapshot, uid, content, handle } of snapshots) {
        const state = await readSnapshot({ api, ref: snapshotRef(namespace, snapshot), signal });
        const same = state?.uid === uid && state.content?.name === content && state.content.handle === handle;
        if (!same) problems.push(`VolumeSnapshot ${namespace}/${snapshot} is gone, or is bound to something else`);
        else if (!state.ready) waiting.push(claim);
      }
      if (problems.length > 0) throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', problems.join('; '));
      const detail = `${snapshots.length} VolumeSnapshots are read back, bound to the contents in the signed manifest`;
      if (waiting.length > 0)
        return { state: 'unverified', detail: `taken, but the storage system has not finished ${waiting.join(', ')}` };
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };

  /** Waits until all are ready to use or the time is over; then returns them as they are. */
  async function settled(take: readonly VolumeToTake[], seconds: number, { signal }: StepContext): Promise<readonly Taken[]> {
    const end = Date.now() + seconds * 1_000;
    for (;;) {
      const states = await Promise.all(take.map(({ made }) => readSnapshot({ api, ref: made.ref, signal })));
      const taken = take.map((one, at): Taken => ({ ...one, state: states[at] ?? { uid: '', ready: false } }));
      if (taken.every(({ state }) => state.ready) || Date.now() > end) return taken;
      await sleep(pollMs, undefined, { signal });
    }
  }
}

interface Taken extends VolumeToTake {
  readonly state: SnapshotState;
}

function deletable({ claim, snapshotClass }: VolumeToTake): string {
  return `Class ${snapshotClass.metadata.name} deletes what it took of ${claim} when the VolumeSnapshot or its namespace is deleted; this driver has no class that retains it.`;
}

/** Empty when it is taken and ready. */
function whatIsWrong({ claim, state, volumeHandle }: Taken): readonly string[] {
  const { content, ready, error } = state;
  const said = error === undefined ? '' : ` (the driver: ${redactSecrets(error).slice(0, 200)})`;
  if (content?.handle === undefined) return [`${claim}: not taken in time${said}`];
  if (content.volumeHandle !== volumeHandle) return [`${claim}: the snapshot is of another volume`];
  return ready ? [] : [`${claim}: taken, but not ready to use yet${said}`];
}

function described({ claim, volume, volumeHandle, made, snapshotClass, state }: Taken) {
  return {
    claim,
    volume,
    volumeHandle,
    snapshot: made.ref.name,
    snapshotClass: snapshotClass.metadata.name,
    state: { ...state, ...(state.error !== undefined && { error: redactSecrets(state.error) }) },
  };
}
