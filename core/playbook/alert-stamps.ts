import type { Alert } from '../alert/alert.ts';
import { sha256Hex } from '../text/digest.ts';
import { answering, matches, matching } from './answering.ts';
import type { AnyPlaybook } from './playbook.ts';
import { AlertCounts, AwaitedAlerts, type AwaitedStore, type CountStore, matchesOf } from './timed-conditions.ts';

/** What the enabled playbooks ask of the cluster: only that is found out. */
export interface AskedFacts {
  readonly labels: ReadonlySet<string>;
  readonly exposure: boolean;
}

/** The alert as it came: what was counted and awaited for the playbooks of then says nothing about others. */
export function unstamped(alert: Alert): Alert {
  const { calls: _calls, countedFor: _counted, againFor: _again, facts, ...rest } = alert;
  if (!facts) return rest;
  const { counts: _counts, missing: _missing, ...found } = facts;
  return { ...rest, facts: found };
}

/** What a match within `absent` asks for is found out, too. */
export function askedFacts(playbooks: readonly AnyPlaybook[]): AskedFacts {
  const matches = matchesOf(playbooks).flatMap((match) => [match, ...(match.absent ? [match.absent.of] : [])]);
  return {
    labels: new Set(matches.flatMap(({ labels = {} }) => Object.keys(labels))),
    exposure: matches.some(({ exposure }) => exposure !== undefined),
  };
}

interface AlertStampsOptions {
  readonly playbooks: readonly AnyPlaybook[];
  readonly counts?: CountStore | undefined;
  readonly awaited?: AwaitedStore | undefined;
  /** What was awaited before has time until then at least: milliseconds since 1970. */
  readonly notBefore?: number;
  /** There is no room for one more alert after which something has to come. */
  readonly full?: (condition: string) => void;
}

/**
 * Says of each alert what one alert alone does not tell: how often such alerts came, what did not come after it, and so which playbooks it calls for.
 * In the cell, before an incident hears of it; no sensor says so.
 */
export class AlertStamps {
  readonly #playbooks: readonly AnyPlaybook[];
  readonly #counts: AlertCounts;
  readonly #awaited: AwaitedAlerts;

  constructor({ playbooks, counts, awaited, notBefore, full }: AlertStampsOptions) {
    this.#playbooks = playbooks;
    this.#counts = new AlertCounts({ playbooks, kept: counts });
    this.#awaited = new AwaitedAlerts({
      playbooks,
      kept: awaited,
      ...(notBefore !== undefined && { notBefore }),
      ...(full && { full }),
    });
  }

  /** It has come, whatever becomes of it: what waits for it waits no more. */
  heard(alert: Alert): void {
    this.#awaited.heard(alert);
  }

  /** The alert as incidents hear of it. It is counted by that. @param now milliseconds since 1970 */
  stamp(alert: Alert, now: number): Alert {
    if (alert.againFor) return this.#calling(alert);
    const { counts, reached = true } = this.#counts.take(alert, now) ?? {};
    const counted = counts ? { ...alert, facts: { ...alert.facts, counts } } : alert;
    const waiting = this.#awaited.take(counted, now);
    // Of a storm most have come often enough, and then nothing more will be true of them.
    if (waiting.length === 0 && reached) return this.#calling(counted);
    const { facts } = counted;
    const often = Object.fromEntries(Object.keys(counts ?? {}).map((key) => [key, Number.MAX_SAFE_INTEGER]));
    const then = { ...counted, facts: { ...facts, counts: often, missing: waiting } };
    const countedFor = matching(this.#playbooks, then)
      .filter((one) => !matches(one, counted))
      .map(({ id }) => id);
    return this.#calling(countedFor.length > 0 ? { ...counted, countedFor } : counted);
  }

  /** Alerts that are told once more, for the playbooks that they call for now: nothing came after them in time. Until `told`, they are told again. */
  over(now: number): readonly { readonly alert: Alert; readonly condition: string; readonly of: Alert }[] {
    if (this.#awaited.isIdle) return [];
    return this.#awaited.overAt(now).flatMap(({ alert: of, condition }) => {
      const { countedFor: _, ...rest } = of;
      const missing = { ...rest, facts: { ...of.facts, missing: [...(of.facts?.missing ?? []), condition] } };
      const againFor = this.#playbooks.filter((one) => matches(one, missing) && !matches(one, of)).map(({ id }) => id);
      if (againFor.length > 0)
        return [{ alert: { ...missing, id: sha256Hex(`${of.id}\n${condition}`).slice(0, 32), againFor }, condition, of }];
      this.told(condition, of);
      return [];
    });
  }

  /** The one that was told once more is durable by itself. */
  told(condition: string, of: Alert): void {
    this.#awaited.told(condition, of);
  }

  #calling(alert: Alert): Alert {
    const calls = answering(this.#playbooks, alert).map(({ id }) => id);
    return calls.length > 0 ? { ...alert, calls } : alert;
  }
}
