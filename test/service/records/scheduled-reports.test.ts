import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createReportDeliveries } from '../../../integrations/database/outbound/report-deliveries.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import type { ReportConfig } from '../../../service/config/complete/complete-reports.ts';
import type { Config } from '../../../service/config/load.ts';
import { deliverReport, dueReports, type ReportOutcome } from '../../../service/records/scheduled-reports.ts';
import { MailServer } from '../../fakes/mail-server.ts';
import { type SlackEmulator, startSlackEmulator } from '../../fakes/slack/index.ts';
import { appId, botToken, channel, channels, signingSecret, teamId, users } from '../../integrations/slack/fixture.ts';
import { maker, makersTrust } from '../../suites/signed-records.ts';
import { recordsOfIncidents } from './compliance-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-reports-'));
const signIn = { user: 'firebreak', password: 'the-password' };
const env = { MAIL_PASSWORD: signIn.password, SLACK_BOT_TOKEN: botToken };
const now = Date.parse('2026-08-03T00:00:00Z');
let database: Database;
let mail: MailServer;
let slack: SlackEmulator;

beforeAll(async () => {
  database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  const records = recordsOfIncidents(40, Date.UTC(2026, 6, 1));
  const store = createAuditStore(database);
  for (const run of Map.groupBy(records, ({ chain }) => chain).values()) await store.append(run.map(maker.sign));
  const [key, cert] = [join(folder, 'mail.key'), join(folder, 'mail.pem')];
  const curve = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  execFileSync('openssl', ['req', '-x509', ...curve, '-subj', '/CN=mail', '-addext', 'subjectAltName=IP:127.0.0.1'], {
    stdio: 'ignore',
  });
  mail = await MailServer.open({ key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }, signIn);
  slack = await startSlackEmulator({ signingSecret, botToken, appId, teamId, users, channels: [...channels] });
});
afterAll(async () => {
  await Promise.all([database.close(), mail.close(), slack.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

let count = 0;
const reportTo = (to: ReportConfig['to'], over: Partial<ReportConfig> = {}): ReportConfig => {
  count += 1;
  return { name: `report-${count}`, framework: 'nist-csf', every: 'month', format: 'html', to, ...over };
};
const byMail = (over: object = {}): ReportConfig['to'] => ({
  kind: 'mail',
  mail: {
    ...{ host: '127.0.0.1', port: mail.port, tls: 'starttls', user: signIn.user },
    ...{ from: 'firebreak@example.com', recipients: ['audit@example.com', 'ciso@example.com'] },
    ...over,
  },
  caFile: join(folder, 'mail.pem'),
  password: { env: 'MAIL_PASSWORD' },
});

/** All reports that are due by now. */
async function delivered(report: ReportConfig, at = now): Promise<readonly ReportOutcome[]> {
  const deliveries = createReportDeliveries(database, { now: () => at });
  const store = createAuditStore(database);
  const config = { slack: { apiUrl: slack.apiUrl, botToken: { env: 'SLACK_BOT_TOKEN' } } } as unknown as Pick<Config, 'slack'>;
  const outcomes: ReportOutcome[] = [];
  for (const due of await dueReports([report], deliveries, at))
    outcomes.push(await deliverReport(due, { config, env, store, trust: makersTrust, deliveries }));
  return outcomes;
}

describe('a report that is due', () => {
  test('is a file in its folder, once for each period, with what the records of that time say', async () => {
    const report = reportTo({ kind: 'folder', folder: join(folder, 'out') }, { format: 'json' });
    expect(await delivered(report)).toMatchObject([{ state: 'delivered', period: '2026-07' }]);
    expect(await delivered(report)).toEqual([]);
    const file = `${report.name}-2026-07.json`;
    expect(readdirSync(join(folder, 'out'))).toEqual([file]);
    expect(JSON.parse(readFileSync(join(folder, 'out', file), 'utf8'))).toMatchObject({
      framework: { id: 'nist-csf' },
      since: '2026-07-01T00:00:00.000Z',
      until: '2026-08-01T00:00:00.000Z',
      records: { leftOut: 0 },
    });
    expect(await delivered(report, Date.parse('2026-10-02T00:00:00Z'))).toMatchObject([
      { state: 'delivered', period: '2026-08' },
      { state: 'delivered', period: '2026-09' },
    ]);
  });

  test('says which file could not be written, and stays due until it is: there is no folder, none can be made, or a file is in the way', async () => {
    writeFileSync(join(folder, 'file'), '');
    for (const [path, why] of [
      ['/proc/nope', 'there is no such folder'],
      ['/proc/nope/below', 'there is no such folder'],
      [join(folder, 'file'), 'something with that name already exists'],
    ]) {
      const report = reportTo({ kind: 'folder', folder: path ?? '' });
      const detail = `FB_ERR_FILE_MISSING: ${path}/${report.name}-2026-07.html cannot be written: ${why}`;
      const failed = [{ state: 'failed', period: '2026-07', detail }];
      expect(await delivered(report)).toMatchObject(failed);
      expect(await delivered(report)).toMatchObject(failed);
    }
  });

  test('is a mail to all recipients, over TLS, with the file attached, and the same message when it is sent again', async () => {
    const report = reportTo(byMail());
    mail.orders.push('try later', 'taken-unsaid', 'take');
    const before = mail.received.length;
    expect(await delivered(report)).toMatchObject([{ state: 'failed', detail: expect.stringContaining('the disk is full') }]);
    expect(await delivered(report)).toMatchObject([{ state: 'failed' }]);
    expect(await delivered(report)).toMatchObject([{ state: 'delivered' }]);
    const [first, again, ...more] = mail.received.slice(before);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ secure: true, user: 'firebreak', recipients: ['audit@example.com', 'ciso@example.com'] });
    const idOf = (content = ''): string | undefined => /^Message-ID: (<.*>)/m.exec(content)?.[1];
    expect(idOf(first?.content)).toMatch(/^<[0-9a-f]{32}@example\.com>$/);
    expect(idOf(again?.content)).toBe(idOf(first?.content));
    // Long headers are folded (RFC 5322).
    expect(again?.content.replaceAll(/\r\n(?=[ \t])/g, '')).toMatch(
      /^Subject: Firebreak: NIST Cybersecurity Framework 2\.0.*, 2026-07/m,
    );
    expect(again?.content).toContain(`filename=${report.name}-2026-07.html`);
  });

  test.each<[string, object, string]>([
    ['a wrong password', { user: 'somebody' }, 'the password is wrong'],
    [
      'a recipient that the server does not know',
      { recipients: ['audit@example.com', 'x@nowhere.example'] },
      'x@nowhere.example',
    ],
    [
      'a server that is not there',
      { port: 1 },
      '127.0.0.1:1 did not accept the mail: nothing is listening at that address and port',
    ],
  ])('stays due with %s', async (_what, over, reason) => {
    const report = reportTo(byMail(over));
    for (const _try of [1, 2])
      expect(await delivered(report)).toMatchObject([{ state: 'failed', detail: expect.stringContaining(reason) }]);
  });

  test('goes to no mail server whose certificate is somebody else’s, and sends it no password', async () => {
    const other = join(folder, 'other.pem');
    writeFileSync(other, '');
    const report = reportTo({ ...byMail(), caFile: other } as ReportConfig['to']);
    const before = mail.received.length;
    expect(await delivered(report)).toMatchObject([
      {
        state: 'failed',
        detail: expect.stringMatching(/no trusted authority has signed its certificate: name its authority with caFile/),
      },
    ]);
    expect(mail.received).toHaveLength(before);
  });

  test('whose CA file is missing says which one', async () => {
    const report = reportTo({ ...byMail(), caFile: join(folder, 'none.pem') } as ReportConfig['to']);
    expect(await delivered(report)).toMatchObject([
      { state: 'failed', detail: expect.stringMatching(/none\.pem cannot be read: there is no such file/) },
    ]);
  });

  test('is a message in Slack with each number, which mentions nobody', async () => {
    const report = reportTo({ kind: 'slack', channel });
    const [outcome] = await delivered(report);
    expect(outcome).toMatchObject({ state: 'delivered', to: `Slack ${channel}` });
    const { text } = slack.world.message(channel, outcome?.detail ?? '') ?? {};
    expect(text).toMatch(/^NIST Cybersecurity Framework 2\.0.*, 2026-07\nCluster: c\. Records counted: \d+\./);
    expect(text).toContain('--framework nist-csf --period 2026-07');
    expect(await delivered(reportTo({ kind: 'slack', channel: 'C0CLOSED' }))).toMatchObject([
      { state: 'failed', detail: expect.stringContaining('/invite the app') },
    ]);
  });

  test('is left to the process that is working on it, for an hour', async () => {
    const report = reportTo({ kind: 'folder', folder: join(folder, 'claimed') });
    const delivery = { name: report.name, period: '2026-07', holder: 'another' };
    await createReportDeliveries(database, { now: () => now }).claim(delivery);
    expect(await delivered(report, now + 60_000)).toMatchObject([{ state: 'underway elsewhere' }]);
    expect(await delivered(report, now + 3_700_000)).toMatchObject([{ state: 'delivered' }]);
  });

  test('without its password says which variable is missing', async () => {
    const { MAIL_PASSWORD: _, ...without } = env;
    const deliveries = createReportDeliveries(database, { now: () => now });
    const [due] = await dueReports([reportTo(byMail())], deliveries, now);
    if (!due) throw new Error('nothing is due');
    const given = { config: {} as Pick<Config, 'slack'>, env: without, store: createAuditStore(database), trust: makersTrust };
    expect(await deliverReport(due, { ...given, deliveries })).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('MAIL_PASSWORD'),
    });
  });
});
