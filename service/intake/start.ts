import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Alert } from '../../core/alert/alert.ts';
import type { IntakeReport, OpenReport } from '../../core/alert/intake-report.ts';
import type { SeverityOverrides } from '../../core/alert/sensor.ts';
import type { SubjectResolver } from '../../core/alert/subject-resolver.ts';
import type { IncidentNote } from '../../core/incident/incident.ts';
import type { RefusedContainment } from '../../core/incident/lease.ts';
import type { Metrics } from '../../integrations/http-door.ts';
import { listening } from '../config/listening.ts';
import type { Tracing } from '../process/telemetry/tracing.ts';
import { startControl } from './control.ts';
import type { IntakeToken } from './door/auth.ts';
import type { CertificateClient } from './door/certificates.ts';
import { Gate } from './door/gate.ts';
import { createListener, type TlsFiles } from './door/listener.ts';
import { createIntakeServer } from './door/server.ts';
import type { SigningSecret } from './door/signature.ts';
import type { IntakeLog } from './log.ts';
import { type IntakeGauges, IntakeMetrics } from './metrics.ts';
import { Receiver, type SealBytes, type StampSource } from './read/receive.ts';
import { Screen, type ScreenSources } from './read/screen.ts';
import type { SenderRule } from './read/sender.ts';
import { Dispatcher } from './send/dispatcher.ts';
import type { HeadStart } from './send/head-start.ts';
import type { IncidentGateway } from './send/incident-gateway.ts';
import { RejectedAlerts } from './spool/rejected-alerts.ts';
import { Spool } from './spool/spool.ts';
import { IntakeReporter } from './watch/intake-reporter.ts';
import { SensorHealth } from './watch/sensor-health.ts';
import { type SilenceOptions, SilenceWatch } from './watch/silence.ts';
import { silenceParts } from './watch/silence-parts.ts';
import { type StormOptions, StormWatch } from './watch/storm.ts';
import { UnauthorizedCounts } from './watch/unauthorized-requests.ts';

export interface IntakeOptions {
  /** Port 0 picks a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly tokens: readonly IntakeToken[];
  readonly signatures?: readonly SigningSecret[] | undefined;
  /** Rules for what senders may report, by their names. */
  readonly senders?: readonly SenderRule[] | undefined;
  readonly tls?: (TlsFiles & { readonly clients?: readonly CertificateClient[] | undefined }) | undefined;
  /** On a local disk, used by this process only. */
  readonly spoolDir: string;
  /** Bytes of waiting alerts at which the intake answers 503. */
  readonly maxBytes: number;
  readonly cluster: string;
  readonly severities?: SeverityOverrides;
  readonly resolver: SubjectResolver;
  readonly gateway: IncidentGateway;
  /** Contains what must not wait for Temporal. */
  readonly headStart?: HeadStart | undefined;
  /** Whether the cell is busy with the incidents that it has begun. Absent: unknown. */
  readonly isBusy?: (() => boolean) | undefined;
  /** Sources that decide whether an alert starts nothing. */
  readonly screen?: ScreenSources | undefined;
  /** Adds to an alert what it does not say by itself. */
  readonly stamps?: StampSource | undefined;
  /** Whether an enabled playbook is made for an alert. Absent: not known. */
  readonly isAnswered?: ((alert: Alert) => boolean) | undefined;
  /** Which sensors must report from which nodes. */
  readonly silence?: Pick<SilenceOptions, 'expected' | 'view' | 'lookEveryMs'> | undefined;
  /** When a number of alerts is a storm, and how people are notified. */
  readonly storm?: Pick<StormOptions, 'alertsPerSecond' | 'workloads' | 'calmAfterSeconds' | 'tell'> | undefined;
  /** Receives reports on the health of the intake and its sensors. Absent: nothing is reported. */
  readonly reports?:
    | {
        readonly open: () => OpenReport;
        /** How many of the open incidents are stuck. Absent: not checked. */
        readonly standingStill?: () => number;
        /** Which releases were refused and are retried. Absent: not checked. */
        readonly releasesRefused?: () => readonly RefusedContainment[];
        readonly tell: (report: IntakeReport) => Promise<boolean>;
        /** Milliseconds after which a report that did not arrive is sent again. */
        readonly tellAgainMs?: number;
      }
    | undefined;
  readonly seal: SealBytes;
  /** Rights that the accounts of this process lack, whatever alert arrives: measured, but no reason to reject an alert. */
  readonly missingRights?: IntakeGauges['missingRights'];
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly patience?: IntakePatience | undefined;
  readonly log: IntakeLog;
}

