import { expect } from '@jest/globals';
import { podOf, until, type Workload } from './cluster.ts';
import type { Service } from './service.ts';

export interface Expected {
  /** Every workload with a critical alert: its pod is contained, a ticket filed, one card posted. */
  readonly all: readonly Workload[];
  /** Whose pod was deleted, its Secret rotated, its Deployment rolled. */
  readonly removed: readonly Workload[];
  /** Whose pod was given back. */
  readonly released: readonly Workload[];
}

/** Compares what should have been done with what the API server says was done: nothing is missing, nothing done twice. */
export function expectOnce(service: Service, { all, removed, released }: Expected): void {
  const once = (targets: readonly string[]): Readonly<Record<string, number>> =>
    Object.fromEntries(targets.map((target) => [target, 1]));
  expect(service.effects.counts('contain')).toEqual(once(all.map(podOf)));
  expect(service.effects.counts('give-back')).toEqual(once(released.map(podOf)));
  expect(service.effects.counts('delete')).toEqual(once(removed.map(podOf)));
  expect(service.effects.counts('roll')).toEqual(once(removed.map(({ namespace, name }) => `${namespace}/${name}`)));
  const secrets = service.effects.counts('secret');
  expect(Object.values(secrets)).toEqual(removed.map(() => 1));
  expect(
    Object.keys(secrets)
      .map((name) => name.replace(/-db-fb[0-9a-f]{10}$/, ''))
      .sort(),
  ).toEqual(removed.map(({ namespace, name }) => `${namespace}/${name}`).sort());
  expect(all.map((workload) => service.ticketsOf(workload))).toEqual(all.map(() => 1));
  expect(all.map((workload) => service.cards(workload).length)).toEqual(all.map(() => 1));
}

const takenWords = /^(Taken|Decided|Already|Counted|Your answer is already)/;

/** Clicks until the desk has said that it took the vote, or the card shows the decision: as a person would, again after a restart. */
export async function voteUntilTaken(service: Service, workload: Workload, user: string, label: string): Promise<void> {
  await until(`the vote on ${workload.name}`, 30_000, async () => {
    const before = service.slack.ephemerals(user).length;
    const status = await service.click(workload, user, label).then(
      (delivery) => delivery.status,
      () => 'no such button',
    );
    if (status === 'no such button') return true;
    if (status !== 200) return false;
    return until('an answer', 4_000, () =>
      service.slack
        .ephemerals(user)
        .slice(before)
        .some(({ text }) => takenWords.test(text)),
    ).catch(() => false);
  });
}

/** When each workload's pod was contained, waited for. */
export async function containedAt(
  service: Service,
  workloads: readonly Workload[],
  withinMs = 30_000,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (const workload of workloads) {
    const effect = await until(
      `containment of ${workload.name}`,
      withinMs,
      () => service.effects.of('contain', podOf(workload))[0],
    );
    times.push(effect.at);
  }
  return times;
}

/** When the workload's vote was counted, waited for. */
export async function votedAt(service: Service, workload: Workload, withinMs = 15_000): Promise<number> {
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
