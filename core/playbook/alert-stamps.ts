import type { Alert } from '../alert/alert.ts';
import { sha256Hex } from '../text/digest.ts';
import { answering, matches, matching } from './answering.ts';
import type { AnyPlaybook } from './playbook.ts';
import { AlertCounts, AwaitedAlerts, type AwaitedStore, type CountStore, matchesOf } from './timed-conditions.ts';

/** The facts that the enabled playbooks need from the cluster: only these are looked up. */
export interface AskedFacts {
  readonly labels: ReadonlySet<string>;
  readonly exposure: boolean;
}

/** The alert as it was received: what was counted and awaited for earlier playbooks says nothing about others. */
export function unstamped(alert: Alert): Alert {
  const { calls: _calls, countedFor: _counted, againFor: _again, assessment: _assessment, facts, ...rest } = alert;
  if (!facts) return rest;
  const { counts: _counts, missing: _missing, ...found } = facts;
  return { ...rest, facts: found };
}

/** Facts needed by a match within `absent` are looked up, too. */
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
  /** Conditions already awaited have at least until then: milliseconds since 1970. */
  readonly notBefore?: number;
  /** Called if there is no room for one more alert that something must follow. */
  readonly full?: (condition: string) => void;
}

/**
 * Adds to each alert what a single alert does not show: how often such alerts came, what did not follow, and therefore which playbooks it calls for. Done in
 * the cell before an incident receives it; no sensor can claim it.
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

  /** Records that it arrived, whatever happens to it: conditions that wait for it stop waiting. */
  heard(alert: Alert): void {
    this.#awaited.heard(alert);
  }

  /** The alert as incidents receive it. This call counts it. @param now milliseconds since 1970 */
  stamp(alert: Alert, now: number): Alert {
    if (alert.againFor) return this.#calling(alert);
    const { counts, reached = true } = this.#counts.take(alert, now) ?? {};
    const counted = counts ? { ...alert, facts: { ...alert.facts, counts } } : alert;
    const waiting = this.#awaited.take(counted, now);
    // In a storm, most alerts have come often enough already, and nothing more will become true about them.
    if (waiting.length === 0 && reached) return this.#calling(counted);
    const { facts } = counted;
    const often = Object.fromEntries(Object.keys(counts ?? {}).map((key) => [key, Number.MAX_SAFE_INTEGER]));
    const then = { ...counted, facts: { ...facts, counts: often, missing: waiting } };
    const countedFor = matching(this.#playbooks, then)
      .filter((one) => !matches(one, counted))
      .map(({ id }) => id);
    return this.#calling(countedFor.length > 0 ? { ...counted, countedFor } : counted);
  }

  /** Alerts to deliver again for the playbooks that they call for now, because nothing followed them in time. They are returned until `told` is called. */
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

  /** The alert that was delivered again is durable on its own. */
  told(condition: string, of: Alert): void {
    this.#awaited.told(condition, of);
  }

  #calling(alert: Alert): Alert {
    const calls = answering(this.#playbooks, alert).map(({ id }) => id);
    return calls.length > 0 ? { ...alert, calls } : alert;
  }
}
