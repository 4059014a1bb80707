import type { AuditReport } from '../../core/audit/audit-report.ts';
import { bytesText } from '../../service/commands/output.ts';
import type { Session } from '../../service/incidents/session.ts';
import type { Platform } from '../platform/platform.ts';
import type { RunningServer } from '../platform/server-group.ts';
import { type DemoDecision, showAnswer } from './answer.ts';
import { AuditLog } from './audit-log.ts';
import { containedClaims } from './claims-contained.ts';
import { releasedClaims } from './claims-released.ts';
import { removedClaims } from './claims-removed.ts';
import type { DemoCluster } from './cluster.ts';
import { proveRecords, showClaims, showTimeline, showTimes } from './ending.ts';
import { type Claim, readFacts } from './facts.ts';
import { Incident } from './incident.ts';
import { residentBytes } from './processes.ts';
import { showResponse } from './respond.ts';
import { type DemoSettings, people } from './settings.ts';
import { shop } from './shop.ts';
import type { DemoTicket } from './slack-channel.ts';
import type { Stage, StageTime } from './stage.ts';

export interface StartedDemo {
  readonly platform: Platform;
  readonly cluster: DemoCluster;
  readonly settings: DemoSettings;
  readonly session: Session;
  readonly service: RunningServer;
}

/** The result of the demo, for programs; times in milliseconds. */
export interface DemoResult {
  /** Whether every claim is true, and the records are intact. */
  readonly ok: boolean;
  readonly incident: string;
  readonly run: string;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly outcome: DemoDecision | null;
  readonly verdict: string;
  readonly open: boolean;
  readonly claims: readonly Claim[];
  readonly stages: readonly StageTime[];
  readonly evidence: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
  readonly ticket: DemoTicket | null;
  readonly audit: AuditReport;
  readonly memory: { readonly atStartBytes: number | null; readonly atEndBytes: number | null };
  readonly totalMs: number;
  readonly addresses: {
    readonly configFile: string;
    readonly slackPage: string;
    readonly consolePage: string;
    readonly ticketsPage: string;
    readonly temporalUi: string;
    readonly kubeconfig: string;
    readonly falcoUrl: string;
  };
}

/** Runs one incident from the alert to its end, and checks each claim with the API server. */
export async function runIncident(
  options: StartedDemo & { readonly answer?: 'release' | 'remove'; readonly stage: Stage },
): Promise<DemoResult> {
  const { platform, cluster, settings, session, service, answer, stage } = options;
  const started = Date.now();
  const atStart = residentBytes(service.pid);
  const before = await readFacts(cluster);
  const { uid, name } = before.suspect.metadata;
  const audit = new AuditLog(platform.kubernetes.auditLog);
  const id = `incident/${session.config.cluster}/${shop.namespace}/Deployment/${shop.suspect}`;
  const incident = new Incident({ session, service, id });

  const response = await showResponse({
    settings,
    incident,
    before,
    audit,
    playedNodes: platform.kubernetes.kindCluster === undefined,
    stage,
  });
  const contained = await containedClaims(cluster, before);
  showClaims({ title: 'Is it contained? The API server’s answer', claims: contained, stage });

  const answered = await showAnswer({ consoleUrl: settings.consoleUrl, incident, response, stage, answer });
  const { outcome, state } = answered;
  const after = await endClaims({ outcome, cluster, audit, before });
  showClaims({ title: 'Is it done? The API server’s answer', claims: after, stage });

  showTimeline(state, stage);
  const report = await proveRecords({ config: settings.configFile, stage });
  const stages = [...response.times, ...answered.times];
  showTimes(stages, stage);
  const atEnd = residentBytes(service.pid);
  stage.heading('Memory of Firebreak’s process, all roles');
  stage.line(`  ${bytesText(atStart ?? 0)} before the alert, ${bytesText(atEnd ?? 0)} now`);

  const claims = [...contained, ...after];
  const ok = claims.every((one) => one.ok) && report.ok;
  stage.heading(ok ? 'Every claim is true.' : 'NOT every claim is true:');
  for (const one of claims.filter((one) => !one.ok)) stage.claim(false, `${one.text}: ${one.difference}`);
  if (!report.ok) stage.claim(false, 'the audit store is not intact');
  const { github } = settings.standIns;
  return {
    ok,
    incident: id,
    run: state.incident.run,
    pod: { namespace: shop.namespace, name, uid },
    outcome: outcome ?? null,
    verdict: state.verdict,
    open: state.open,
    claims,
    stages,
    evidence: state.evidence.flatMap(({ artefacts }) => artefacts.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }))),
    ticket: response.ticket ?? null,
    audit: report,
    memory: { atStartBytes: atStart ?? null, atEndBytes: atEnd ?? null },
    totalMs: Date.now() - started,
    addresses: {
      configFile: settings.configFile,
      slackPage: response.slack.pageUrl(people[0].slack),
      consolePage: settings.consoleUrl ?? '',
      ticketsPage: `http://127.0.0.1:${github.port}/`,
      temporalUi: platform.temporal.uiUrl,
      kubeconfig: platform.kubernetes.kubeconfig,
      falcoUrl: `${settings.intakeUrl}/v1/alerts/falco/<token in secrets/falco-token>`,
    },
  };
}

function endClaims(options: {
  readonly outcome: DemoDecision;
  readonly cluster: DemoCluster;
  readonly audit: AuditLog;
  readonly before: Awaited<ReturnType<typeof readFacts>>;
}): Promise<readonly Claim[]> {
  const { outcome, cluster, before } = options;
  if (outcome === 'remove') return removedClaims(options);
  return outcome === 'release' ? releasedClaims(options) : containedClaims(cluster, before);
}
