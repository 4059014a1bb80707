import type { Reach, TargetName } from '../action/plan.ts';
import { type Severity, severities } from '../alert/severity.ts';
import { isObject } from '../text/plain-json.ts';
import { defaultLeaseMs } from './lease.ts';

/** For how long something is taken, and whether silence gives it back then, where it may. */
export interface LeaseTerms {
  readonly durationMs: number;
  readonly onExpiry: 'renew' | 'release';
  /** It is part of a saga, whose failure gives it back: see `sagaUndo` of the envelope. */
  readonly saga?: true;
}

/**
 * The terms on which the cell takes something: a call says what a workflow claims. Nothing is taken for longer than the configuration lets it, and on
 * critical silence never frees, whatever a playbook says.
 */
export function boundedTerms(
  { durationMs, onExpiry, ...rest }: LeaseTerms,
  { severity, longestMs }: { readonly severity: Severity; readonly longestMs: number },
): LeaseTerms {
  const asked = Number.isFinite(durationMs) && durationMs > 0 ? durationMs : defaultLeaseMs;
  const mayRelease = onExpiry === 'release' && severity !== 'critical' && severity !== 'unknown';
  return { ...rest, durationMs: Math.min(asked, longestMs), onExpiry: mayRelease ? 'release' : 'renew' };
}

/**
 * Under which circumstances something was taken, as the note on it says, sealed by the cell. What gives it back later is held to this, whatever
 * the workflow says by then.
 */
export interface HoldTerms {
  /** Of the incident, as the cell knew it. */
  readonly severity: Severity;
  /** Of the step, as the cell planned it. */
  readonly reach: Reach;
  readonly lease: LeaseTerms;
  /** ISO 8601, UTC, by the cell's clock. */
  readonly at: string;
}

/** What a note says on an object that is about to be given back; only what the cell sealed. */
export interface ReleasedObject {
  /** `kind/namespace/name` */
  readonly object: TargetName;
  /** Absent where the step made the object. */
  readonly uid?: string;
  readonly incident: string;
  /** The key of the step that took it. */
  readonly step: string;
  readonly terms: HoldTerms;
}

/** Asked with all notes of what an undo would change, before it changes anything. @throws FB_ERR_APPROVAL_INVALID */
export type AllowRelease = (notes: readonly ReleasedObject[]) => Promise<void>;

/** What nobody has said is held to the strictest: silence never gives it back, and on critical people are needed. */
const strictest: Omit<HoldTerms, 'at'> = {
  severity: 'critical',
  reach: 'cluster',
  lease: { durationMs: defaultLeaseMs, onExpiry: 'renew' },
};

export function holdTermsNow({ taking = strictest }: { readonly taking?: Omit<HoldTerms, 'at'> | undefined }): HoldTerms {
  return { ...taking, at: new Date().toISOString() };
}

const reaches: ReadonlySet<unknown> = new Set<Reach>(['pod', 'workload', 'namespace', 'node', 'cluster', 'outside']);

export function isHoldTerms(value: unknown): value is HoldTerms {
  if (!isObject(value) || !isObject(value.lease)) return false;
  const { severity, reach, lease, at } = value;
  return (
    severities.some((known) => known === severity) &&
    reaches.has(reach) &&
    typeof lease.durationMs === 'number' &&
    (lease.onExpiry === 'renew' || lease.onExpiry === 'release') &&
    (lease.saga === undefined || lease.saga === true) &&
    typeof at === 'string' &&
    !Number.isNaN(Date.parse(at))
  );
}
