import type { DenyTier } from '../cluster/deny-tier.ts';

/** What a quarantined pod may still do: from the configuration alone, for every quarantine of the cell. Absent: nothing. */
export interface QuarantineExceptions {
  /** Resolvers that it may query on port 53. */
  readonly dns?: {
    readonly namespace: string;
    readonly podLabels: Readonly<Record<string, string>>;
    /** In addition to these pods: CIDRs of one address each. */
    readonly addresses: readonly string[];
  };
  /** Whose pods may connect to it. */
  readonly forensics?: { readonly namespace: string };
}

/** Describes the exceptions and what they leave open; empty if there are none. */
export function exceptionsSaid(
  { dns, forensics }: QuarantineExceptions,
  { denyTier, refused }: { readonly denyTier: DenyTier | undefined; readonly refused: boolean },
): readonly string[] {
  if (!dns && !forensics) return [];
  if (refused) return ['the configured exceptions are not in force: the API server has refused a policy that has them'];
  if (denyTier) return [`the configured exceptions have no effect: ${denyTier.kind} denies before a NetworkPolicy can allow`];
  return [
    ...(dns ? [`by configuration it may still query DNS (port 53 of ${serversOf(dns)}): a tunnel through DNS stays open`] : []),
    ...(forensics ? [`by configuration the pods of namespace ${forensics.namespace} may still connect to it`] : []),
  ];
}

function serversOf({ namespace, podLabels, addresses }: NonNullable<QuarantineExceptions['dns']>): string {
  const labels = Object.entries(podLabels).map(([key, value]) => `${key}=${value}`);
  return [`pods ${labels.sort().join(',')} in ${namespace}`, ...addresses].join(', ');
}

/** As sentences of a plan. */
export function exceptionNotes(exceptions: QuarantineExceptions, denyTier: DenyTier | undefined): readonly string[] {
  return exceptionsSaid(exceptions, { denyTier, refused: false }).map(
    (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`,
  );
}

/** Describes what the standing policy does to a pod. */
export function standingText(exceptions: QuarantineExceptions, whose: string): string {
  const but = exceptions.dns || exceptions.forensics ? ' except for the configured exceptions' : '';
  return `denies all traffic of ${whose}, in and out${but}; created if it is missing`;
}
