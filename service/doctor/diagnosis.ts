import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import type { Config, Environment } from '../config/load.ts';
import type { ConfigProblem } from '../config/problems.ts';
import type { Role } from '../config/secrets.ts';

/** `not tried`: it could not be asked, or was not to be; `text` says why. Nothing is known then, and nothing claimed. */
export type DiagnosisState = 'ok' | 'warning' | 'error' | 'not tried';

/** How one thing stands that an installation needs. */
export interface Diagnosis {
  readonly check: string;
  readonly state: DiagnosisState;
  /** What is wrong, or what was seen. Holds no secret. */
  readonly text: string;
  /** What to do; of a warning or an error. */
  readonly remedy?: string;
}

export type LookResult = Omit<Diagnosis, 'check'>;

/** What is looked at, and as whom. */
export interface Examined {
  readonly config: Config;
  readonly env: Environment;
  /** Those whose secrets and files are here; what others need is not asked. */
  readonly roles: readonly Role[];
}

/** One look, which is given up after a while without holding up the others. */
export interface DoctorCheck {
  readonly name: string;
  /** Who needs what it looks at. Absent: everybody. */
  readonly roles?: readonly Role[];
  /** What it throws becomes an error of its own. Another limit than the usual one. */
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

/** Why an attempt failed, in words that hold no secret. */
export function reasonWhy(error: unknown, otherwise: string): string {
  if (error instanceof FirebreakError) return error.detail.trim().replaceAll(/\s+/g, ' ');
  // Of the system's own, such as ENOENT.
  const code = systemErrorCode(error);
  return code !== undefined && /^E[A-Z]+$/.test(code) ? `${otherwise} (${code})` : otherwise;
}

/** How our clock stands to somebody's. Votes, orders and leases are dated: half a minute apart is refused in places. */
export function clockResult(whose: string, aheadMs: number, withinMs: number): LookResult {
  const apart = Math.max(0, Math.abs(aheadMs) - withinMs);
  const text = `our clock and ${whose} differ by ${seconds(apart)} at least`;
  const remedy = 'Have both machines follow the same time servers (NTP).';
  if (apart >= 10_000) return failure(text, remedy);
  if (apart >= 2_000) return warning(text, remedy);
  return ok(`our clock agrees with ${whose}, to ${seconds(Math.max(withinMs, 1))}`);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 1_000 ? 3 : 1)} s`;
}
