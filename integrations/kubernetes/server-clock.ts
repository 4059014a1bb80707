import type { ClockOffset } from '../../core/evidence/evidence.ts';

/** An answer says its time to the second, cut off. */
const dateResolutionMs = 1_000;
/** Clocks drift, and are set: what was seen before this counts no more. */
const forgottenAfterMs = 10 * 60_000;

/**
 * How the API server's clock stands to ours, from the `Date` of its answers (RFC 9110, 6.6.1): between sending and coming of each lies the moment
 * that it names. Each answer narrows it down; one that contradicts what came before (somebody has set a clock) begins anew.
 */
export class ServerClock {
  #ahead: { readonly least: number; readonly most: number; readonly since: number } | undefined;

  /** Takes an answer into account. Times are ours, in milliseconds since 1970. */
  see({ date, sentAt, cameAt }: { readonly date: string | undefined; readonly sentAt: number; readonly cameAt: number }): void {
    const said = Date.parse(date ?? '');
    if (Number.isNaN(said) || cameAt < sentAt) return;
    const now = { least: said - cameAt, most: said + dateResolutionMs - sentAt };
    const known = this.#ahead;
    const least = Math.max(now.least, known?.least ?? now.least);
    const most = Math.min(now.most, known?.most ?? now.most);
    const isFresh = known !== undefined && cameAt - known.since < forgottenAfterMs && least <= most;
    this.#ahead = isFresh ? { least, most, since: known.since } : { ...now, since: cameAt };
  }

  /** Undefined before the first answer. */
  offset(): ClockOffset | undefined {
    if (!this.#ahead) return undefined;
    const { least, most } = this.#ahead;
    return {
      against: 'kubernetes-api',
      aheadMs: 0 - Math.round((least + most) / 2),
      withinMs: Math.ceil((most - least) / 2),
    };
  }
}
