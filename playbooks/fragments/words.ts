import type { openTicket } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { PlaybookContext } from '../../core/playbook/playbook.ts';

/** `shop/cart-1`, otherwise the workload, the node or the cluster that the alert is about. */
export function placeName({ pod, workload, node, cluster }: Alert): string {
  if (pod) return `${pod.namespace}/${pod.name}`;
  return workload ? `${workload.namespace}/${workload.name}` : (node ?? cluster);
}

/** The name of what ran if the sensor reports it, otherwise a general phrase. */
export function programOf({ process }: Alert): string {
  return process?.name ?? 'a process';
}

/** Addresses that the alert names. */
export function addressesIn({ observables }: Alert): readonly string[] {
  return [...new Set(observables.flatMap(({ type, value }) => (type === 'ip' ? [value] : [])))].slice(0, 16);
}

/**
 * Files a ticket about the alert: where, what was seen and by which command, and the lines that the playbook adds. Returns the step's own promise, so that
 * `settle` gets its outcome.
 */
export function fileTicket(
  { alert, steps }: Pick<PlaybookContext<{ openTicket: typeof openTicket }, never>, 'alert' | 'steps'>,
  { title, lines }: { readonly title: string; readonly lines: readonly string[] },
): Promise<unknown> {
  const command = alert.process?.commandLine;
  const seen = [alert.title, ...(command === undefined ? [] : [`Command line: ${command}`]), ...lines];
  return steps.openTicket({
    title: `${title}: ${placeName(alert)}`.slice(0, 256),
    body: seen.join('\n\n'),
    labels: ['firebreak', alert.severity],
  });
}

/** Files a ticket while `next` goes on, because the ticket system may be down for hours. If it cannot be filed, throws once `next` has ended. */
export async function fileTicketDuring(
  context: Parameters<typeof fileTicket>[0] & Pick<PlaybookContext<{ openTicket: typeof openTicket }, never>, 'settle'>,
  words: Parameters<typeof fileTicket>[1],
  next: () => Promise<void>,
): Promise<void> {
  const filed = fileTicket(context, words);
  // Counts as handled if it fails before it is awaited below.
  void context.settle({ filed });
  await next();
  await filed;
}
