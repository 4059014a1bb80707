import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Counter, Gauge, Registry } from 'prom-client';
import { genesisHash } from '../../core/audit/audit.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { cloudEventOf } from '../../core/streams/cloud-event.ts';
import { ocsfEventsOf } from '../../core/streams/ocsf.ts';
import type { EventMaker, StreamEvent, StreamFormat } from '../../core/streams/stream.ts';
import type { StreamFeed, StreamLag } from '../../core/streams/stream-feed.ts';
import { createStreamFeed } from '../../integrations/database/outbound/stream-feed.ts';
import type { Database } from '../../integrations/database/queries.ts';
import type { Metrics } from '../../integrations/http-door.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { firebreakVersion } from '../process/project-root.ts';
import { untraced } from '../process/telemetry/tracing.ts';
import { openReceiver } from './receivers.ts';
import { type StreamObserver, StreamRunner } from './stream-runner.ts';

interface RunningStreams {
  readonly metrics: Metrics;
  stop(): Promise<void>;
}

/** Scraping more often returns the same numbers. */
const freshMs = 15_000;

/** Starts the configured streams. Nothing waits for them, whatever their receivers do. */
export async function startStreams(options: {
  readonly config: Pick<Config, 'streams' | 'cluster'>;
  readonly secrets: Pick<Secrets, 'streams'>;
  readonly database: Database;
  readonly trust: Trust;
  readonly log: Logger;
}): Promise<RunningStreams> {
  const { config, secrets, database, trust, log } = options;
  const feed = createStreamFeed(database);
  const metrics = createStreamMetrics(
    feed,
    config.streams.map(({ name }) => name),
  );
  const holder = `${hostname()}/${randomUUID()}`;
  const runners = await Promise.all(
    config.streams.map(async (stream) => {
      const receiver = await openReceiver(stream, secrets.streams?.get(stream.name) ?? (() => ({})));
      return new StreamRunner({
        ...stream,
        feed,
        trust,
        holder,
        maker: makerOf(config),
        receiver: { ...receiver, deliver: (...given) => untraced(() => receiver.deliver(...given)) },
        observer: observerOf(stream.name, metrics, log),
      });
    }),
  );
  for (const runner of runners) runner.start();
  return {
    metrics,
    stop: async () => {
      await Promise.all(runners.map((runner) => runner.stop()));
    },
  };
}

export function makerOf({ cluster }: Pick<Config, 'cluster'>): EventMaker {
  return { cluster, version: firebreakVersion() };
}

/** An event that states that nothing has happened. */
export function testEvent(format: StreamFormat, maker: EventMaker, name: string): StreamEvent {
  const at = new Date().toISOString();
  const body = { text: `A test of the stream ${name}: nothing has happened.` };
  const record = { chain: `test/${maker.cluster}`, number: 1, at, kind: 'stream.test', actor: 'cli', body };
  const signed = { record, keyId: '', follows: genesisHash, salt: '', signature: '' };
  const item = { record: { place: 1, previous: genesisHash, hash: `test-${randomUUID()}`, signed } };
  const [event] = format === 'ocsf' ? ocsfEventsOf(item, maker) : [];
  return event ?? cloudEventOf(item, maker);
}

/** Maximum number of chains logged for having an unproven record; the metric counts all of them. */
const mostUnproven = 100;

/** Logs one warning per reason until something is delivered again. */
function observerOf(name: string, metrics: StreamMetrics, log: Logger): StreamObserver {
  const said = new Set<string>();
  const unproven = new Set<string>();
  const once = (reason: string, say: () => void): void => {
    if (said.has(reason)) return;
    said.add(reason);
    say();
  };
  return {
    delivered: (events) => {
      metrics.events.inc({ stream: name }, events);
      if (said.size > 0) log.info({ stream: name }, 'the stream is delivered again');
      said.clear();
    },
    failed: (kind, reason) => {
      metrics.failures.inc({ stream: name, kind });
      once(reason, () =>
        log.warn({ stream: name, kind, reason }, 'cannot deliver a stream; its records are kept until it works'),
      );
    },
    unproven: ({ chain, place, problem }) => {
      metrics.unproven.inc({ stream: name });
      if (unproven.has(chain) || unproven.size === mostUnproven) return;
      unproven.add(chain);
      log.error({ stream: name, chain, place, problem }, 'a record in the stream does not verify: run `firebreak audit verify`');
    },
    broken: (error) => {
      metrics.failures.inc({ stream: name, kind: 'broken' });
      const reason = reasonOf(error);
      once(`broken ${reason}`, () => log.error({ stream: name, reason }, 'cannot read the records of a stream; trying again'));
    },
  };
}

interface StreamMetrics extends Metrics {
  readonly events: Counter<'stream'>;
  readonly failures: Counter<'stream' | 'kind'>;
  readonly unproven: Counter<'stream'>;
}

export function createStreamMetrics(feed: Pick<StreamFeed, 'lag'>, names: readonly string[]): StreamMetrics {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['stream'] as const;
  const seconds = new Gauge({
    name: 'firebreak_stream_lag_seconds',
    help: 'Age of the oldest record that a stream has not delivered; 0 where there is none',
    labelNames,
    registers,
  });
  let read: { readonly at: number; readonly done: Promise<void> } | undefined;
  const records = new Gauge({
    name: 'firebreak_stream_lag_records',
    help: 'Records that a stream has not delivered',
    labelNames,
    registers,
  });
  const refresh = async (): Promise<void> => {
    for (const stream of names) {
      const lag = await feed.lag(stream);
      records.set({ stream }, lag.records);
      seconds.set({ stream }, lagSeconds(lag));
    }
  };
  const refreshed = (): Promise<void> => {
    const at = performance.now();
    if (!read || at - read.at >= freshMs) {
      // If the database is unavailable, the numbers stay as they were; the next scrape asks again.
      const done = refresh().catch(() => {
        read = undefined;
      });
      read = { at, done };
    }
    return read.done;
  };
  const events = new Counter({
    name: 'firebreak_stream_events_total',
    help: 'Events that were delivered, some of them more than once; since the start of this desk',
    labelNames,
    registers,
  });
  const failures = new Counter({
    name: 'firebreak_stream_failures_total',
    help: 'Deliveries that failed: temporarily (later), because of their content (refused), or on this side (broken)',
    labelNames: ['stream', 'kind'] as const,
    registers,
  });
  const unproven = new Counter({
    name: 'firebreak_stream_unproven_total',
    help: 'Records whose text was left out because no known key has signed them',
    labelNames,
    registers,
  });
  for (const stream of names) {
    events.inc({ stream }, 0);
    unproven.inc({ stream }, 0);
  }
  return {
    contentType: registry.contentType,
    text: async () => {
      await refreshed();
      return registry.metrics();
    },
    read: async () => {
      await refreshed();
      return registry.getMetricsAsJSON();
    },
    events,
    failures,
    unproven,
  };
}

/** From here on people are alerted, as in the alert rule FirebreakStreamLags. */
export const lateSeconds = 600;

/** How many seconds the stream is behind. */
export function lagSeconds({ oldestAt }: StreamLag, now = Date.now()): number {
  return oldestAt === undefined ? 0 : Math.max(0, (now - Date.parse(oldestAt)) / 1_000);
}
