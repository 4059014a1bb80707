import { quarantinePod } from '../actions/index.ts';
import type { Alert } from '../alert/alert.ts';
import type { ActiveRestraint } from '../orders/restraint.ts';
import { checkGuardrails, type GuardrailRules } from './guardrail.ts';

/** How many pods are contained already, not counting the one in question. */
interface ContainedCounts {
  readonly owner: number;
  readonly namespace: number;
  readonly cluster: number;
}

/** What the chokepoint's guardrails say about an alert's pod that the assessment says is to be cut off. Without a cell: everything is counted by the caller. */
export function checkContainment(
  rules: GuardrailRules,
  {
    alert,
    pod,
    counts,
    ownerReplicas,
    restraint,
  }: {
    readonly alert: Pick<Alert, 'doubt'>;
    readonly pod: NonNullable<Alert['pod']>;
    readonly counts: ContainedCounts;
    /** Absent: unknown. */
    readonly ownerReplicas?: number | undefined;
    readonly restraint?: ActiveRestraint | undefined;
  },
): ReturnType<typeof checkGuardrails> {
  const { effect, reach, name: action } = quarantinePod;
  const name = `pod/${pod.namespace}/${pod.name}`;
  const target = { name, ...(pod.uid !== undefined && { uid: pod.uid }) };
  return checkGuardrails(rules, {
    declaration: quarantinePod,
    plan: {
      action,
      effect,
      reach,
      target,
      changes: [{ target: name, what: 'cuts it off' }],
      blastRadius: [name],
      notes: [],
      inputDigest: '',
    },
    assessed: true,
    approved: false,
    doubt: alert.doubt,
    ownerReplicas,
    restraint,
    held: false,
    ownerContained: counts.owner,
    namespaceContained: counts.namespace,
    clusterContained: counts.cluster,
  });
}
