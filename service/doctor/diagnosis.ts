import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import type { Config, Environment } from '../config/load.ts';
import type { ConfigProblem } from '../config/problems.ts';
import type { Role } from '../config/secrets.ts';

/** `not tried`: it could not be checked, or should not be; `text` says why. Nothing is known then, and nothing claimed. */
export type DiagnosisState = 'ok' | 'warning' | 'error' | 'not tried';

/** The state of one thing that an installation needs. */
export interface Diagnosis {
  readonly check: string;
  readonly state: DiagnosisState;
  /** What is wrong, or what was found. Contains no secrets. */
  readonly text: string;
  /** What to do; for a warning or an error. */
  readonly remedy?: string;
}

export type LookResult = Omit<Diagnosis, 'check'>;

/** What is examined, and for which roles. */
export interface Examined {
  readonly config: Config;
  readonly env: Environment;
  /** Roles whose secrets and files are available here; the needs of others are not checked. */
  readonly roles: readonly Role[];
}

/** One check, with a timeout so that it does not hold up the others. */
export interface DoctorCheck {
  readonly name: string;
  /** Roles that need what it checks. Absent: all. */
  readonly roles?: readonly Role[];
  /** Timeout, if it differs from the usual one. Whatever the check throws becomes a separate error. */
  readonly withinMs?: number;
  run(examined: Examined, signal: AbortSignal): Promise<readonly LookResult[]>;
}

export function ok(text: string): LookResult {
  return { state: 'ok', text };
}

export function warning(text: string, remedy: string): LookResult {
  return { state: 'warning', text, remedy };
}

export function failure(text: string, remedy: string): LookResult {
  return { state: 'error', text, remedy };
}

export function notTried(text: string): LookResult {
  return { state: 'not tried', text };
}

export function ofProblem({ path, problem, remedy, line }: ConfigProblem): LookResult {
  const where = line === undefined ? '' : ` (line ${line})`;
  return failure(path === '' ? problem : `${path}${where}: ${problem}`, remedy);
}

/** Why an attempt failed, in words without secrets. */
export function reasonWhy(error: unknown, otherwise: string): string {
  if (error instanceof FirebreakError) return error.detail.trim().replaceAll(/\s+/g, ' ');
  // A system error code such as ENOENT.
  const code = systemErrorCode(error);
  return code !== undefined && /^E[A-Z]+$/.test(code) ? `${otherwise} (${code})` : otherwise;
}

/**
 * Result for the difference between our clock and another one. Votes, orders and leases carry times: some are refused if the clocks differ by half a minute.
 */
export function clockResult(whose: string, aheadMs: number, withinMs: number): LookResult {
  const apart = Math.max(0, Math.abs(aheadMs) - withinMs);
  const text = `our clock and ${whose} differ by at least ${seconds(apart)}`;
  const remedy = 'Have both machines follow the same time servers (NTP).';
  if (apart >= 10_000) return failure(text, remedy);
  if (apart >= 2_000) return warning(text, remedy);
  return ok(`our clock agrees with ${whose}, to within ${seconds(Math.max(withinMs, 1))}`);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 1_000 ? 3 : 1)} s`;
}