/** In milliseconds; the usual ones are those of the parts that wait. */
interface IntakePatience {
  /** Longest pause before a batch is sent again to Temporal. */
  readonly slowestRetryMs?: number;
  /** For how long containments may be underway without one finishing before incidents start anyway. */
  readonly stuckMs?: number;
  /** Within which a request's line and headers must arrive. */
  readonly headMs?: number;
}

export interface Intake {
  readonly url: string;
  readonly metrics: Metrics;
  /** Bytes of alerts that Temporal does not have yet. */
  waitingBytes(): number;
  /** Accepts one of Firebreak's own alerts. */
  raise(alert: Alert): Promise<{ readonly incident: string } | { readonly reason: string }>;
  /** Accepts one of Firebreak's own alerts, or an earlier alert again for the playbooks that it names. Resolves to whether it is durable. */
  tell(alert: Alert): Promise<boolean>;
  /** Adds a line to an incident's record; resolves when it is stored until the incident has it. */
  note(incident: string, note: IncidentNote): Promise<void>;
  /** Answers the requests it has accepted, sends what waits (for at most `withinMs`, default 10 s), and keeps the rest for the next start. */
  stop(withinMs?: number): Promise<void>;
}

const hourMs = 3_600_000;
const closeIdleEveryMs = 50;
const lookAtFillMs = 10_000;
const shareToWarnAt = 0.7;

/**
 * Starts the intake, and first sends what was left in the spool.
 *
 * @throws FB_ERR_CONFLICT while another process holds the spool, FB_ERR_CONFIG_INVALID without tokens
 */
