import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { logHeadText, type NoteKey, noteText, rawKeyOf, verifierKey } from '../../../core/tlog/signed-note.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { signerFrom } from '../../../integrations/keys/ed25519.ts';
import { createLogFolder } from '../../../integrations/tlog/log-folder.ts';
import { makeOwnCertificate } from '../../../integrations/uploads/own-certificate.ts';
import { type Config, loadConfig } from '../../../service/config/load.ts';
import type { Role } from '../../../service/config/secrets.ts';
import { certificateChecks } from '../../../service/doctor/certificate-checks.ts';
import { clusterChecks } from '../../../service/doctor/cluster-checks.ts';
import { deskChecks } from '../../../service/doctor/desk-checks.ts';
import { clockResult, type Diagnosis, type DoctorCheck, failure, ok } from '../../../service/doctor/diagnosis.ts';
import { examine, releaseChecks, responseChecks, worstOf } from '../../../service/doctor/doctor.ts';
import { doctorMetrics, pushOnce, writeMetrics } from '../../../service/doctor/doctor-metrics.ts';
import { keyChecks } from '../../../service/doctor/key-checks.ts';
import { probeVerdict } from '../../../service/doctor/network-probe.ts';
import { reachChecks } from '../../../service/doctor/reach.ts';
import { senderChecks, sensorChecks } from '../../../service/doctor/sensor-checks.ts';
import { storeChecks } from '../../../service/doctor/store-checks.ts';
import { temporalChecks } from '../../../service/doctor/temporal-checks.ts';
import { startControl } from '../../../service/intake/control.ts';
import { SensorHealth } from '../../../service/intake/watch/sensor-health.ts';
import { UnauthorizedCounts } from '../../../service/intake/watch/unauthorized-requests.ts';
import { ensureKeys } from '../../../service/process/keys/key-files.ts';
import { startJiraFake } from '../../fakes/jira/server.ts';
import { startIdentityProvider } from '../../fakes/oidc/provider.ts';
import { type SlackEmulator, startSlackEmulator } from '../../fakes/slack/index.ts';
import { appId, appToken, botToken, channel, channels, signingSecret, teamId, users } from '../../integrations/slack/fixture.ts';
import { newPrivateKey } from '../../suites/private-key.ts';

const dayMs = 86_400_000;
const all: readonly Role[] = ['cell', 'desk', 'forensics', 'secrets'];

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-doctor-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** A configuration with some additional lines. */
function configured(lines = '', intake = '', ada = ''): Config {
  const file = join(folder, 'firebreak.yaml');
  writeFileSync(
    file,
    `cluster: lab
intake:
  tokens: [{ name: falco, token: { env: FALCO_TOKEN } }]
${intake}
roster:
  people: [{ id: ada, name: Ada, slack: [U0ADA]${ada} }, { id: grace, name: Grace, slack: [U0GRACE] }]
  groups: { oncall: [ada, grace], leads: [ada, grace] }
${lines}
`,
  );
  return loadConfig({ path: file, env: {} });
}

interface Asked {
  readonly chosen: readonly DoctorCheck[];
  readonly config?: Config;
  readonly env?: Readonly<Record<string, string>>;
  readonly roles?: readonly Role[];
  readonly name?: string;
}

async function found({ chosen, config = configured(), env = {}, roles = all, name }: Asked): Promise<readonly Diagnosis[]> {
  const diagnoses = await examine({ config, env: { FALCO_TOKEN: 't', ...env }, roles }, { chosen });
  return name === undefined ? diagnoses : diagnoses.filter(({ check }) => check === name);
}

describe('the doctor', () => {
  test('gives up on a hanging check, which does not block the others', async () => {
    const order: string[] = [];
    const chosen: readonly DoctorCheck[] = [
      { name: 'hangs', withinMs: 20, run: () => new Promise(() => {}) },
      {
        name: 'answers',
        run: async () => {
          order.push('answered');
          return [ok('well')];
        },
      },
    ];
    const diagnoses = await found({ chosen });
    expect(order).toEqual(['answered']);
    expect(diagnoses).toMatchObject([
      { check: 'hangs', state: 'error', text: 'no answer within 0.02 s' },
      { check: 'answers', state: 'ok', text: 'well' },
    ]);
    expect(worstOf(diagnoses)).toBe('error');
  });

  test('reports what a check throws as the problem, without foreign text', async () => {
    const fault = new Error('password=hunter2');
    const chosen: readonly DoctorCheck[] = [{ name: 'throws', run: () => Promise.reject(fault) }];
    const diagnoses = await found({ chosen });
    expect(diagnoses).toMatchObject([{ state: 'error', text: 'it could not be checked' }]);
    expect(JSON.stringify(diagnoses)).not.toContain('hunter2');
  });

  test('checks nothing that the roles do not need', async () => {
    expect(await found({ chosen: [...deskChecks, ...sensorChecks], roles: ['secrets'] })).toEqual([]);
  });

  test.each([
    [{ aheadMs: 300, withinMs: 400 }, 'ok'],
    [{ aheadMs: -5_000, withinMs: 500 }, 'warning'],
    [{ aheadMs: 60_000, withinMs: 500 }, 'error'],
  ])('judges a clock by what is certain: %j is %s', ({ aheadMs, withinMs }, state) => {
    expect(clockResult('theirs', aheadMs, withinMs).state).toBe(state);
  });
});

