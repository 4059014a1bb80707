import type { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { mostOf, type NamedIncident, type OpenReport, openReportOf } from '../../../core/alert/intake-report.ts';
import { worse } from '../../../core/alert/severity.ts';
import type { AlertBatch } from '../../../core/incident/incident.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import type { Box } from '../../../integrations/crypto-box/box.ts';
import { kindOf } from '../../intake/send/batch.ts';
import type { IncidentGateway } from '../../intake/send/incident-gateway.ts';
import type { Logger } from '../../process/log.ts';
import type { OpenBook, OpenHead, OpenIncident } from './open-book.ts';

const mostKinds = 20;
/** Longer lists are requested from the incident itself. */
const mostRuleText = 400;

interface OpenIncidentsParts {
  readonly kept: OpenBook;
  readonly box: Box;
  /** Adds what people have decided about its pod since. */
  readonly asDecided: (alert: Alert) => Alert;
  readonly log: Logger;
  readonly now?: () => number;
}

/** What the cell has told each open incident, with the alerts sealed: enough to tell another run of it the same. */
export class OpenIncidents {
  readonly #parts: OpenIncidentsParts;
  readonly #now: () => number;

  constructor(parts: OpenIncidentsParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** Whether that run, identified by its first run, has not ended as far as this cell knows. */
  isOpen(id: string, run: string): boolean {
    return this.#parts.kept.head(id)?.first === run;
  }

  /** For callers that need the open incidents, and would otherwise have to trust Temporal's list. */
  report(): OpenReport {
    return openReportOf([...this.#parts.kept.heads()].map(([incident, head]) => namedOf(incident, head)));
  }

  /** Call this before the incident is told. */
  hears(id: string, { alerts, counts, actors = [], requesters = [] }: AlertBatch): void {
    const { kept, box } = this.#parts;
    const known = kept.get(id);
    const kinds = new Set(known?.kinds);
    const fresh = alerts.filter((alert) => kinds.size < mostKinds && !kinds.has(kindOf(alert)) && kinds.add(kindOf(alert)));
    const named =
      actors.some((one) => !known?.actors.includes(one)) || requesters.some((one) => !known?.requesters.includes(one));
    const severity = [...alerts, ...counts].reduce((worst, one) => worse(worst, one.severity), known?.severity ?? 'unknown');
    const { rules: ruled = known ? undefined : [], ...rest } = known ?? {};
    const rules = rulesOf(ruled, [...alerts, ...counts]);
    const areSame = severity === known?.severity && rules.rules?.length === known.rules?.length;
    if (known && fresh.length === 0 && !named && areSame) return;
    const all = [...(known ? this.#alertsOf(id, known) : []), ...fresh];
    kept.put(id, {
      begunAgain: [],
      ...rest,
      ...rules,
      alerts: fresh.length > 0 || !known ? box.seal(Buffer.from(JSON.stringify(all)), aadOf(id)) : known.alerts,
      kinds: [...kinds],
      severity,
      actors: [...new Set([...(known?.actors ?? []), ...actors])],
      requesters: [...new Set([...(known?.requesters ?? []), ...requesters])],
    });
  }

  /** Records that this cell has started the run. */
  started(id: string, first: string, batch: AlertBatch): void {
    const { kept, box } = this.#parts;
    // The end of the previous run was seen after this one had received its alerts.
    if (!kept.get(id)) this.hears(id, batch);
    const known = kept.get(id);
    if (!known) return;
    const { alerts, counts } = batch;
    const startedAt = (known.first === first ? known.startedAt : undefined) ?? this.#now();
    const started = { ...known, first, run: first, startedAt };
    if (known.first === undefined || known.first === first) {
      kept.put(id, started);
      return;
    }
    const { rules: earlier, ...rest } = started;
    const before = { first: known.first, alerts: known.alerts, ...(earlier && { rules: earlier }) };
    const own = { alerts: box.seal(Buffer.from(JSON.stringify(alerts)), aadOf(id)), kinds: alerts.map(kindOf) };
    kept.put(id, { ...rest, ...own, ...rulesOf([], [...alerts, ...counts]), before });
  }

  /** Records that it runs: it has accepted what it was told. */
  told(id: string): void {
    const { kept } = this.#parts;
    const known = kept.get(id);
    if (known && !known.told && known.first === undefined) kept.put(id, { ...known, told: true });
  }

  /** Records about the previous run, identified by its first run: it has ended, or the newest run was told what that one knew. */
  joined(id: string, before: string, how: 'over' | 'told'): void {
    const { kept } = this.#parts;
    const known = kept.get(id);
    if (known?.before?.first !== before) return;
    const { before: told, rules, ...rest } = known;
    const earlier = how === 'over' ? [] : told.rules?.map((rule) => ({ rule }));
    kept.put(id, { ...rest, ...rulesOf(rules, earlier) });
  }

  /** One alert of each kind that this run was told. Undefined: it is not open, or there may be more. */
  alertsOf(id: string, run: string): readonly Alert[] | undefined {
    const known = this.#parts.kept.get(id);
    if (!known || known.first !== run || known.kinds.length >= mostKinds) return undefined;
    return this.#alertsOf(id, known);
  }

  /** What to tell a run that has not received anything yet. `batch` is the id under which the run accepts it once. */
  batchOf(id: string, known: Pick<OpenIncident, 'alerts' | 'actors' | 'requesters'>, batch: string): AlertBatch {
    const alerts = this.#alertsOf(id, known).map((alert) => this.#parts.asDecided(alert));
    const { actors, requesters } = known;
    return {
      id: batch,
      alerts,
      counts: alerts.map(({ rule, severity, pod, time }) => ({
        rule,
        severity,
        ...(pod && { pod: `${pod.namespace}/${pod.name}` }),
        count: 1,
        firstSeen: time,
        lastSeen: time,
      })),
      ...(actors.length > 0 && { actors }),
      ...(requesters.length > 0 && { requesters }),
    };
  }

  /** Empty if the sealing key is gone: the incident is begun again without alerts, and the next alert joins it. */
  #alertsOf(id: string, { alerts }: Pick<OpenIncident, 'alerts'>): readonly Alert[] {
    try {
      return JSON.parse(Buffer.from(this.#parts.box.open(alerts, aadOf(id))).toString()) as Alert[];
    } catch {
      this.#parts.log.error({ incident: id }, 'cannot decrypt the stored alerts of an open incident: their key is gone');
      return [];
    }
  }
}

/** The cell records what an incident is about to be told before it is sent: holding the incident up in Temporal does not delay that. */
export function remembering(
  gateway: IncidentGateway,
  {
    incidents,
    open,
    playbooksOf,
  }: {
    readonly incidents: IncidentMemory;
    readonly open: OpenIncidents;
    /** Playbooks that an incident runs: not all began with the same versions. */
    readonly playbooksOf: (incident: string) => readonly AnyPlaybook[];
  },
): IncidentGateway {
  return {
    start: async (id, start, options) => {
      incidents.hears(id, start.batch, playbooksOf(id));
      open.hears(id, start.batch);
      const result = await gateway.start(id, start, options);
      if (result.kind === 'started') {
        incidents.delivered(id, result.run, result.build);
        open.started(id, result.run, start.batch);
      }
      return result;
    },
    signal: async (id, batch) => {
      incidents.hears(id, batch, playbooksOf(id));
      open.hears(id, batch);
      const result = await gateway.signal(id, batch);
      if (result.kind === 'signalled') {
        incidents.delivered(id);
        open.told(id);
      }
      return result;
    },
    note: (id, note) => gateway.note(id, note),
  };
}

function aadOf(id: string): string {
  return `open ${id}`;
}

/** Returns what a report contains about it. */
function namedOf(incident: string, { severity, rules, first, startedAt }: OpenHead): NamedIncident {
  return {
    incident,
    severity,
    ...(rules && { rules }),
    ...(first !== undefined && startedAt !== undefined && { started: { run: first, at: new Date(startedAt).toISOString() } }),
  };
}

/** Adds the rules of the alerts it is told. Returns none if there are more than a list shows, or already were. */
function rulesOf(
  known: readonly string[] | undefined,
  said: readonly { readonly rule: string }[] | undefined,
): Pick<OpenIncident, 'rules'> {
  if (!known || !said) return {};
  const rules = new Set(known);
  for (const { rule } of said) {
    rules.add(rule);
    if (rules.size > mostOf.rules) return {};
  }
  return [...rules].join('').length > mostRuleText ? {} : { rules: [...rules] };
}
