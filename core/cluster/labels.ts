import { sha256Hex } from '../text/digest.ts';

/** Every name that Firebreak writes onto objects of the cluster. */
export const names = {
  /** On a quarantined pod: `active`. The standing policy selects it. */
  quarantineLabel: 'firebreak.dev/quarantine',
  /** Hash of the incident's id, 32 hex digits: labels cannot contain `/`. */
  incidentLabel: 'firebreak.dev/incident',
  /** The incident's full id. */
  incidentAnnotation: 'firebreak.dev/incident-id',
  /** JSON with the before-state, authenticated by the cell's key. */
  beforeAnnotation: 'firebreak.dev/before',
  /** On a released pod: that the cell released it, and from which note, authenticated by its key. Other replicas of the cell rely on it. */
  releasedAnnotation: 'firebreak.dev/released',
  /** The key of the step that changed the object. */
  stepAnnotation: 'firebreak.dev/step',
  /** On the successor of a rotated Secret: the old one's name. */
  rotatedFromAnnotation: 'firebreak.dev/rotated-from',
  /** On the successor of a rotated Secret: the provider's name for the temporary credential in it. */
  leaseAnnotation: 'firebreak.dev/lease',
  /** On an ExternalSecret or a Certificate that was made to rewrite its Secret: what it was before. */
  replacedAnnotation: 'firebreak.dev/replaced',
  /** On the pod template of a workload that was rolled: hash of the step's key, 32 hex digits. */
  rotatedByAnnotation: 'firebreak.dev/rotated-by',
  /** On a binding that an account was removed from: the account's `namespace/name`. Admission lets Firebreak restore this one, and no other. */
  revokedAnnotation: 'firebreak.dev/revoked',
  /** On the pod template of a workload that was restarted: hash of the step's key, 32 hex digits. */
  restartedByAnnotation: 'firebreak.dev/restarted-by',
  /** On a Deployment that was rolled back: hash of the step's key, 32 hex digits. */
  rolledBackByAnnotation: 'firebreak.dev/rolled-back-by',
  /** On a workload that was hardened: the step, and the earlier values of the changed fields, as JSON. */
  hardenedAnnotation: 'firebreak.dev/hardened',
  /** Next to it: the same fields as lines that admission can compare. It lets Firebreak restore these, and no others. */
  hardenedFromAnnotation: 'firebreak.dev/hardened-from',
  /** On a ServiceAccount that keeps the state of another one while that is recreated: JSON. */
  keptAccountAnnotation: 'firebreak.dev/kept-account',
  /** On one of our own pods that replaces a dead one: when the first of them was created, in seconds since 1970. */
  sinceAnnotation: 'firebreak.dev/since',
  /** On the Lease of a scheduled playbook: the due time that its holder runs, in milliseconds since 1970, and which playbook it is. */
  runDueAnnotation: 'firebreak.dev/run-due',
  playbookAnnotation: 'firebreak.dev/playbook',
  /** Prefix of annotations on the Lease of an incident: a step that its cells have done on people's word, and when, in milliseconds since 1970. */
  doneStepPrefix: 'firebreak.dev/done-',
  standingPolicy: 'firebreak-quarantine',
  /** Name prefix of the policies that `isolateNamespace` and `blockEgress` create. */
  isolatingPolicies: 'firebreak-isolate-',
  egressPolicies: 'firebreak-egress-',
  managedByLabel: 'app.kubernetes.io/managed-by',
  fieldManager: 'firebreak',
} as const;

/** Returns a hash of a step's key, for annotations that cannot hold anything longer. 32 hex digits. */
export function stepHash(key: string): string {
  return sha256Hex(key).slice(0, 32);
}

/**
 * Makes autoscalers leave a pod where it is: scaling down or consolidating its node would end it, and destroy the evidence.
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, https://karpenter.sh/docs/concepts/disruption/
 */
export const doNotDisrupt: Readonly<Record<string, string>> = {
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
  'karpenter.sh/do-not-disrupt': 'true',
};

/** Returns the value of the incident's label, which cannot hold the id itself. 32 hex digits. */
export function incidentHash(incident: string): string {
  return sha256Hex(incident).slice(0, 32);
}