describe('about required files and secrets it says', () => {
  test('which secret is not set, and which file cannot be read', async () => {
    const config = configured('trust: { secrets: [nowhere.pem.pub] }');
    const diagnoses = await found({ chosen: reachChecks, config, env: { FALCO_TOKEN: '' } });
    expect(diagnoses).toEqual([
      expect.objectContaining({ check: 'secrets', state: 'error', text: expect.stringContaining('FALCO_TOKEN is not set') }),
      expect.objectContaining({ check: 'files', state: 'error', text: expect.stringContaining('nowhere.pem.pub') }),
    ]);
  });

  test('that all is in order', async () => {
    expect((await found({ chosen: reachChecks })).map(({ state }) => state)).toEqual(['ok', 'ok']);
  });
});

test('about an unreachable API server it says where, and which chart port may differ, and claims nothing about the rest', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const at = `https://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  server.close();
  await once(server, 'close');
  const kubeconfig = {
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server: at, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'lab', user: {} }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
  };
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
  const [first, ...others] = await found({
    chosen: clusterChecks,
    config: configured('kubernetes: { kubeconfig: kubeconfig }'),
    roles: ['cell'],
  });
  expect(first).toMatchObject({
    ...{ check: 'kubernetes', state: 'error', text: expect.stringContaining(`${at}: read its version: ECONNREFUSED`) },
    remedy: expect.stringContaining('networkPolicy.apiServerPort'),
  });
  expect(new Set(others.map(({ state }) => state))).toEqual(new Set(['not tried']));
});

describe('about Temporal it says', () => {
  test('why it cannot connect, as soon as that is known, and claims nothing about the rest', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    server.close();
    await once(server, 'close');
    const diagnoses = await found({
      chosen: temporalChecks,
      config: configured(`temporal: { address: '127.0.0.1:${port}' }`),
    });
    expect(diagnoses[0]).toMatchObject({
      check: 'temporal',
      state: 'error',
      text: `no connection to Temporal at 127.0.0.1:${port}: ECONNREFUSED`,
    });
    expect(new Set(diagnoses.slice(1).map(({ state }) => state))).toEqual(new Set(['not tried']));
  });

  test.each([
    [
      'a web server',
      'false',
      (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'what listens there does not speak gRPC (HTTP/2)',
    ],
    [
      'a web server, with TLS configured',
      'true',
      (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'what listens there does not speak gRPC (HTTP/2)',
    ],
    ['a server that hangs up', 'false', (socket: Socket) => socket.end(), 'what listens there does not speak gRPC (HTTP/2)'],
    ['a server that says nothing', 'false', () => {}, 'something listens there, but says nothing within 8 s'],
  ])('that an address belongs to something else: %s', async (_what, tls, answer, why) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      answer(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const place = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    // The limit of 8 s, for the server that says nothing, is over after two.
    const limit = AbortSignal.timeout.bind(AbortSignal);
    jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => limit(ms / 4));
    const config = configured(`temporal: { address: '${place}', tls: ${tls} }`);
    const [first] = await found({ chosen: temporalChecks.slice(0, 1), config });
    for (const socket of sockets) socket.destroy();
    server.close();
    expect(first).toMatchObject({
      state: 'error',
      text: `no connection to Temporal at ${place}: ${why}`,
      remedy: expect.stringContaining('8233 is its web UI'),
    });
  });

  test.each([
    ['on the first call', '16', ''],
    ['on the call for the namespace', '7', 'GetSystemInfo'],
  ])('that access is denied: %s', async (_what, code, answered) => {
    const server = createHttp2Server()
      .on('stream', (stream, headers) => {
        const isAnswered = answered !== '' && String(headers[':path']).endsWith(answered);
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': isAnswered ? '0' : code }));
        // A message without any field.
        stream.end(isAnswered ? Buffer.alloc(5) : '');
      })
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const place = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    const diagnoses = await found({ chosen: temporalChecks, config: configured(`temporal: { address: '${place}' }`) });
    server.close();
    expect(diagnoses[0]).toMatchObject({
      state: 'error',
      text: expect.stringContaining('does not let us in'),
      remedy: expect.stringContaining('temporal.apiKey'),
    });
    expect(diagnoses.filter(({ state }) => state === 'error')).toHaveLength(1);
  });
});

describe('about the network the probe says', () => {
  const seen = { node: 'node-1', control: 'connected', into: 'silent', out: 'silent' } as const;
  test.each([
    ['ok', {}, 'are enforced on node-1'],
    ['error', { into: 'connected' }, 'into a pod that a policy closes'],
    ['error', { into: 'connected', out: 'connected' }, 'into and out of a pod'],
    // A connection that got through is proof, whatever the control says.
    ['error', { control: 'failed', out: 'connected' }, 'out of a pod'],
    ['warning', { control: 'silent' }, 'nothing is proven'],
    ['warning', { into: 'refused' }, 'nothing is proven'],
    ['warning', { out: undefined }, 'nothing is proven'],
  ] as const)('%s for %j', (state, changes, words) => {
    expect(probeVerdict({ ...seen, ...changes })).toMatchObject({ state, text: expect.stringContaining(words) });
  });
});

describe('the findings as metrics', () => {
  const diagnoses: readonly Diagnosis[] = [
    { check: 'rights', ...failure('may not', 'Let it.') },
    { check: 'rights', ...failure('may not either', 'Let it.') },
    { check: 'disk', ...ok('free') },
  ];
  const numbers = (cluster: string) =>
    doctorMetrics({ found: diagnoses, roles: ['cell'], cluster, now: () => 1_800_000_000_000 });

  test('become a file for Prometheus, with a zero for what is in order, which replaces the previous one', async () => {
    const file = join(folder, 'firebreak.prom');
    for (const cluster of ['old', 'prod-eu']) await writeMetrics(file, numbers(cluster));
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('firebreak_doctor_findings{cluster="prod-eu",roles="cell",check="rights",state="error"} 2\n');
    expect(text).toContain('firebreak_doctor_findings{cluster="prod-eu",roles="cell",check="disk",state="error"} 0\n');
    expect(text).toContain('firebreak_doctor_last_run_timestamp_seconds{cluster="prod-eu",roles="cell"} 1800000000\n');
    expect(readdirSync(folder)).toEqual(['firebreak.prom']);
    await expect(writeMetrics(join(folder, 'nowhere', 'a.prom'), numbers('x'))).rejects.toThrow(
      /cannot be written: there is no such folder/,
    );
  });

  test('are sent once to the configured OpenTelemetry collector', async () => {
    const bodies: string[] = [];
    const collector = createHttpServer((request, response) => {
      void text(request).then((body) => {
        bodies.push(`${request.url} ${body}`);
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const address = collector.address();
    const endpoint = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    const config = configured(`telemetry: { otlp: { endpoint: '${endpoint}' } }\nlog: { level: fatal }`);
    const asked = { config, env: { OTEL_EXPORTER_OTLP_COMPRESSION: 'none' }, roles: ['cell'] as const };
    await pushOnce({ ...asked, numbers: numbers('prod-eu') });
    collector.close();
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).toMatch(/^\/v1\/metrics .*firebreak_doctor_findings/);
  });
});

describe('about the stores it says', () => {
  test('that they answer, and what the first start creates', async () => {
    mkdirSync(join(folder, 'firebreak-state'));
    const fresh = await found({ chosen: storeChecks, name: 'database' });
    expect(fresh).toMatchObject([{ state: 'not tried', text: expect.stringContaining('first start') }]);
    await (await openDatabase({ url: `sqlite:${join(folder, 'firebreak-state', 'audit.db')}` })).close();
    await ensureKeys({ config: configured(), roles: all });
    const diagnoses = await found({ chosen: storeChecks });
    expect(diagnoses.filter(({ check }) => check !== 'disk').map(({ check, state }) => [check, state])).toEqual([
      ['database', 'ok'],
      ['transparency log', 'not tried'],
      ['evidence store', 'ok'],
      ['evidence keys', 'ok'],
    ]);
  });

  test('how far the transparency log goes, and that a witness and a copy do not know it', async () => {
    mkdirSync(join(folder, 'firebreak-state'));
    const key: NoteKey = {
      name: 'witness.example.com',
      type: 'cosignature',
      publicKey: rawKeyOf(signerFrom({ pem: newPrivateKey(), name: 'w' }).publicKey) ?? new Uint8Array(),
    };
    const config = configured(
      `audit: { log: { witnesses: [{ url: 'http://127.0.0.1:9', key: '${verifierKey(key)}' }], copies: { rekor: { url: 'http://127.0.0.1:9' } } } }`,
    );
    await ensureKeys({ config, roles: all });
    const text = logHeadText({ origin: 'firebreak/lab', size: 7, root: '0'.repeat(64) });
    const note = noteText({
      text,
      signatures: [{ name: 'firebreak/lab', keyId: new Uint8Array(4), signature: new Uint8Array(64) }],
    });
    await createLogFolder({ folder: config.audit.log.folder }).write({
      path: 'checkpoint',
      bytes: new TextEncoder().encode(note),
    });
    expect(await found({ chosen: storeChecks, config, name: 'transparency log' })).toMatchObject([
      { state: 'ok', text: '7 checkpoints are in it' },
      { state: 'warning', text: expect.stringContaining('has signed nothing') },
      { state: 'warning', text: 'nothing is in rekor yet' },
    ]);
  });

  test('that the database is newer than the program', async () => {
    mkdirSync(join(folder, 'firebreak-state'));
    const database = await openDatabase({ url: `sqlite:${join(folder, 'firebreak-state', 'audit.db')}` });
    await database.all(
      `INSERT INTO schema_migrations (number, name, done_at, is_breaking) VALUES (999, 'tomorrow', '2999-01-01', 1)`,
    );
    await database.close();
    expect(await found({ chosen: storeChecks, name: 'database' })).toMatchObject([
      { state: 'error', text: expect.stringContaining('newer (999)') },
    ]);
  });

  test('that PostgreSQL is unavailable, without its password', async () => {
    const config = configured('audit: { url: { env: AUDIT_URL } }');
    const env = { AUDIT_URL: 'postgres://firebreak:hunter2@127.0.0.1:1/audit' };
    const diagnoses = await found({ chosen: storeChecks, config, env, name: 'database' });
    expect(diagnoses).toMatchObject([{ state: 'error' }]);
    expect(JSON.stringify(diagnoses)).not.toContain('hunter2');
  });

  test('that evidence cannot be written', async () => {
    writeFileSync(join(folder, 'file'), 'in its place');
    const config = configured('evidence: { folder: file }');
    expect(await found({ chosen: storeChecks, config, name: 'evidence store' })).toMatchObject([
      { state: 'error', remedy: expect.stringContaining('evidence.folder') },
    ]);
  });

  test('that the bucket does not answer, without details of the request', async () => {
    const config = configured(
      "evidence: { s3: { endpoint: 'http://127.0.0.1:1', bucket: evidence, accessKeyId: { env: ID }, secretAccessKey: { env: ID } } }",
    );
    await ensureKeys({ config, roles: all });
    expect(await found({ chosen: storeChecks, config, env: { ID: 'id' }, name: 'evidence store' })).toMatchObject([
      { state: 'error', text: 'the bucket evidence: S3 does not answer: ECONNREFUSED' },
    ]);
  });

  test('that an evidence key is damaged', async () => {
    await ensureKeys({ config: configured(), roles: all });
    const wrap = join(folder, 'firebreak-state', 'keys', 'evidence-wrap.key');
    chmodSync(wrap, 0o600);
    writeFileSync(wrap, 'short\n');
    expect(await found({ chosen: storeChecks, name: 'evidence keys' })).toMatchObject([
      { state: 'error', text: expect.stringContaining('32 bytes') },
    ]);
  });
});

describe('about Slack it says', () => {
  let slack: SlackEmulator;
  let narrow: SlackEmulator;
  let mentioning: SlackEmulator;
  beforeAll(async () => {
    const options = { signingSecret, botToken, appToken, appId, teamId, users, channels };
    slack = await startSlackEmulator(options);
    narrow = await startSlackEmulator({ ...options, scopes: ['chat:write', 'channels:history'] });
    mentioning = await startSlackEmulator({ ...options, scopes: ['chat:write', 'channels:history', 'users:read', 'commands'] });
  });
  afterAll(async () => {
    await slack.stop();
    await narrow.stop();
    await mentioning.stop();
  });

  const env = { BOT: botToken, APP: appToken };
  const withSlack = (changes: object = {}): Config => {
    const section = {
      mode: 'socket',
      appId,
      teamId,
      channel,
      botToken: { env: 'BOT' },
      appToken: { env: 'APP' },
      apiUrl: slack.apiUrl,
      ...changes,
    };
    return configured(`slack: ${JSON.stringify(section)}`);
  };
  const said = (config: Config, more: Readonly<Record<string, string>> = {}) =>
    found({ chosen: deskChecks, config, env: { ...env, ...more }, name: 'slack' });

  test('that all is in order', async () => {
    expect(await said(withSlack())).toMatchObject([{ state: 'ok', text: expect.stringContaining(channel) }]);
  });

  test('whether who is asked gets a direct message', async () => {
    expect(await said(withSlack())).toMatchObject([{ text: expect.stringContaining('also gets a direct message') }]);
    expect(await said(withSlack({ apiUrl: mentioning.apiUrl }))).toMatchObject([
      { state: 'ok', text: expect.stringContaining('no direct message: the app lacks the scope im:write') },
    ]);
  });

  test.each([
    ['the token', {}, { BOT: 'xoxb-wrong' }, /invalid_auth/],
    ['the app-level token', {}, { APP: 'xapp-wrong' }, /apps.connections.open/],
    ['the workspace', { teamId: 'T0OTHER' }, {}, /T0ACME, but slack.teamId is T0OTHER/],
    ['the channel', { channel: 'C0NOWHERE' }, {}, /channel_not_found/],
  ])('that %s is wrong', async (_, changes, more, text) => {
    const diagnoses = await said(withSlack(changes), more);
    expect(diagnoses).toMatchObject([
      { state: 'error', text: expect.stringMatching(text), remedy: expect.stringMatching(/^[A-Z].+\.$/) },
    ]);
  });

  test('who is notified of a question now, and that it is a problem if nobody of the first level is', async () => {
    const who = (config: Config) => found({ chosen: deskChecks, config, env, name: 'who is notified' });
    expect(await who(withSlack())).toMatchObject([
      { state: 'ok', text: 'oncall now: Ada, Grace by a mention in Slack' },
      { state: 'ok', text: 'leads now: Ada, Grace by a mention in Slack' },
    ]);
    expect(await who(configured())).toMatchObject([
      { state: 'error', text: 'nobody of oncall is notified of a question now: they have to look' },
      { state: 'ok', text: 'leads now: not Ada, Grace, who would be asked' },
    ]);
  });

  test('which scopes are missing', async () => {
    expect(await said(withSlack({ apiUrl: narrow.apiUrl }))).toMatchObject([
      { state: 'error', text: 'the app lacks the scopes users:read, commands' },
    ]);
  });
});

describe('about the other services it says', () => {
  test('whether the credentials of the ticket system are valid, and files nothing', async () => {
    const jira = await startJiraFake({ project: 'SEC', email: 'firebreak@acme.com', token: 'right' });
    try {
      const section = { url: jira.url, email: 'firebreak@acme.com', token: { env: 'JIRA' }, project: 'SEC' };
      const config = configured(`tickets: { jira: ${JSON.stringify(section)} }`);
      const ask = (JIRA: string) => found({ chosen: deskChecks, config, env: { JIRA }, name: 'tickets' });
      expect(await ask('right')).toMatchObject([{ state: 'ok' }]);
      expect(await ask('wrong')).toMatchObject([{ state: 'error', text: expect.stringContaining('401') }]);
      expect(jira.issues).toEqual([]);
    } finally {
      await jira.stop();
    }
  });

  test('that the identity provider does not answer', async () => {
    const section = { issuer: 'http://127.0.0.1:1', clientId: 'firebreak', publicUrl: 'https://firebreak.example' };
    const config = configured(`stepUp: ${JSON.stringify(section)}`, '', ', subject: s-ada');
    expect(await found({ chosen: deskChecks, config, name: 'identity provider' })).toMatchObject([
      { state: 'error', text: 'the identity provider does not answer' },
    ]);
  });
  test('whether `firebreak login` can start: the provider supports it, and knows its client', async () => {
    const redirectUri = () => 'https://firebreak.example/sign-in/callback';
    const [able, unable] = [
      await startIdentityProvider({ clientId: 'firebreak', redirectUri, device: { clientId: 'firebreak-cli' } }),
      await startIdentityProvider({ clientId: 'firebreak', redirectUri }),
    ];
    const look = (issuer: string, lines: string) => {
      const stepUp = { issuer, clientId: 'firebreak', publicUrl: 'https://firebreak.example' };
      const config = configured(`stepUp: ${JSON.stringify(stepUp)}\n${lines}`, '', ', subject: s-ada');
      return found({ chosen: deskChecks, config, name: 'firebreak login' });
    };
    const as = (clientId: string) => `console: { roles: { viewer: [all] }, commandLine: { clientId: ${clientId} } }`;
    try {
      expect(await look(able.issuer, as('firebreak-cli'))).toMatchObject([
        { state: 'ok', text: expect.stringContaining(`people enter the code at ${new URL(able.issuer).host}`) },
      ]);
      expect(await look(able.issuer, as('misspelt'))).toMatchObject([
        {
          state: 'error',
          text: expect.stringMatching(/did not start a sign-in for the client misspelt: the client is unknown there/),
          remedy: expect.stringContaining('register misspelt there as a public client with the device authorization grant'),
        },
      ]);
      expect(await look(unable.issuer, as('firebreak-cli'))).toMatchObject([
        {
          state: 'error',
          text: expect.stringContaining('does not support the device authorization grant'),
          remedy: expect.any(String),
        },
      ]);
      expect(await look(able.issuer, '')).toMatchObject([{ state: 'not tried' }]);
    } finally {
      await able.stop();
      await unable.stop();
    }
  });
});

describe('about sensors it says', () => {
  test('which ones are silent, drop events, or have never sent anything', async () => {
    const dir = join(folder, 'firebreak-state', 'spool');
    mkdirSync(dir, { recursive: true });
    let now = Date.now() - 2 * dayMs;
    const health = new SensorHealth(() => now);
    health.alert('tracee', 'node-1');
    now = Date.now();
    health.alert('tetragon', 'node-1');
    health.message({ sensor: 'kubearmor', text: 'dropped 3 events' });
    const control = await startControl({ directory: dir, health });
    try {
      expect((await found({ chosen: sensorChecks })).map(({ state, text }) => [state, text.split(':')[0]])).toEqual([
        ['warning', 'falco'],
        ['warning', 'kubearmor'],
        ['ok', 'tetragon'],
        ['error', 'tracee'],
      ]);
    } finally {
      await control.close();
    }
  });

  test('which rules cannot match because the sensor does not send what they look at', async () => {
    const dir = join(folder, 'firebreak-state', 'spool');
    mkdirSync(dir, { recursive: true });
    const health = new SensorHealth(Date.now);
    health.alert('kubernetes-audit', undefined);
    for (const what of ['services', 'configmaps', 'services'])
      health.lacks('kubernetes-audit', `the content of ${what}, at level Metadata`);
    const control = await startControl({ directory: dir, health });
    try {
      const config = { ...configured(), intake: { ...configured().intake, tokens: [] } };
      expect(await found({ chosen: sensorChecks, config })).toMatchObject([
        {
          state: 'warning',
          text: expect.stringMatching(/content of configmaps, at level Metadata; the content of services, at level Metadata$/),
          remedy: expect.stringContaining('firebreak docs sensors/kubernetes-audit'),
        },
      ]);
    } finally {
      await control.close();
    }
  });

  test('which rules arrived that no playbook is made for, the latest of them', async () => {
    const dir = join(folder, 'firebreak-state', 'spool');
    mkdirSync(dir, { recursive: true });
    const health = new SensorHealth(Date.now);
    health.alert('falco', undefined);
    for (let at = 0; at < 1_000; at += 1) health.unanswered('falco', `Rule ${at}`);
    const control = await startControl({ directory: dir, health });
    try {
      const config = { ...configured(), intake: { ...configured().intake, tokens: [] } };
      expect(health.report()[0]?.unanswered).toHaveLength(50);
      expect(await found({ chosen: sensorChecks, config })).toMatchObject([
        {
          state: 'warning',
          text: expect.stringMatching(/no enabled playbook .*Rule 999 and 40 more rules$/),
          remedy: expect.stringContaining('by act'),
        },
      ]);
    } finally {
      await control.close();
    }
  });

  test('how to send from any sensor if the name of a token is not that of a sensor', async () => {
    const dir = join(folder, 'firebreak-state', 'spool');
    mkdirSync(dir, { recursive: true });
    const control = await startControl({ directory: dir, health: new SensorHealth(Date.now) });
    try {
      const config = { ...configured(), intake: { ...configured().intake, tokens: [{ name: 'sensors', token: { env: 'T' } }] } };
      expect(await found({ chosen: sensorChecks, config })).toMatchObject([
        { state: 'warning', remedy: expect.stringMatching(/--sample falco .*; firebreak docs sensors /) },
      ]);
    } finally {
      await control.close();
    }
  });

  test('that it cannot tell if no intake is running', async () => {
    expect(await found({ chosen: sensorChecks })).toMatchObject([{ state: 'not tried' }]);
  });
});

describe('about senders that the intake does not know it says', () => {
  const saidOf = async (addresses: readonly string[]) => {
    const dir = join(folder, 'firebreak-state', 'spool');
    mkdirSync(dir, { recursive: true });
    const unauthorized = new UnauthorizedCounts();
    for (const address of addresses) unauthorized.count({ address, sensor: 'falco', reason: 'a token is needed' });
    const control = await startControl({ directory: dir, unauthorized });
    try {
      return await found({ chosen: senderChecks });
    } finally {
      await control.close();
    }
  };

  test('from where, since when and what to do, as a warning that strangers cannot turn into an error', async () => {
    expect(await saidOf([])).toMatchObject([{ state: 'ok' }]);
    expect(await saidOf(['10.0.0.7', '10.0.0.7'])).toMatchObject([
      {
        state: 'warning',
        text: expect.stringMatching(
          /^2 requests from 10\.0\.0\.7 to the address of falco were refused since .*Z: a token is needed$/,
        ),
        remedy: expect.stringMatching(/intake\.tokens.*firebreak docs sensors\/falco/),
      },
    ]);
  });

  test('the last few, and how many more', async () => {
    const said = await saidOf(Array.from({ length: 300 }, (_, n) => `10.0.${n}.1`));
    expect(said).toHaveLength(6);
    expect(said.at(-1)).toMatchObject({ state: 'warning', text: expect.stringMatching(/^\d+ more such requests/) });
    expect(said.every(({ state }) => state === 'warning')).toBe(true);
  });

  test('that it cannot tell if no intake is running', async () => {
    expect(await found({ chosen: senderChecks })).toMatchObject([{ state: 'not tried' }]);
  });
});

describe('about releases it says', () => {
  const refused = (n: number) => ({
    incident: `incident/lab/shop/Deployment/cart-${n}`,
    lease: `${n}`,
    text: `Still contained: cart-${n} quarantined. Its release is refused: ValidatingAdmissionPolicy 'no-labels' denied request: no.`,
    since: new Date(Date.UTC(2026, 10, 30, 0, 60 - n)).toISOString(),
  });
  const saidOf = async (count: number) => {
    const dir = join(folder, 'firebreak-state', 'spool');
    mkdirSync(dir, { recursive: true });
    const control = await startControl({
      directory: dir,
      releasesRefused: () => Array.from({ length: count }, (_, n) => refused(n)),
    });
    try {
      return await found({ chosen: releaseChecks });
    } finally {
      await control.close();
    }
  };

  test('which are refused, since when and with what reason, the oldest first', async () => {
    expect(await saidOf(2)).toMatchObject([
      {
        check: 'releases',
        state: 'error',
        text: expect.stringMatching(
          /^incident\/lab\/shop\/Deployment\/cart-1: since 2026-11-30T00:59:00\.000Z: Still contained: .* denied/,
        ),
        remedy: expect.stringContaining('firebreak docs runbooks/FirebreakReleasesRefused'),
      },
      { state: 'error', text: expect.stringContaining('cart-0') },
    ]);
  });

  test('how many more there are if there are very many', async () => {
    const said = await saidOf(25);
    expect(said).toHaveLength(21);
    expect(said.at(-1)).toMatchObject({ state: 'error', text: '5 more releases are refused' });
  });

  test('that none is refused, and that it cannot tell if no cell is running', async () => {
    expect(await saidOf(0)).toMatchObject([{ state: 'ok' }]);
    expect(await found({ chosen: releaseChecks })).toMatchObject([{ state: 'not tried' }]);
  });
});

describe('about the mode it says', () => {
  const about = (written = '') => found({ chosen: responseChecks, config: configured(written), name: 'response' });

  test('that nobody has chosen one, and what to write', async () => {
    const [said] = await about();
    expect(said).toMatchObject({ state: 'warning', text: expect.stringContaining('nobody has chosen a mode') });
    expect(said?.remedy).toContain('response: { mode: contain }');
  });

  test('which one holds, and how many scopes differ', async () => {
    const scopes = 'response: { mode: observe, scopes: [{ namespaces: [shop-*], mode: contain }] }';
    expect(await about(scopes)).toMatchObject([
      { state: 'ok', text: 'mode observe, profile balanced, and 1 scope with a response of its own' },
    ]);
  });
});

describe('about keys and certificates it says', () => {
  test.each([
    ['ok', 0],
    ['warning', 355],
    ['error', 400],
  ])('%s for a one-year certificate that was created %i days ago', async (state, ago) => {
    const { certificate, key } = makeOwnCertificate({ now: new Date(Date.now() - ago * dayMs) });
    writeFileSync(join(folder, 'cert.pem'), certificate);
    writeFileSync(join(folder, 'key.pem'), key);
    const config = configured('', '  tls: { certFile: cert.pem, keyFile: key.pem }');
    expect(await found({ chosen: certificateChecks, config, name: 'certificates' })).toMatchObject([{ state }]);
  });

  test('whether a bundle still has a valid authority, and which certificate of a chain expires first', async () => {
    const ended = makeOwnCertificate({ now: new Date(Date.now() - 500 * dayMs) });
    const fresh = makeOwnCertificate();
    const both = `${ended.certificate}${fresh.certificate}`;
    for (const [name, text] of Object.entries({ 'bundle.pem': both, 'chain.pem': both, 'key.pem': fresh.key }))
      writeFileSync(join(folder, name), text);
    const clients = '[{ name: node, subject: node }]';
    const config = configured(
      '',
      `  tls: { certFile: chain.pem, keyFile: key.pem, clientCaFile: bundle.pem, clients: ${clients} }`,
    );
    expect(await found({ chosen: certificateChecks, config, name: 'certificates' })).toEqual([
      expect.objectContaining({ state: 'error', text: 'intake.tls.certFile expired 135 days ago' }),
      expect.objectContaining({ state: 'ok', text: expect.stringMatching(/^intake\.tls\.clientCaFile expires in 36[45] days$/) }),
    ]);
  });

  test('that our own certificate in the kubeconfig has expired', async () => {
    const { certificate, key } = makeOwnCertificate({ now: new Date(Date.now() - 400 * dayMs) });
    const data = (pem: string): string => Buffer.from(pem).toString('base64');
    const kubeconfig = {
      'current-context': 'lab',
      clusters: [{ name: 'lab', cluster: { server: 'https://127.0.0.1:1' } }],
      users: [{ name: 'lab', user: { 'client-certificate-data': data(certificate), 'client-key-data': data(key) } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    };
    writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
    const config = configured('kubernetes: { kubeconfig: kubeconfig }');
    const asked = { chosen: certificateChecks, config };
    expect(await found({ ...asked, name: 'certificates' })).toMatchObject([
      { state: 'error', text: 'our certificate in kubernetes.kubeconfig expired 35 days ago' },
    ]);
    // A desk has no account in a cluster.
    expect(await found({ ...asked, name: 'certificates', roles: ['desk'] })).toMatchObject([{ state: 'ok' }]);
  });

  const s3 = { bucket: 'events', accessKeyId: { env: 'FALCO_TOKEN' }, secretAccessKey: { env: 'FALCO_TOKEN' } };
  const token = { env: 'FALCO_TOKEN' };
  const streamTo = (to: object) => ({ streams: [{ name: 'siem', to }] });
  test.each<readonly [string, Role, (port: number) => object]>([
    ['evidence.s3.endpoint', 'forensics', (port) => ({ evidence: { s3: { ...s3, endpoint: `https://127.0.0.1:${port}` } } })],
    ['evidence.vault.address', 'cell', (port) => ({ evidence: { vault: { address: `https://127.0.0.1:${port}`, token } } })],
    ['rotation.vault.address', 'secrets', (port) => ({ rotation: { vault: { address: `https://127.0.0.1:${port}`, token } } })],
    ['backup.s3.endpoint', 'desk', (port) => ({ backup: { s3: { ...s3, endpoint: `https://127.0.0.1:${port}` } } })],
    [
      'stepUp.issuer',
      'desk',
      (port) => ({
        stepUp: { issuer: `https://127.0.0.1:${port}`, clientId: 'firebreak', publicUrl: 'http://127.0.0.1:1' },
      }),
    ],
    ['streams.siem', 'desk', (port) => streamTo({ http: { url: `https://127.0.0.1:${port}/events` } })],
    ['streams.siem', 'desk', (port) => streamTo({ syslog: { host: '127.0.0.1', port } })],
    ['streams.siem', 'desk', (port) => streamTo({ s3: { ...s3, endpoint: `https://127.0.0.1:${port}` } })],
    ['streams.siem', 'desk', (port) => streamTo({ kafka: { brokers: [`127.0.0.1:${port}`], topic: 'events' } })],
    [
      'telemetry.otlp of traces',
      'cell',
      (port) => ({ telemetry: { otlp: { endpoint: `https://127.0.0.1:${port}`, metrics: false } } }),
    ],
  ])('that the certificate %s presents to the role %s is about to expire, or has expired (%#)', async (path, role, section) => {
    let shown = makeOwnCertificate({ now: new Date(Date.now() - 360 * dayMs) });
    const server = createTlsServer({ cert: shown.certificate, key: shown.key }, (socket) => socket.on('error', () => {})).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    try {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const lines = Object.entries(section(port)).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
      const config = configured(lines.join('\n'), '', ', subject: s-ada');
      const asked = { chosen: certificateChecks, config, roles: [role], name: 'served certificates' };
      expect(await found(asked)).toContainEqual(
        expect.objectContaining({
          state: 'warning',
          text: expect.stringMatching(`^${path}: the certificate that 127\\.0\\.0\\.1:${port} presents expires in [45] days$`),
        }),
      );
      shown = makeOwnCertificate({ now: new Date(Date.now() - 400 * dayMs) });
      server.setSecureContext({ cert: shown.certificate, key: shown.key });
      expect(await found(asked)).toContainEqual(
        expect.objectContaining({
          state: 'error',
          text: `${path}: the certificate that 127.0.0.1:${port} presents expired 35 days ago`,
        }),
      );
    } finally {
      server.close();
    }
  });

  test('which certificates the running intake, Temporal and others present, whatever their files say, and who presents none', async () => {
    const daysAgo = (days: number) => makeOwnCertificate({ now: new Date(Date.now() - days * dayMs) });
    const serving = async ({ certificate, key }: ReturnType<typeof makeOwnCertificate>) => {
      const server = createTlsServer({ cert: certificate, key, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) =>
        socket.on('error', () => {}),
      ).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      return { server, port: typeof address === 'object' && address ? address.port : 0 };
    };
    // It was renewed on disk, but the process still shows the previous one.
    const intake = await serving(daysAgo(360));
    const temporal = await serving(daysAgo(400));
    const page = await serving(daysAgo(100));
    const renewed = daysAgo(0);
    writeFileSync(join(folder, 'cert.pem'), renewed.certificate);
    writeFileSync(join(folder, 'key.pem'), renewed.key);
    const stepUp = { issuer: 'https://127.0.0.1:1', clientId: 'firebreak', publicUrl: `https://127.0.0.1:${page.port}` };
    const config = configured(
      `temporal: { address: '127.0.0.1:${temporal.port}', tls: true }\nstepUp: ${JSON.stringify(stepUp)}`,
      `  listen: { port: ${intake.port} }\n  tls: { certFile: cert.pem, keyFile: key.pem }`,
      ', subject: s-ada',
    );
    const asked = { chosen: certificateChecks, config, name: 'served certificates' };
    const told = await found(asked);
    for (const { server } of [intake, temporal, page]) server.close();
    expect(told).toEqual([
      expect.objectContaining({
        state: 'error',
        text: `temporal.address: the certificate that 127.0.0.1:${temporal.port} presents expired 35 days ago`,
        remedy: expect.stringContaining('renew'),
      }),
      expect.objectContaining({
        state: 'warning',
        text: expect.stringMatching(/^intake\.listen: the certificate that 127\.0\.0\.1:\d+ presents expires in [45] days$/),
      }),
      expect.objectContaining({ state: 'ok', text: expect.stringMatching(/^in order: stepUp\.publicUrl \(26[45] days\)$/) }),
      expect.objectContaining({ state: 'not tried', text: 'no certificate was presented by stepUp.issuer' }),
    ]);
    expect(await found({ ...asked, roles: ['secrets'] })).toMatchObject([{ state: 'not tried' }]);
  });

  test('which keys are older than a year', async () => {
    const config = configured();
    await ensureKeys({ config, roles: all });
    expect(await found({ chosen: keyChecks, config, name: 'keys' })).toMatchObject([{ state: 'ok' }]);
    const past = new Date(Date.now() - 500 * dayMs);
    utimesSync(config.keys.signing.cell, past, past);
    expect(await found({ chosen: keyChecks, config, name: 'keys' })).toMatchObject([
      { state: 'warning', text: expect.stringMatching(/keys\.signing\.cell is (499|500) days old/) },
    ]);
  });

  test('that Slack’s signing secret is older than a year, if it is in a file', async () => {
    const secret = join(folder, 'signing-secret');
    const past = new Date(Date.now() - 400 * dayMs);
    writeFileSync(secret, 'a-secret');
    utimesSync(secret, past, past);
    const slack = {
      mode: 'http',
      appId,
      teamId,
      channel,
      botToken: { env: 'BOT' },
      signingSecrets: [{ file: 'signing-secret' }],
    };
    const asked = { chosen: keyChecks, config: configured(`slack: ${JSON.stringify(slack)}`), name: 'keys' };
    expect(await found(asked)).toMatchObject([
      {
        state: 'warning',
        text: expect.stringMatching(/^slack\.signingSecrets\[0\] is (399|400) days old$/),
        remedy: expect.stringContaining('where it comes from'),
      },
    ]);
    expect(await found({ ...asked, roles: ['cell'] })).toMatchObject([{ state: 'ok' }]);
  });
});
