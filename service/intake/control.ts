import { createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { UnauthorizedRequests } from '../../core/alert/intake-report.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { RefusedContainment } from '../../core/incident/lease.ts';
import type { Dropped, RejectedAlert, RejectedAlerts, Replayed, ShownAlert } from './spool/rejected-alerts.ts';
import type { SensorHealth, SensorReport } from './watch/sensor-health.ts';
import type { StormView, StormWatch } from './watch/storm.ts';
import type { UnauthorizedCounts } from './watch/unauthorized-requests.ts';

/** Access to the alerts that were set aside, through the running service or directly in its spool. */
export interface RejectedAlertsAccess {
  list(): Promise<readonly RejectedAlert[]>;
  show(id: string): Promise<ShownAlert | undefined>;
  replay(id: string, raw: Uint8Array): Promise<Replayed>;
  drop(id: string, reason: string): Promise<Dropped>;
}

const largestAsked = 2 * 1024 * 1024;
/** Maximum length of a socket's path: the system allows 107 bytes (unix(7)). */
const longestSocketPath = 100;

/**
 * Local access for the operator: a socket in the spool's directory that only the service's own user can open. Only one process may use the directory, so the
 * command line asks the service while it runs.
 */
export async function startControl(options: {
  readonly directory: string;
  readonly rejected?: RejectedAlerts | undefined;
  readonly storm?: StormWatch | undefined;
  readonly health?: SensorHealth | undefined;
  readonly unauthorized?: Pick<UnauthorizedCounts, 'report'> | undefined;
  readonly releasesRefused?: (() => readonly RefusedContainment[]) | undefined;
}): Promise<{ close(): Promise<void> }> {
  const path = socketOf(options.directory);
  // The lock of the directory is held, so the process that left this socket is gone.
  rmSync(path, { force: true });
  const since = new Date().toISOString();
  const server = createServer((asked, answer) => {
    void respond({ ...options, since }, asked, answer).catch(() => answer.writeHead(500).end());
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(path, done);
  });
  chmodSync(path, 0o600);
  server.unref();
  return { close: () => new Promise((done) => server.close(() => done())) };
}

/** In the directory, or in the system's temporary folder if that path would be too long. */
function socketOf(directory: string): string {
  const inside = join(resolve(directory), 'control.sock');
  if (Buffer.byteLength(inside) <= longestSocketPath) return inside;
  const hash = createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 24);
  return join(tmpdir(), `firebreak-control-${hash}.sock`);
}

async function respond(
  {
    rejected,
    storm,
    health,
    unauthorized,
    releasesRefused,
    since,
  }: {
    readonly rejected?: RejectedAlerts | undefined;
    readonly storm?: StormWatch | undefined;
    readonly health?: SensorHealth | undefined;
    readonly unauthorized?: Pick<UnauthorizedCounts, 'report'> | undefined;
    readonly releasesRefused?: (() => readonly RefusedContainment[]) | undefined;
    readonly since: string;
  },
  asked: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const [, what, id = '', verb] = (asked.url ?? '').split('/');
  const length = Number(asked.headers['content-length'] ?? 0);
  if (length > largestAsked) return void answer.writeHead(413).end();
  if (what === 'sensors') return reply(answer, health && ({ since, sensors: health.report() } satisfies HeardSensors));
  if (what === 'unauthorized') return reply(answer, unauthorized?.report());
  if (what === 'refused-releases') return reply(answer, releasesRefused?.());
  if (what === 'storm') return reply(answer, storm?.view());
  if (!rejected) return void answer.writeHead(404).end();
  if (id === '') return reply(answer, rejected.list());
  if (verb === 'replay') return reply(answer, await rejected.replay(id, await buffer(asked)));
  if (verb === 'drop') return reply(answer, await rejected.drop(id, (await buffer(asked)).toString('utf8')));
  reply(answer, rejected.show(id));
}

function reply(answer: ServerResponse, value: unknown): void {
  answer.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(value ?? null));
}

/** Connects to the service that runs on this directory. Undefined if none does. */
export async function askRunningService(directory: string): Promise<RejectedAlertsAccess | undefined> {
  const socket = socketOf(directory);
  const ask = async <T>(path: string, body?: Uint8Array): Promise<T> => JSON.parse(await call(socket, path, body));
  try {
    await ask('/kept/r0');
  } catch {
    return undefined;
  }
  return {
    list: () => ask('/kept/'),
    show: async (id) => (await ask<ShownAlert | null>(`/kept/${encodeURIComponent(id)}`)) ?? undefined,
    replay: (id, raw) => ask(`/kept/${encodeURIComponent(id)}/replay`, raw),
    drop: (id, reason) => ask(`/kept/${encodeURIComponent(id)}/drop`, Buffer.from(reason)),
  };
}

/** Returns how many alerts the running service receives, and whether that is a storm. Undefined if none runs on this directory. */
export function askRunningStorm(directory: string): Promise<StormView | undefined> {
  return askRunning(directory, '/storm');
}

/** What was received from each sensor. */
interface HeardSensors {
  /** ISO 8601, UTC: when the service started to listen. */
  readonly since: string;
  readonly sensors: readonly SensorReport[];
}

/** Returns what the running service has received from its sensors. Undefined if none runs on this directory. */
export function askRunningSensors(directory: string): Promise<HeardSensors | undefined> {
  return askRunning(directory, '/sensors');
}

/** Returns the requests without a valid token that the running service has refused in the last day. Undefined if none runs on this directory. */
export function askRunningUnauthorized(directory: string): Promise<readonly UnauthorizedRequests[] | undefined> {
  return askRunning(directory, '/unauthorized');
}

/** Returns the releases that the running service knows to be refused. Undefined if none runs on this directory. */
export function askRunningRefusals(directory: string): Promise<readonly RefusedContainment[] | undefined> {
  return askRunning(directory, '/refused-releases');
}

async function askRunning<View>(directory: string, path: string): Promise<View | undefined> {
  try {
    const view: View | null = JSON.parse(await call(socketOf(directory), path));
    return view ?? undefined;
  } catch {
    return undefined;
  }
}

function call(socketPath: string, path: string, body?: Uint8Array): Promise<string> {
  return new Promise((done, fail) => {
    const asked = request({ socketPath, path, method: body === undefined ? 'GET' : 'POST', timeout: 10_000 }, (answer) => {
      buffer(answer).then((bytes) => {
        if (answer.statusCode === 200) done(bytes.toString('utf8'));
        else fail(new FirebreakError('FB_ERR_UNAVAILABLE', 'the running service did not answer on its control socket'));
      }, fail);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', fail);
    asked.end(body);
  });
}
