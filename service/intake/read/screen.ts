import { createHash } from 'node:crypto';
import type { OwnStep } from '../../../core/action/own-steps.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import type { ActiveSuppression } from '../../../core/orders/suppression.ts';
import { type HiddenAlerts, ownSteps } from '../spool/hidden-alerts.ts';
import type { Notes } from '../spool/notes.ts';

/** The outcome of an alert that starts nothing. */
export type ScreenedAnswer =
  | { readonly status: 'suppressed'; readonly id: string; readonly suppression: string }
  /** The alert was caused by a step of Firebreak: it belongs to the incident of that step. */
  | { readonly status: 'own-step'; readonly id: string; readonly incident: string };

/** Looks up what is suppressed and what Firebreak itself is doing. Answers from memory, because it is called for each alert. */
export interface ScreenSources {
  readonly suppressions?: { hiding(alert: Alert): ActiveSuppression | undefined } | undefined;
  readonly steps?: { causing(alert: Alert): OwnStep | undefined } | undefined;
}

interface ScreenOptions extends ScreenSources {
  readonly hidden: HiddenAlerts;
  readonly notes: Notes;
  /** Called for each alert that starts nothing. */
  readonly hid?: (by: string) => void;
  readonly now?: () => number;
}

export interface Resolved {
  readonly alert: Alert;
  readonly incident: string;
  readonly receivedAt: string;
}

/** Delays between notes to a workload's incident about hidden alerts: at once, then less and less often, so that a storm does not fill its history. */
const noteAfterMs = [0, 60_000, 600_000, 3_600_000] as const;
const longestAfterMs = 3_600_000;

interface Noted {
  times: number;
  lastAt: number;
  since: number;
}

/** Checks each alert before it reaches an incident: alerts that are suppressed or caused by Firebreak itself start nothing, and are kept. */
export class Screen {
  readonly #options: ScreenOptions;
  readonly #noted = new Map<string, Noted>();

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** Returns undefined, synchronously, for an alert that passes. For the others, resolves when they are on disk. */
  take(resolved: Resolved): Promise<ScreenedAnswer> | undefined {
    const { suppressions, steps } = this.#options;
    const step = steps?.causing(resolved.alert);
    if (step) return this.#own(resolved, step);
    const suppression = suppressions?.hiding(resolved.alert);
    return suppression && this.#suppress(resolved, suppression);
  }

  async #own({ alert, receivedAt }: Resolved, { incident, action, key }: OwnStep): Promise<ScreenedAnswer> {
    const { hidden, notes, hid } = this.#options;
    await hidden.add(ownSteps, { at: receivedAt, alert, incident });
    await notes.add(incident, {
      id: alert.id,
      kind: 'step.seen',
      text: `${alert.sensor} saw this incident’s own step ${action}: ${alert.rule}`,
      about: key,
    });
    hid?.(ownSteps);
    return { status: 'own-step', id: alert.id, incident };
  }

  async #suppress({ alert, incident, receivedAt }: Resolved, suppression: ActiveSuppression): Promise<ScreenedAnswer> {
    const { hidden, hid } = this.#options;
    const { id } = suppression.terms;
    await hidden.add(id, { at: receivedAt, alert, incident });
    hid?.(id);
    await this.#note(incident, suppression);
    return { status: 'suppressed', id: alert.id, suppression: id };
  }

  async #note(incident: string, { terms }: ActiveSuppression): Promise<void> {
    const { notes, hidden, now = Date.now } = this.#options;
    const known = this.#noted.get(terms.id) ?? { times: 0, lastAt: Number.NEGATIVE_INFINITY, since: 0 };
    known.since += 1;
    this.#noted.set(terms.id, known);
    const at = now();
    if (at - known.lastAt < (noteAfterMs[known.times] ?? longestAfterMs)) return;
    const { since } = known;
    Object.assign(known, { times: known.times + 1, lastAt: at, since: 0 });
    const total = hidden.count(terms.id)?.count ?? since;
    await notes.add(incident, {
      id: createHash('sha256').update(`${terms.id}\n${total}\n${at}`).digest('hex').slice(0, 32),
      kind: 'alert.suppressed',
      text: `suppression ${terms.id} of ${terms.owner} hides ${since} × ${terms.match.rule} (${total} so far), until ${terms.until}: ${terms.reason}`,
      about: terms.id,
    });
  }
}
