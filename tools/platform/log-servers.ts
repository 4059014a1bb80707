import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { FirebreakError } from '../../core/errors.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import { listens, wholeLines } from './collector-server.ts';
import { goProgram } from './go-program.ts';
import { makeCertificate } from './kafka-broker.ts';
import { freePorts } from './ports.ts';
import { ServerGroup, waitUntilReady } from './server-group.ts';

const host = '127.0.0.1';

/** PEM: the CA that clients trust, and their certificate and key; also the files of the server. */
interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly files: { readonly cert: string; readonly key: string; readonly clientCa: string };
}

/** Makes the certificates with openssl, in this folder. @throws FB_ERR_PLATFORM_PART_MISSING */
export async function logServerCertificates(folder: string): Promise<Certificates> {
  mkdirSync(folder, { recursive: true });
  for (const name of ['server', 'client']) await makeCertificate(folder, name);
  const file = (name: string): string => join(folder, name);
  const pem = (name: string): string => readFileSync(file(name), 'utf8');
  return {
    ...{ ca: pem('server.crt'), cert: pem('client.crt'), key: pem('client.key') },
    files: { cert: file('server.crt'), key: file('server.key'), clientCa: file('client.crt') },
  };
}

export interface LogServer {
  readonly port: number;
  /** Returns what it has received so far. */
  received(): Promise<readonly ReceivedLog[]>;
  stop(): Promise<void>;
}

export interface ReceivedLog {
  /** From the header: the sender and the kind. */
  readonly app: string;
  readonly host: string;
  readonly kind: string;
  readonly message: string;
}

interface LogServerOptions {
  readonly stateDir: string;
  readonly tls: Certificates;
}

/**
 * This machine's rsyslog, which accepts syslog over TLS from holders of the client's certificate. @throws FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START
 */
export async function startRsyslog({ stateDir, tls: { files } }: LogServerOptions): Promise<LogServer> {
  const rsyslog = findOnPath('rsyslogd') ?? (existsSync('/usr/sbin/rsyslogd') ? '/usr/sbin/rsyslogd' : undefined);
  if (!rsyslog)
    throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'rsyslogd is missing (apt-get install rsyslog rsyslog-openssl)');
  const { syslog: port } = await freePorts({ names: ['syslog'] });
  const folder = join(stateDir, 'rsyslog');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'received.jsonl');
  const configFile = join(folder, 'rsyslog.conf');
  const tlsFiles = `defaultNetstreamDriverCAFile="${files.clientCa}" defaultNetstreamDriverCertFile="${files.cert}" defaultNetstreamDriverKeyFile="${files.key}"`;
  const fields = { app: 'app-name', host: 'hostname', kind: 'msgid', message: 'msg' };
  const properties = Object.entries(fields).map(([name, of]) => `property(name="${of}" outname="${name}" format="jsonf")`);
  const config = [
    `global(workDirectory="${folder}" maxMessageSize="1m" parser.escapeControlCharactersOnReceive="off" defaultNetstreamDriver="ossl" ${tlsFiles})`,
    // With more, which is its default, two of them can write what they took out of order.
    'main_queue(queue.workerThreads="1")',
    'module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid" maxFrameSize="1000000")',
    `template(name="line" type="list") { constant(value="{") ${properties.join(' constant(value=",") ')} constant(value="}\\n") }`,
    `ruleset(name="all") { action(type="omfile" file="${file}" template="line" fileCreateMode="0600") }`,
    `input(type="imtcp" address="${host}" port="${port}" ruleset="all")`,
  ];
  writeFileSync(configFile, `${config.join('\n')}\n`);
  const group = new ServerGroup();
  const args = ['-n', '-f', configFile, '-i', join(folder, 'rsyslog.pid')];
  const server = group.start({ name: 'rsyslog', command: rsyslog, args, logFile: join(folder, 'rsyslog.log') });
  await waitUntilReady({ server, timeoutMs: 60_000, ready: () => listens(port) });
  return {
    port,
    received: async () => (existsSync(file) ? wholeLines(readFileSync(file, 'utf8')).flatMap(logIn) : []),
    stop: () => group.stop(),
  };
}

/** Empty if an overloaded rsyslog gave up on the TLS handshake and took the bytes received for a message. */
function logIn(line: string): readonly ReceivedLog[] {
  try {
    const log: ReceivedLog = JSON.parse(line);
    return [log];
  } catch {
    return [];
  }
}

export interface VictoriaLogs {
  /** Accepts events, one per line; names their fields for time and text. */
  readonly url: string;
  readonly syslogPort: number;
  /** Returns everything that matches this query. https://docs.victoriametrics.com/victorialogs/logsql/ */
  find(query: string): Promise<readonly Readonly<Record<string, string>>[]>;
  stop(): Promise<void>;
}

/** The program of VictoriaLogs, built once with Go. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function victoriaLogsBinary(onProgress: OnProgress): Promise<string> {
  const program = {
    name: 'victoria-logs',
    module: join('tools', 'platform', 'victoria-logs'),
    target: 'tool',
    linked: {},
    pinned: 1,
  };
  const built = await goProgram({ ...program, title: 'VictoriaLogs' }, onProgress);
  if (!built) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'building VictoriaLogs needs go on PATH');
  return join(built, 'victoria-logs');
}

/**
 * VictoriaLogs, a database for logs, with an HTTP endpoint (TLS) and a syslog endpoint (TLS). Built with Go from `tools/platform/victoria-logs` on first use.
 * Throws FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START.
 */
export async function startVictoriaLogs(options: LogServerOptions & { readonly onProgress?: OnProgress }): Promise<VictoriaLogs> {
  const { stateDir, tls, onProgress = () => {} } = options;
  const command = await victoriaLogsBinary(onProgress);
  const { http, syslog } = await freePorts({ names: ['http', 'syslog'] });
  const folder = join(stateDir, 'victoria-logs');
  mkdirSync(folder, { recursive: true });
  const group = new ServerGroup();
  const flags = {
    storageDataPath: join(folder, 'data'),
    httpListenAddr: `${host}:${http}`,
    tls: true,
    tlsCertFile: tls.files.cert,
    tlsKeyFile: tls.files.key,
    'syslog.listenAddr.tcp': `${host}:${syslog}`,
    'syslog.tls': true,
    'syslog.tlsCertFile': tls.files.cert,
    'syslog.tlsKeyFile': tls.files.key,
    // The events of a test may have any date.
    retentionPeriod: '100y',
    futureRetention: '100y',
  };
  const args = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
  const server = group.start({
    name: 'victoria-logs',
    command,
    args,
    logFile: join(folder, 'victoria-logs.log'),
  });
  await waitUntilReady({ server, timeoutMs: 60_000, ready: async () => (await listens(http)) && (await listens(syslog)) });
  const agent = new Agent({ ca: tls.ca });
  return {
    url: `https://${host}:${http}/insert/jsonline`,
    syslogPort: syslog,
    find: async (query) => {
      const url = `https://${host}:${http}/select/logsql/query?${new URLSearchParams({ query, limit: '10000' })}`;
      return wholeLines(await textOf(url, agent)).map((line) => JSON.parse(line));
    },
    stop: () => group.stop(),
  };
}

function textOf(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      text(response).then(resolve, reject);
    }).on('error', reject);
  });
}
