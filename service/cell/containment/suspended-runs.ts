import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { isObject } from '../../../core/text/plain-json.ts';
import { fieldOf, type ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import { controllingOwner } from '../../../integrations/kubernetes/workloads/owners.ts';

const mostNamed = 5;
const templateAt = ['spec', 'jobTemplate', 'spec', 'template', 'spec'];

/** Whether such a pod may run what a suspended CronJob was meant to stop: a pod made by another controller does not. */
export function mayBeRunByHand(pod: Pick<PodRecord, 'owners'>): boolean {
  const owner = controllingOwner(pod.owners);
  return owner === undefined || owner.kind === 'Job';
}

/**
 * Describes pods created since that run what a suspended CronJob was meant to stop: pods of one of its Jobs, as `kubectl create job --from` makes them, or pods
 * with its containers, images and account. Creators of Jobs control annotations and owners; if they leave these out, they still have to name what is run. Jobs
 * that already existed keep running.
 */
export function runsDespite(
  cronJob: ObjectJson,
  { view, since }: { readonly view: Pick<ClusterView, 'pods' | 'ownersOf'>; readonly since: string },
): readonly string[] {
  const { namespace = '', uid } = cronJob.metadata;
  const wanted = runIn(fieldOf(cronJob, templateAt));
  const pods = [...view.pods(namespace)].filter(mayBeRunByHand);
  // The API server reports whole seconds: a pod created in the second of the suspension counts as created since, or immediate action would go unnoticed.
  const sinceSecond = Math.floor(Date.parse(since) / 1_000) * 1_000;
  const isNew = ({ createdAt }: PodRecord): boolean => Date.parse(createdAt) >= sinceSecond;
  const runOn = new Set(pods.flatMap((pod) => (isNew(pod) ? [] : (controllingOwner(pod.owners)?.uid ?? []))));
  const isRun = (pod: PodRecord): boolean => {
    const job = controllingOwner(pod.owners);
    if (!isNew(pod) || (job && runOn.has(job.uid))) return false;
    const above = job && controllingOwner(view.ownersOf('Job', namespace, job.name) ?? []);
    return above ? above.uid === uid : wanted !== undefined && isSameRun(pod, wanted);
  };
  const found = pods
    .filter(isRun)
    .sort((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt) || (a.name < b.name ? -1 : 1));
  const named = found.slice(0, mostNamed).map(({ name, owners }) => {
    const job = controllingOwner(owners);
    return `pod/${namespace}/${name}${job ? ` of job ${job.name}` : ''} was created since, and runs what the suspension should have stopped`;
  });
  return found.length > mostNamed ? [...named, `and so do ${found.length - mostNamed} more pods`] : named;
}

interface Run {
  readonly account: string;
  readonly containers: readonly string[];
}

function runIn(spec: unknown): Run | undefined {
  if (!isObject(spec) || !Array.isArray(spec.containers)) return undefined;
  const containers = spec.containers.flatMap((one: unknown) => (isObject(one) ? [`${one.name} ${one.image}`] : []));
  const account = typeof spec.serviceAccountName === 'string' ? spec.serviceAccountName : 'default';
  return containers.length > 0 ? { account, containers } : undefined;
}

/** A mesh may have added its own containers. */
function isSameRun({ serviceAccount = 'default', containers }: PodRecord, wanted: Run): boolean {
  const runs = new Set(containers.map(({ name, image }) => `${name} ${image}`));
  return serviceAccount === wanted.account && wanted.containers.every((one) => runs.has(one));
}
