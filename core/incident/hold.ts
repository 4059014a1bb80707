import type { Reach, TargetName } from '../action/plan.ts';
import { type Severity, severities } from '../alert/severity.ts';
import { isObject } from '../text/plain-json.ts';
import { defaultLeaseMs } from './lease.ts';

/** How long an effect lasts, and whether silence releases it then, if that is allowed. */
export interface LeaseTerms {
  readonly durationMs: number;
  readonly onExpiry: 'renew' | 'release';
  /** The step is part of a saga, which undoes it on failure: see `sagaUndo` of the envelope. */
  readonly saga?: true;
}

/**
 * The terms on which the cell holds something: a call only states what a workflow claims. Nothing is held for longer than the configuration allows, and on
 * critical silence never releases, whatever a playbook says.
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
 * The circumstances under which something was taken, recorded in the note on it and sealed by the cell. A later release is bound by these, whatever the
 * workflow says by then.
 */
export interface HoldTerms {
  /** Severity of the incident, as the cell knew it. */
  readonly severity: Severity;
  /** Reach of the step, as the cell planned it. */
  readonly reach: Reach;
  readonly lease: LeaseTerms;
  /** ISO 8601, UTC, by the cell's clock. */
  readonly at: string;
}

/** What the note on an object that is about to be released says; only what the cell sealed. */
export interface ReleasedObject {
  /** `kind/namespace/name` */
  readonly object: TargetName;
  /** Absent if the step created the object. */
  readonly uid?: string;
  readonly incident: string;
  /** The key of the step that took it. */
  readonly step: string;
  readonly terms: HoldTerms;
}

/** Called with all notes on what an undo would change, before it changes anything. @throws FB_ERR_APPROVAL_INVALID */
export type AllowRelease = (notes: readonly ReleasedObject[]) => Promise<void>;

/** Missing terms default to the strictest: silence never releases, and the severity is critical, so people must decide. */
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
