import { whyNoAppArmor } from '../../../activities/actions/workloads/app-armor.ts';
import { type HardeningReport, hardeningReport, reportedSubject } from '../../../core/cluster/hardening-report.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { HardeningReports, placeOfReport } from '../../../integrations/kubernetes/hardening-reports.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { Config } from '../../config/load.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { repeat } from '../../process/repeat.ts';
import type { OwnKnowledge } from '../pools/durable-memory.ts';

interface ReportMirrorParts {
  readonly reports: HardeningReports;
  /** Ids of the open incidents. */
  readonly open: () => readonly string[];
  readonly view: Pick<ClusterView, 'ready' | 'pods'>;
  /** Whether the configuration says that each node has AppArmor. */
  readonly appArmorOnEveryNode: boolean;
  /** False if other cells report on their own incidents, whose reports must not be removed. */
  readonly isAlone: boolean;
  readonly log: Logger;
}

const everyMs = 60_000;
/** Maximum reports. Each requires reading a workload; the rest have to wait until others have ended. */
const mostReports = 500;

/**
 * Maintains an OpenReports report for the workload of each open incident: what it has and lacks compared with what `hardenWorkload` would give it. It only
 * writes: no decision depends on a report. If the API server does not have the kind, it does nothing.
 */
export class ReportMirror {
  readonly #parts: ReportMirrorParts;
  /** Places of the reports that this process has made. */
  readonly #own = new Set<string>();

  constructor(parts: ReportMirrorParts) {
    this.#parts = parts;
  }

  start(signal: AbortSignal): void {
    const work = async (): Promise<void> => {
      await this.look();
    };
    void repeat({ work, everyMs, signal });
  }

  /** Looks once; returns false if the cluster does not have the kind. Never rejects. */
  async look(): Promise<boolean> {
    const { reports, open, isAlone, log } = this.#parts;
    try {
      const found = await reports.list();
      if (!found) return false;
      const incidents = open().filter((id) => reportedSubject(id) !== undefined);
      const kept = new Set<string>();
      for (const id of incidents.slice(0, mostReports)) {
        const report = await this.#reportOf(id);
        if (!report) continue;
        const place = placeOfReport(report);
        kept.add(place);
        const there = found.get(place);
        if (there && reports.isAsReported(report, there)) continue;
        await this.#try(place, () => reports.write(report));
        this.#own.add(place);
      }
      for (const [place, object] of found) {
        if (kept.has(place) || !(isAlone || this.#own.has(place))) continue;
        await this.#try(place, () => reports.remove(object));
        this.#own.delete(place);
      }
    } catch (error) {
      log.info({ reason: reasonOf(error) }, 'cannot report hardening findings in the cluster');
    }
    return true;
  }

  async #reportOf(incident: string): Promise<HardeningReport | undefined> {
    const { reports, view, appArmorOnEveryNode: everywhere } = this.#parts;
    const workload = await reports.workload(incident);
    if (!workload) return undefined;
    const { uid, spec, template } = workload;
    return hardeningReport(incident, { uid, spec, noAppArmor: whyNoAppArmor({ view, everywhere, template }) });
  }

  async #try(place: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.debug({ report: place, reason: reasonOf(error) }, 'cannot write a report; trying again');
    }
  }
}

/** Reports from now on, unless the configuration disables it. */
export function reportInCluster(options: {
  readonly config: Config;
  readonly api: KubernetesApi;
  readonly view: ReportMirrorParts['view'];
  readonly knowledge: Pick<OwnKnowledge, 'open'>;
  /** Whether anything may be written in a namespace: in others nothing is reported. */
  readonly mayWrite: (namespace: string) => boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): void {
  const { config, api, view, knowledge, mayWrite, log, signal } = options;
  if (!config.kubernetes.reports) return;
  new ReportMirror({
    reports: new HardeningReports(api, signal),
    open: () =>
      knowledge.open.ids().filter((id) => {
        const subject = reportedSubject(id);
        return subject === undefined || mayWrite(subject.namespace);
      }),
    view,
    appArmorOnEveryNode: config.actions.appArmorOnEveryNode,
    isAlone: config.guardrails.cells === 1,
    log,
  }).start(signal);
}
