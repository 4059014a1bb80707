import { within } from '../../../eventually.ts';
import { podOf, until, type Workload } from './cluster.ts';
import type { Service } from './service.ts';

/** What the API server, the ticket system and the channel show for one cluster. */
type SeenFromOutside = Pick<Service, 'effects' | 'ticketsOf' | 'cards'>;

export interface Expected {
  /** Every workload with a critical alert: its pod is contained, a ticket is filed, and one card is posted. */
  readonly all: readonly Workload[];
  /** Workloads whose pod was deleted, whose Secret was rotated, and whose Deployment was rolled. */
  readonly removed: readonly Workload[];
  /** Workloads whose pod was released. */
  readonly released: readonly Workload[];
}

/**
 * Compares what should have been done with what the API server, the ticket system and the channel show. Returns a line for each thing that is missing or was
 * done more than once; empty if all is right.
 */
export function differences(service: SeenFromOutside, { all, removed, released }: Expected): readonly string[] {
  const { effects } = service;
  const secrets = Object.fromEntries(
    Object.entries(effects.counts('secret')).map(([name, count]) => [name.replace(/-db-fb[0-9a-f]{10}$/, ''), count]),
  );
  const workloadsOf = (workloads: readonly Workload[]) => workloads.map(({ namespace, name }) => `${namespace}/${name}`);
  const counted = (count: (workload: Workload) => number) =>
    Object.fromEntries(all.map((workload) => [podOf(workload), count(workload)]));
  return [
    ...notOnce('contained', all.map(podOf), effects.counts('contain')),
    ...notOnce('given back', released.map(podOf), effects.counts('give-back')),
    ...notOnce('deleted', removed.map(podOf), effects.counts('delete')),
    ...notOnce('rotated', workloadsOf(removed), secrets),
    ...notOnce('rolled', workloadsOf(removed), effects.counts('roll')),
    ...notOnce(
      'ticket',
      all.map(podOf),
      counted((workload) => service.ticketsOf(workload)),
    ),
    ...notOnce(
      'card',
      all.map(podOf),
      counted((workload) => service.cards(workload).length),
    ),
  ];
}

function notOnce(what: string, wanted: readonly string[], counts: Readonly<Record<string, number>>): readonly string[] {
  const targets = new Set([...wanted, ...Object.keys(counts)]);
  return [...targets].flatMap((target) => {
    const times = wanted.includes(target) ? 1 : 0;
    const found = counts[target] ?? 0;
    return found === times ? [] : [`${target} ${what} ${found} times instead of ${times}`];
  });
}

/** What Slack shows to somebody whose vote counts. */
export const acceptedWords = /^(Received|Decided|Already|Counted|Your answer is already)/;

/**
 * Clicks until the desk reports that it took the vote, or the card shows the decision, as a person would; clicks again after a restart. The same person answers
 * other questions meanwhile, so an answer counts only if it names this pod.
 */
export async function voteUntilAccepted(
  service: Pick<Service, 'slack' | 'click' | 'cards'>,
  workload: Workload,
  user: string,
  label: string,
  withinMs = 120_000,
): Promise<void> {
  await until(`the vote on ${workload.name}`, withinMs, async () => {
    const before = service.slack.ephemerals(user).length;
    const status = await service.click(workload, user, label).then(
      (delivery) => delivery.status,
      () => 'no such button',
    );
    if (status === 'no such button')
      return service.cards(workload).some(({ blocks }) => JSON.stringify(blocks).includes('decided by'));
    if (status !== 200) return false;
    return within(4_000, () =>
      service.slack
        .ephemerals(user)
        .slice(before)
        .some(({ text }) => acceptedWords.test(text) && text.includes(podOf(workload))),
    );
  });
}

/** Waits for each workload's pod to be contained. Returns the times. */
export async function containedAt(
  service: Service,
  workloads: readonly Workload[],
  withinMs = 120_000,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (const workload of workloads) {
    times.push((await service.contained(workload, withinMs)).at);
  }
  return times;
}

/** Waits for the workload's vote to be counted. Returns the time. */
export async function votedAt(service: Service, workload: Workload, withinMs = 120_000): Promise<number> {
  const state = await service.stateWhen('the vote', workload, withinMs, ({ timeline }) =>
    timeline.some(({ kind }) => kind === 'vote.accepted'),
  );
  return Date.parse(state.timeline.find(({ kind }) => kind === 'vote.accepted')?.at ?? '');
}

/** Waits until no playbook of these incidents has anything left to do. */
export async function ended(service: Service, workloads: readonly Workload[], withinMs = 60_000): Promise<void> {
  for (const workload of workloads)
    await service.stateWhen('its end', workload, withinMs, ({ bodies }) => bodies.every(({ state }) => state === 'done'));
}
