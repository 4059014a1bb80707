import type { Subject } from '../incident/incident.ts';
import type { Alert, PodRef, WorkloadRef } from './alert.ts';
import type { ResolvedAlert, SubjectResolver } from './subject-resolver.ts';

/** The letters that Kubernetes uses in generated names: no vowels, no 0, 1 and 3 (apimachinery, util/rand). */
const drawn = 'bcdfghjklmnpqrstvwxz2456789';
const deploymentPod = new RegExp(`^(.+)-[${drawn}]{1,10}-[${drawn}]{5}$`);
const generatedPod = new RegExp(`^(.+)-[${drawn}]{5}$`);
/** The Job of a CronJob is named after the minute of its run, counted since 1970: eight digits until 2160. */
const cronJobPod = new RegExp(`^(.+)-\\d{8}-[${drawn}]{5}$`);
const ordinalPod = /^(.+)-\d+$/;

/** Guesses the owner from the pod's name, for when the cluster cannot be asked. Always marked `guessed`. */
export function guessWorkload(pod: PodRef): WorkloadRef {
  const guess = (kind: string, name: string): WorkloadRef => ({ kind, namespace: pod.namespace, name, guessed: true });
  const cronJob = cronJobPod.exec(pod.name)?.[1];
  if (cronJob !== undefined) return guess('CronJob', cronJob);
  const deployment = deploymentPod.exec(pod.name)?.[1];
  if (deployment !== undefined) return guess('Deployment', deployment);
  const statefulSet = ordinalPod.exec(pod.name)?.[1];
  if (statefulSet !== undefined) return guess('StatefulSet', statefulSet);
  const daemonSet = generatedPod.exec(pod.name)?.[1];
  if (daemonSet !== undefined) return guess('DaemonSet', daemonSet);
  return guess('Pod', pod.name);
}

/** Returns the subject of the alert's incident: the workload, else the node, else the whole cluster. */
export function subjectOf(alert: Alert): Subject {
  const workload = alert.workload ?? (alert.pod ? guessWorkload(alert.pod) : undefined);
  if (workload) {
    const { kind: ownerKind, namespace, name } = workload;
    return { kind: 'workload', cluster: alert.cluster, namespace, ownerKind, name };
  }
  return alert.node === undefined
    ? { kind: 'cluster', cluster: alert.cluster }
    : { kind: 'node', cluster: alert.cluster, node: alert.node };
}

/** For when no cluster can be asked: only the names in the alert are known, and a pod never gets a uid. */
export const resolverFromNames: SubjectResolver = {
  resolve(alert: Alert): ResolvedAlert {
    const completed = alert.pod && !alert.workload ? { ...alert, workload: guessWorkload(alert.pod) } : alert;
    return { alert: completed, subject: subjectOf(completed) };
  },
};
