import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { frameworks } from '../../core/compliance/frameworks/index.ts';
import { periodsDue, type ReportPeriod } from '../../core/compliance/period.ts';
import { type ReportFile, reportFile, reportSummary } from '../../core/compliance/report-file.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { fileProblem, writeProblem } from '../../core/system-error.ts';
import type { ReportDeliveries } from '../../integrations/database/outbound/report-deliveries.ts';
import { replaceFile } from '../../integrations/replace-file.ts';
import type { ReportConfig } from '../config/complete/complete-reports.ts';
import type { Config } from '../config/load.ts';
import { type ReportAccess, resolveReportAccess } from '../config/secrets.ts';
import { reasonOf } from '../process/reason.ts';
import { reportOfPeriod } from './compliance.ts';
import type { ThreadParts } from './workers/records-thread.ts';

/** A report whose period is over and that has not been delivered. */
interface DueReport {
  readonly report: ReportConfig;
  readonly period: ReportPeriod;
}

export interface ReportOutcome {
  readonly name: string;
  readonly period: string;
  readonly to: string;
  readonly state: 'delivered' | 'failed' | 'underway elsewhere';
  /** The receiver's answer, or why it failed. */
  readonly detail: string;
}

/** Oldest first. */
export async function dueReports(
  reports: readonly ReportConfig[],
  deliveries: Pick<ReportDeliveries, 'of'>,
  now = Date.now(),
): Promise<readonly DueReport[]> {
  const due: DueReport[] = [];
  for (const report of reports) {
    const delivered = new Set((await deliveries.of(report.name)).keys());
    for (const period of periodsDue(report.every, delivered, now)) due.push({ report, period });
  }
  return due;
}

/** Describes the target in a few words, without anything that may be secret. */
export function reportTargetText({ to }: Pick<ReportConfig, 'to'>): string {
  switch (to.kind) {
    case 'folder':
      return to.folder;
    case 's3':
      return `the bucket ${to.s3.bucket}`;
    case 'slack':
      return `Slack ${to.channel}`;
    case 'mail':
      return to.mail.recipients.join(', ');
  }
}

/**
 * Creates one report and delivers it at least once: what was sent before a crash is sent again, under the same name, key or message id. Failures are returned
 * as outcomes, so other reports continue.
 */
export async function deliverReport(
  { report, period }: DueReport,
  given: {
    readonly config: Pick<Config, 'slack'>;
    readonly env: NodeJS.ProcessEnv;
    readonly store: Pick<AuditStore, 'chainsWith' | 'proofsOf'>;
    readonly trust: Trust;
    readonly deliveries: ReportDeliveries;
    readonly onPart?: (share: number) => void;
    readonly threads?: ThreadParts;
  },
): Promise<ReportOutcome> {
  const { name, cluster, format } = report;
  const delivery = { name, period: period.name, holder: `${hostname()}/${randomUUID()}` };
  const outcome = { name, period: period.name, to: reportTargetText(report) };
  const framework = frameworks.find(({ id }) => id === report.framework);
  if (!framework) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `unknown framework ${report.framework}`);
  if (!(await given.deliveries.claim(delivery)))
    return { ...outcome, state: 'underway elsewhere', detail: 'another process is delivering it, or was stopped while doing so' };
  try {
    // Done before the records are read, which may take a minute.
    const access = resolveReportAccess({ report, slack: given.config.slack, env: given.env });
    const { store, trust, onPart, threads } = given;
    const made = await reportOfPeriod({ store, trust, framework, period, cluster, onPart, threads });
    const file = reportFile(made, format, randomUUID);
    const summary = reportSummary(made, period.name);
    const detail = await send({ report, period, file, summary, access, slack: given.config.slack });
    await given.deliveries.delivered(delivery);
    return { ...outcome, state: 'delivered', detail };
  } catch (error) {
    await given.deliveries.release(delivery).catch(() => undefined);
    return { ...outcome, state: 'failed', detail: reasonOf(error) };
  }
}

interface Sending extends DueReport {
  readonly file: ReportFile;
  readonly summary: string;
  readonly access: ReportAccess;
  readonly slack: Config['slack'];
}

/** @returns the receiver's answer */
async function send({ report, period, file, summary, access, slack }: Sending): Promise<string> {
  const { to } = report;
  const fileName = `${report.name}-${period.name}.${file.extension}`;
  switch (to.kind) {
    case 'folder': {
      const path = join(to.folder, fileName);
      await replaceFile({ path, content: file.text, mode: 0o640 }).catch((error: unknown) => {
        throw new FirebreakError('FB_ERR_FILE_MISSING', `${path} cannot be written: ${writeProblem(error)}`);
      });
      return path;
    }
    case 's3': {
      const { openBucket } = await import('../../integrations/evidence/bucket.ts');
      const { accessKeyId = '', secretAccessKey = '' } = access;
      const bucket = openBucket({ ...to.s3, accessKeyId, secretAccessKey, silentMs: 30_000 });
      const body = new TextEncoder().encode(file.text);
      await bucket.put({ key: fileName, body, bytes: body.byteLength, mediaType: file.mediaType });
      return fileName;
    }
    case 'slack': {
      const { createSlackClient } = await import('../../integrations/slack/client.ts');
      const { plain } = await import('../../integrations/slack/views/text.ts');
      const client = createSlackClient({ botToken: access.botToken ?? '', apiUrl: slack?.apiUrl, timeoutMs: 20_000 });
      const whole = `The whole report: firebreak report compliance --framework ${report.framework} --period ${period.name} --format html`;
      const { slackFault } = await import('../../integrations/slack/fault.ts');
      const message = {
        channel: to.channel,
        // A cluster's name is arbitrary text that its cell has signed.
        text: [...summary.split('\n'), whole].map((line) => line && plain(line, 500)).join('\n'),
        mrkdwn: false,
        parse: 'none',
        unfurl_links: false,
      } as const;
      const { ts = '' } = await client.chat.postMessage(message).catch((error: unknown) => {
        throw slackFault('chat.postMessage', error);
      });
      return ts;
    }
    case 'mail': {
      const { sendMail } = await import('../../integrations/mail.ts');
      const { host, port, tls, user, from, recipients } = to.mail;
      return await sendMail(
        {
          ...{ host, port, tls },
          ...(to.caFile !== undefined && { ca: authoritiesIn(to.caFile) }),
          ...(user !== undefined && { signIn: { user, password: access.password ?? '' } }),
        },
        {
          id: createHash('sha256').update(`${report.name}\n${period.name}`).digest('hex').slice(0, 32),
          from,
          recipients,
          subject: `Firebreak: ${summary.split('\n')[0]}`,
          text: summary,
          attachments: [{ name: fileName, mediaType: file.mediaType, content: file.text }],
        },
      );
    }
  }
}

/** @throws FB_ERR_FILE_MISSING */
function authoritiesIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${file} cannot be read: ${fileProblem(error)}`);
  }
}
