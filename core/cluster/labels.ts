import { sha256Hex } from '../text/digest.ts';

/** Every name that Firebreak writes onto objects of the cluster. */
export const names = {
  /** On a quarantined pod: `active`. The standing policy selects it. */
  quarantineLabel: 'firebreak.dev/quarantine',
  /** The incident's id, hashed to 32 hex digits: labels cannot hold `/`. */
  incidentLabel: 'firebreak.dev/incident',
  /** The incident's id, whole. */
  incidentAnnotation: 'firebreak.dev/incident-id',
  /** JSON with the before-state, authenticated by the cell's key. */
  beforeAnnotation: 'firebreak.dev/before',
  /** On a pod that was given back: that the cell did it, and from which note, authenticated by its key. Other replicas of the cell go by it. */
  releasedAnnotation: 'firebreak.dev/released',
  /** The key of the step that changed the object. */
  stepAnnotation: 'firebreak.dev/step',
  /** On the successor of a rotated Secret: the old one's name. */
  rotatedFromAnnotation: 'firebreak.dev/rotated-from',
  /** On the successor of a rotated Secret: what its provider calls the credential that it lends for a time. */
  leaseAnnotation: 'firebreak.dev/lease',
  /** On an ExternalSecret or a Certificate that was made to write its Secret anew: what it was before. */
  replacedAnnotation: 'firebreak.dev/replaced',
  /** On the pod template of a workload that was rolled: the step's key, hashed to 32 hex digits. */
  rotatedByAnnotation: 'firebreak.dev/rotated-by',
  /** On a binding that an account was taken out of: `namespace/name` of it. Admission lets Firebreak give back this one, and no other. */
  revokedAnnotation: 'firebreak.dev/revoked',
  /** On the pod template of a workload that was restarted: the step's key, hashed to 32 hex digits. */
  restartedByAnnotation: 'firebreak.dev/restarted-by',
  /** On a Deployment that was rolled back: the step's key, hashed to 32 hex digits. */
  rolledBackByAnnotation: 'firebreak.dev/rolled-back-by',
  /** On a workload that was hardened: the step, and what the touched fields were, as JSON. */
  hardenedAnnotation: 'firebreak.dev/hardened',
  /** Beside it: the same fields in lines that admission can compare. It lets Firebreak give back these, and no others. */
  hardenedFromAnnotation: 'firebreak.dev/hardened-from',
  /** On a ServiceAccount that keeps what another was, while that is made anew: JSON. */
  keptAccountAnnotation: 'firebreak.dev/kept-account',
  /** On a pod of ours that is in the place of a dead one: when the first of them was made, in seconds since 1970. */
  sinceAnnotation: 'firebreak.dev/since',
  /** On the Lease of a scheduled playbook: the moment that its holder has the run of, in milliseconds since 1970. And which playbook it is. */
  runDueAnnotation: 'firebreak.dev/run-due',
  playbookAnnotation: 'firebreak.dev/playbook',
  /** What annotations begin with on the Lease of an incident: a step that its cells have done by people's word, and when, in milliseconds since 1970. */
  doneStepPrefix: 'firebreak.dev/done-',
  standingPolicy: 'firebreak-quarantine',
  /** What the names of policies begin with that `isolateNamespace` and `blockEgress` make. */
  isolatingPolicies: 'firebreak-isolate-',
  egressPolicies: 'firebreak-egress-',
  managedByLabel: 'app.kubernetes.io/managed-by',
  fieldManager: 'firebreak',
} as const;

/** The key of a step where an annotation holds nothing longer. 32 hex digits. */
export function stepHash(key: string): string {
  return sha256Hex(key).slice(0, 32);
}

/**
 * By these autoscalers leave a pod where it is: a node that is scaled down or consolidated would end it, and the evidence with it.
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, https://karpenter.sh/docs/concepts/disruption/
 */
export const doNotDisrupt: Readonly<Record<string, string>> = {
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
  'karpenter.sh/do-not-disrupt': 'true',
};

/** What the incident's label holds: its id cannot stand in one. 32 hex digits. */
export function incidentHash(incident: string): string {
  return sha256Hex(incident).slice(0, 32);
}
