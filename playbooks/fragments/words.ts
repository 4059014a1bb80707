import type { openTicket } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { subjectOf } from '../../core/alert/subject.ts';
import { placeText, whatRanIn } from '../../core/alert/what-ran.ts';
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

interface TicketWords {
  /** What it is about, for an alert that names no program. */
  readonly title: string;
  /** What has been done, or why nothing was. */
  readonly done: readonly string[];
  /** What the reader is asked to do. */
  readonly todo?: string;
}

/**
 * Files a ticket about the alert: what ran, by which command, as whom and where, what was done, and what is left to the reader. Returns the step's own promise,
 * so that `settle` gets its outcome.
 */
export function fileTicket(
  { alert, steps }: Pick<PlaybookContext<{ openTicket: typeof openTicket }, never>, 'alert' | 'steps'>,
  words: TicketWords,
): Promise<unknown> {
  return steps.openTicket({
    title: ticketTitle(alert, words.title),
    body: ticketText(alert, words),
    labels: ['firebreak', alert.severity],
  });
}

/** Without the names of pods: `New binary kdevtmpfsi ran in pay/ledger`. */
export function ticketTitle(alert: Alert, otherwise: string): string {
  const { name, exe } = alert.process ?? {};
  const title = (exe ?? name) === undefined ? `${otherwise}: ${placeText(subjectOf(alert))}` : whatRanIn(alert).title;
  return title.slice(0, 256);
}

export function ticketText(alert: Alert, { done, todo }: Omit<TicketWords, 'title'>): string {
  const { sensor, rule, title, process = {}, container = {}, pod, node } = alert;
  const facts = [
    ['Command line', process.commandLine],
    ['User', process.user],
    ['Image', container.image],
    ['Pod', pod && `${pod.namespace}/${pod.name}`],
    ['Node', node],
    ['Alert', `${title} (${rule}, ${sensor})`],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return [
    `What happened: ${whatRanIn(alert).sentence}.`,
    facts.join('\n'),
    ...(done.length === 0 ? [] : [`What was done: ${done.join(' ')}`]),
    ...(todo === undefined ? [] : [`What is left to you: ${todo}`]),
  ].join('\n\n');
}

/** Files a ticket while `next` goes on, because the ticket system may be down for hours. If it cannot be filed, throws once `next` has ended. */
export async function fileTicketDuring(
  context: Parameters<typeof fileTicket>[0] & Pick<PlaybookContext<{ openTicket: typeof openTicket }, never>, 'settle'>,
  words: TicketWords,
  next: () => Promise<void>,
): Promise<void> {
  const filed = fileTicket(context, words);
  // Counts as handled if it fails before it is awaited below.
  void context.settle({ filed });
  await next();
  await filed;
}
