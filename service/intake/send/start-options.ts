import type { Severity } from '../../../core/alert/severity.ts';
import type { SpooledBatch } from './batch.ts';
import type { StartOptions } from './incident-gateway.ts';

const priorities: Readonly<Record<Severity, StartOptions['priority']>> = {
  critical: 1,
  high: 2,
  medium: 3,
  low: 4,
  info: 5,
  unknown: 5,
};

/** Returns how an incident is started, and the attributes it is listed by. Names only: search attributes are plain text in Temporal. */
export function startOptionsOf({ subject, severity, batch }: Pick<SpooledBatch, 'subject' | 'severity' | 'batch'>): StartOptions {
  const node = subject.kind === 'node' ? subject.node : batch.alerts.find((alert) => alert.node !== undefined)?.node;
  const rules = [...new Set(batch.alerts.map(({ rule }) => rule))];
  return {
    eager: true,
    priority: priorities[severity],
    searchAttributes: {
      FirebreakCluster: subject.cluster,
      FirebreakRule: rules,
      FirebreakSeverity: severity,
      FirebreakState: 'open',
      ...(node !== undefined && { FirebreakNode: node }),
      ...(subject.kind === 'workload' && {
        FirebreakNamespace: subject.namespace,
        FirebreakWorkload: `${subject.ownerKind}/${subject.name}`,
      }),
    },
  };
}
