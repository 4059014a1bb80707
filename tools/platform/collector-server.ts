import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { goProgram } from './go-program.ts';
import { freePorts } from './ports.ts';
import { ServerGroup, waitUntilReady } from './server-group.ts';

export interface CollectorServer {
  /** `http://127.0.0.1:23456`: accepts OTLP over HTTP. */
  readonly url: string;
  /** Port for syslog over TLS, from clients whose certificate it knows. */
  readonly syslogPort?: number;
  /** What it has received so far, as OTLP in JSON: one object per batch. */
  received(): readonly unknown[];
  /** Ends it; what it has received stays. */
  stop(): Promise<void>;
}

/** Its program, built once with Go. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function collectorBinary(onProgress: OnProgress): Promise<string> {
  const program = { name: 'otel-collector', module: join('tools', 'platform', 'collector'), target: '.', linked: {}, pinned: 1 };
  const folder = await goProgram({ ...program, title: 'the OpenTelemetry collector' }, onProgress);
  if (!folder) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'building the OpenTelemetry collector needs go on PATH');
  return join(folder, 'collector');
}

/**
 * A real OpenTelemetry collector on this machine: receives OTLP and syslog, and writes them to a file. Built with Go from `tools/platform/collector` on first
 * use. Throws FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START.
 */
export async function startCollector(options: {
  readonly stateDir: string;
  /** Names of PEM files. Absent: it does not accept syslog. */
  readonly syslog?: { readonly cert: string; readonly key: string; readonly clientCa: string };
  readonly onProgress?: OnProgress;
}): Promise<CollectorServer> {
  const { stateDir, syslog, onProgress = () => {} } = options;
  const command = await collectorBinary(onProgress);
  mkdirSync(stateDir, { recursive: true });
  const { otlp: port, syslog: syslogPort } = await freePorts({ names: ['otlp', 'syslog'] });
  const file = join(stateDir, 'received.jsonl');
  const configFile = join(stateDir, 'collector.json');
  const pipeline = { receivers: ['otlp'], exporters: ['file'] };
  const config = {
    receivers: {
      otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } },
      ...(syslog && {
        syslog: {
          protocol: 'rfc5424',
          enable_octet_counting: true,
          max_octets: 1_048_576,
          tcp: {
            listen_address: `127.0.0.1:${syslogPort}`,
            tls: { cert_file: syslog.cert, key_file: syslog.key, client_ca_file: syslog.clientCa },
          },
        },
      }),
    },
    exporters: { file: { path: file } },
    service: {
      pipelines: { traces: pipeline, metrics: pipeline, ...(syslog && { logs: { ...pipeline, receivers: ['syslog'] } }) },
    },
  };
  writeFileSync(configFile, JSON.stringify(config));
  const group = new ServerGroup();
  const args = ['--config', `file:${configFile}`];
  const server = group.start({ name: 'collector', command, args, logFile: join(stateDir, 'collector.log') });
  await waitUntilReady({
    server,
    timeoutMs: 60_000,
    ready: async () => (await listens(port)) && (!syslog || (await listens(syslogPort))),
  });
  return {
    url: `http://127.0.0.1:${port}`,
    ...(syslog && { syslogPort }),
    received: () => (existsSync(file) ? wholeLines(readFileSync(file, 'utf8')).map((line): unknown => JSON.parse(line)) : []),
    stop: () => group.stop(),
  };
}

/** Omits the last line, which may still be being written. */
export function wholeLines(text: string): readonly string[] {
  return text.split('\n').slice(0, -1);
}

/** Whether a process listens on this port here. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
  });
}