export async function startIntake(options: IntakeOptions): Promise<Intake> {
  const { listen, tokens, spoolDir, maxBytes, cluster, severities, resolver, gateway, seal, log } = options;
  const { signatures, senders: rules, tls, missingRights } = options;
  const gate = new Gate({
    tokens,
    signatures,
    rules,
    certificates: tls?.clients,
    certificateRequired: tls?.requireClientCertificate,
  });
  const listener = createListener({ tls, headMs: options.patience?.headMs, log });
  const spool = await Spool.open({ directory: spoolDir, maxBytes });
  const releasesRefused = () => options.reports?.releasesRefused?.() ?? [];
  const storm = options.storm && new StormWatch({ ...options.storm, source: sourceOf(spoolDir), log });
  const metrics: IntakeMetrics = new IntakeMetrics({
    spoolBytes: () => spool.bytes(),
    spoolShare: () => spool.share(),
    oldestSeconds: () => dispatcher.waiting().oldestSeconds,
    openLines: () => dispatcher.waiting().incidents,
    refusedForGood: () => spool.rejectedItems.refusedCount(),
    ...(storm && { storm }),
    orphans: () => options.headStart?.orphans() ?? 0,
    standingStill: () => options.reports?.standingStill?.() ?? 0,
    releasesRefused: () => releasesRefused().length,
    missingRights,
  });
  const dispatcher = new Dispatcher({
    spool,
    gateway,
    resolver,
    headStart: options.headStart,
    isBusy: options.isBusy,
    tracing: options.tracing,
    slowestRetryMs: options.patience?.slowestRetryMs,
    stuckMs: options.patience?.stuckMs,
    log,
    called: (kind, result) => metrics.call(kind, result),
    began: (result, seconds) => metrics.headStart(result, seconds),
  });
  const health = new SensorHealth();
  const unauthorized = new UnauthorizedCounts({
    heard: ({ from, sensor, reason }) =>
      log.warn({ from, ...(sensor !== undefined && { sensor }), reason }, 'requests without a valid token are refused'),
  });
  const screen = new Screen({ ...options.screen, hidden: spool.hidden, notes: spool.notes, hid: (by) => metrics.hid(by) });
  const severitiesGiven = severities && { severities };
  const receiver = new Receiver({
    cluster,
    ...severitiesGiven,
    resolver,
    seal,
    spool,
    dispatcher,
    screen,
    stamps: options.stamps,
    isAnswered: options.isAnswered,
    metrics,
    health,
    storm,
    log,
  });
  const silence =
    options.silence && new SilenceWatch({ ...options.silence, ...silenceParts({ receiver, gate, health, spool, cluster }), log });
  const reporter =
    options.reports &&
    new IntakeReporter({
      ...options.reports,
      source: sourceOf(spoolDir),
      metrics,
      health,
      unauthorized,
      hidden: spool.hidden,
      silence,
    });
  const standing = new AbortController();
  let stopping = false;
  const notReady = (): string | undefined => (stopping ? 'stopping' : spool.isFull() ? 'the spool is full' : undefined);
  const server = createIntakeServer({
    receiver,
    gate,
    listener,
    metrics,
    health,
    unauthorized,
    notReady,
    stopping: () => stopping,
    log,
  });
  const warnOfFill = warnWhenFilling(spool, log);
  const forget = (): void => {
    Promise.all([spool.ledger.forget(), spool.hidden.forget()]).catch(() => log.error({}, 'cannot delete old alert ids'));
  };
  const forgetting = setInterval(forget, hourMs).unref();
  const end = (): void => {
    clearInterval(forgetting);
    clearInterval(warnOfFill);
    standing.abort();
    silence?.stop();
    storm?.stop();
    listener.stop();
  };
  try {
    const port = await listening('intake.listen', listen, () => server.listen(listen));
    const url = `${tls === undefined ? 'http' : 'https'}://${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${port}`;
    const control = await startControl({
      directory: spoolDir,
      rejected: new RejectedAlerts({ spool, dispatcher, receiver, senders: gate.senders, log }),
      storm,
      health,
      unauthorized,
      releasesRefused,
    });
    dispatcher.drain();
    spool.notes.open(gateway, log);
    silence?.start();
    reporter?.start(standing.signal);
    forget();
    if (spool.bytes() > 0)
      log.info({ waitingBytes: spool.bytes() }, 'alerts from before the start are on disk; they are sent first');
    return {
      url,
      metrics,
      waitingBytes: () => spool.bytes(),
      raise: async (alert) => {
        const answer = await receiver.receiveOwn(alert, gate.senders.own);
        if ('incident' in answer) return { incident: answer.incident };
        return { reason: 'reason' in answer ? answer.reason : `It was not accepted: ${answer.status}.` };
      },
      tell: async (alert) => {
        const { status } = await receiver.receiveOwn(alert, gate.senders.own);
        return ['accepted', 'duplicate', 'suppressed', 'own-step'].includes(status);
      },
      note: (incident, note) => spool.notes.add(incident, note),
      stop: async (withinMs = 10_000) => {
        if (stopping) return;
        stopping = true;
        end();
        // Node looks for idle connections only once: connections answered later would stay open until their senders close them.
        const closing = setInterval(() => listener.server.closeIdleConnections(), closeIdleEveryMs);
        await server.close().finally(() => clearInterval(closing));
        await control.close();
        await dispatcher.stop(withinMs);
        await spool.close();
      },
    };
  } catch (error) {
    end();
    await spool.close();
    throw error;
  }
}

/** Identifies this intake, stable across restarts: replicas may share a machine or a folder's name, but never both. */
export function sourceOf(spoolDir: string): string {
  return `${hostname()}/${createHash('sha256').update(resolve(spoolDir)).digest('hex').slice(0, 8)}`;
}

/** Warns before the spool is full and alerts are refused. */
function warnWhenFilling(spool: Spool, log: IntakeLog): NodeJS.Timeout {
  let warned = false;
  return setInterval(() => {
    const share = spool.share();
    if (share >= shareToWarnAt && !warned)
      log.error({ share: Math.round(share * 100) / 100 }, 'the spool is filling up: Temporal does not accept alerts');
    warned = share >= shareToWarnAt;
  }, lookAtFillMs).unref();
}
