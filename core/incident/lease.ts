import type { Severity } from '../alert/severity.ts';
import type { Level } from '../decide/approval.ts';
import type { Verdict } from './incident.ts';

/** A time-limited reversible effect. Silence never frees: see `atLeaseEnd`. */
export interface Lease {
  readonly id: string;
  readonly action: string;
  readonly target: { readonly name: string; readonly uid?: string };
  /** The key under which the effect was applied: its undo needs it. */
  readonly stepKey: string;
  readonly holders: readonly string[];
  readonly startedAt: number;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly durationMs: number;
  /** The maximum in the cell's configuration when the step was done. */
  readonly longestMs?: number;
  readonly renewals: number;
  /** `gone`: its target no longer exists, so nothing was released. */
  readonly state: 'active' | 'permanent' | 'releasing' | 'released' | 'gone' | 'drifted';
  /** Milliseconds since 1970. Absent: it is in force. */
  readonly endedAt?: number;
  readonly onExpiry: 'renew' | 'release';
  readonly detail?: string;
  /** The release is refused: the effect is in force, and the release is retried. Absent: nobody has ordered a release, or it is not refused. */
  readonly refused?: RefusedRelease;
}

export type LeaseEnd = Extract<Lease['state'], 'released' | 'gone' | 'drifted'>;

/** Whether it is no longer in force, however it ended. */
export function isOver(state: Lease['state']): state is LeaseEnd {
  return state === 'released' || state === 'gone' || state === 'drifted';
}

/** A release that has not succeeded yet. */
export interface RefusedRelease {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly tries: number;
  readonly nextAt: number;
  /** In the words of whoever refused it. */
  readonly why: string;
}

/** The same, for reporting outside the incident. */
export interface RefusedContainment {
  readonly incident: string;
  readonly lease: string;
  /** What is still contained, and the reason for the refusal. */
  readonly text: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

const minuteMs = 60_000;
/** Delay after the n-th refusal. The longest is the maximum delay of a release once nothing refuses it any more. */
const refusedAgainMs = [minuteMs, 2 * minuteMs, 5 * minuteMs, 10 * minuteMs] as const;
const longestAgainMs = 15 * minuteMs;
/** People are notified at once, and again after this many tries: every six hours. */
const toldAgainTries = 24;

/** The next state of a refused release. */
export function refusedAgain(
  before: RefusedRelease | undefined,
  { now, why }: { readonly now: number; readonly why: string },
): { readonly refused: RefusedRelease; readonly isTold: boolean } {
  const tries = (before?.tries ?? 0) + 1;
  const refused = { since: before?.since ?? now, tries, nextAt: now + (refusedAgainMs[tries - 1] ?? longestAgainMs), why };
  return { refused, isTold: tries === 1 || tries % toldAgainTries === 0 };
}

/** Lease of a step whose playbook sets none. */
export const defaultLeaseMs = 4 * 3_600_000;

/** Whether the text is a lease id, as `registerLease` assigns them. */
export function isLeaseId(text: string): boolean {
  return /^[0-9a-f]{16}-l$/.test(text);
}

/** Index of the level that is called when a lease is renewed in silence for the nth time: the next one with a pager, or just the next if none has one. */
export function levelAtRenewal(levels: readonly Level[], renewals: number): number {
  const all = levels.map((_, index) => index);
  const paged = all.filter((index) => levels[index]?.page);
  const called = paged.length === 0 ? all : paged;
  return called[Math.min(Math.max(0, renewals - 1), called.length - 1)] ?? 0;
}

/** What happens at a lease's end if nobody answers, in the words shown to people when they sign: see `atLeaseEnd`. */
export function silenceOnLease({ onExpiry }: Pick<Lease, 'onExpiry'>): string {
  const renewed = 'It is renewed for one more term, and the next are called.';
  return onExpiry === 'release'
    ? `Below critical it is released. On critical, for an attack, or while a question is open: ${renewed.toLowerCase().replace(/\.$/, '')}.`
    : `${renewed} It is released without an answer only if people have called the incident harmless.`;
}

/** The most hours that `guardrails.longestLeaseHours` may allow for one lease: 30 days. */
export const mostLeaseHours = 720;

/** After this time people are called, however often the lease was renewed. It escalates, and never releases. */
export const leaseMaximumMs = 72 * 3_600_000;

/**
 * What happens when a lease ends. Only a `benign` verdict, or a playbook that says so below critical, releases. On critical, on `true_positive`, or with a
 * question open, it is renewed and the next level is paged.
 */
export function atLeaseEnd(
  lease: Lease,
  incident: { readonly severity: Severity; readonly verdict: Verdict; readonly questionOpen: boolean; readonly now: number },
): 'release' | 'renew' | 'escalate' {
  const old = incident.now - lease.startedAt >= leaseMaximumMs;
  if (incident.questionOpen || incident.verdict === 'true_positive') return old ? 'escalate' : 'renew';
  if (incident.verdict === 'benign') return 'release';
  if (incident.severity !== 'critical' && incident.severity !== 'unknown' && lease.onExpiry === 'release') return 'release';
  return old ? 'escalate' : 'renew';
}
