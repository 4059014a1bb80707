import type { StepContext } from '../../../core/action/action.ts';
import type { SnapshotVolumeInput } from '../../../core/actions/evidence/snapshot-volume.schema.ts';
import { madeNameOf } from '../../../core/cluster/object-note.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { digestOf } from '../../../core/text/digest.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import {
  chooseClass,
  claimsOf,
  type SnapshotClass,
  snapshotClasses,
  snapshotRef,
  volumeOf,
} from '../../../integrations/kubernetes/workloads/volume-snapshots.ts';
import type { MadeObject } from '../made-object.ts';

const action = 'snapshotVolume';

/** One volume of the pod with the VolumeSnapshot that takes it. */
export interface VolumeToTake {
  readonly claim: string;
  readonly volume: string;
  readonly volumeHandle: string;
  readonly snapshotClass: SnapshotClass;
  readonly made: MadeObject;
}

/**
 * Which volumes of the pod can be taken, and why the others cannot.
 * @throws FB_ERR_REFUSED if there is none, with every reason.
 */
export async function volumesToTake(options: {
  readonly api: KubernetesApi;
  readonly input: SnapshotVolumeInput;
  readonly context: StepContext;
}): Promise<{ readonly take: readonly VolumeToTake[]; readonly missing: readonly string[] }> {
  const { api, input, context } = options;
  const { signal } = context;
  const { namespace, name } = input.pod;
  const pod = await readSamePod({ api, pod: input.pod, signal });
  const mounted = claimsOf(pod);
  if (mounted.length === 0) throw new FirebreakError('FB_ERR_REFUSED', `pod/${namespace}/${name} has no PersistentVolumeClaim`);
  const classes = await snapshotClasses(api, signal);
  if (!classes)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      'the cluster has no snapshot.storage.k8s.io/v1: the CRDs of the external-snapshotter are not installed',
    );
  const missing: string[] = [];
  const take: VolumeToTake[] = [];
  for (const claim of input.claims ?? mounted) {
    const found = mounted.includes(claim)
      ? await toTake({ api, input, context, claim, classes })
      : { reason: 'the pod does not mount it' };
    if ('reason' in found) missing.push(`${claim}: ${found.reason}`);
    else take.push(found);
  }
  if (take.length > 0) return { take, missing };
  throw new FirebreakError('FB_ERR_REFUSED', `no volume of pod/${namespace}/${name} can be taken: ${missing.join('; ')}`);
}

async function toTake(options: {
  readonly api: KubernetesApi;
  readonly input: SnapshotVolumeInput;
  readonly context: StepContext;
  readonly claim: string;
  readonly classes: readonly SnapshotClass[];
}): Promise<VolumeToTake | { readonly reason: string }> {
  const { api, input, context, claim, classes } = options;
  const { incident, run, signal } = context;
  const { namespace } = input.pod;
  const found = await volumeOf({ api, namespace, claim, signal });
  if ('reason' in found) return found;
  const { driver, volume, volumeHandle } = found;
  const wanted = input.snapshotClass;
  const snapshotClass = chooseClass(
    wanted === undefined ? classes : classes.filter(({ metadata }) => metadata.name === wanted),
    driver,
  );
  if (!snapshotClass)
    return { reason: `there is no VolumeSnapshotClass ${wanted === undefined ? '' : `${wanted} `}of its driver ${driver}` };
  // The same on every attempt, and in the plan that people see: the name contains the run of the incident, not the call.
  const inputDigest = digestOf({ run, claim, round: input.round ?? 1 });
  const ref = snapshotRef(namespace, `firebreak-${madeNameOf({ incident, action, inputDigest })}`);
  const content = {
    spec: { source: { persistentVolumeClaimName: claim }, volumeSnapshotClassName: snapshotClass.metadata.name },
  };
  return { claim, volume, volumeHandle, snapshotClass, made: { action, ref, content } };
}
