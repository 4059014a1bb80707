import type { Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import { answerByPath, listenAt, type Metrics, statusRoutes } from '../../integrations/http-door.ts';
import type { LeftOut } from '../config/problems.ts';
import { gaugeMissingRights, lacking } from '../rbac/missing-report.ts';
import type { RightsWatch } from './rights-watch.ts';
import type { RefusedCalls } from './speakers.ts';
import { countUnhandled } from './unhandled-rejections.ts';

/** Returns why the pools of this process cannot do all of their work; undefined if they can. */
function whyNotReady(rights: RightsWatch | undefined, isAtWork: boolean): string | undefined {
  if (!isAtWork) return 'not at work: waiting for Temporal';
  if (rights === undefined) return undefined;
  const missing = rights.missing();
  const unknown = rights.pools.filter((pool) => !missing.has(pool));
  if (unknown.length > 0) return `the API server has not yet reported which rights are granted: ${unknown.join(', ')}`;
  const pools = Object.keys(lacking(missing).missingRights ?? {});
  return pools.length > 0 ? `rights are missing: ${pools.join(', ')}` : undefined;
}

/** Metrics that every process exports, whatever its role. */
export function createProcessMetrics(options: {
  /** Set for a process that accesses the cluster. */
  readonly rights?: RightsWatch | undefined;
  readonly refused: RefusedCalls;
  readonly isAtWork: () => boolean;
  /** Files of public keys that cannot currently be read. */
  readonly unreadableKeys?: () => readonly string[];
  /** Further metrics of this process; more may be added later. */
  readonly others?: readonly Metrics[];
  /** What this process runs without, as its configuration of it cannot work. */
  readonly leftOut?: readonly LeftOut[] | undefined;
}): Metrics {
  const { rights, refused, isAtWork, unreadableKeys = () => [], others = [], leftOut = [] } = options;
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: 'firebreak_at_work',
    help: '1 while this process takes work from Temporal',
    registers,
    collect() {
      this.set(isAtWork() ? 1 : 0);
    },
  });
  new Counter({
    name: 'firebreak_refused_calls_total',
    help: 'Calls over Temporal that were refused because no trusted key has signed them, or only for something else',
    labelNames: ['activity', 'why'],
    registers,
    collect() {
      this.reset();
      for (const { activity, why, times } of refused.all()) this.inc({ activity, why }, times);
    },
  });
  new Gauge({
    name: 'firebreak_unreadable_keys',
    help: 'Public keys that the configuration names but that cannot be read now: their previous values stay valid',
    registers,
    collect() {
      this.set(unreadableKeys().length);
    },
  });
  new Gauge({
    name: 'firebreak_configuration_left_out',
    help: 'Parts of the configuration that cannot work and that this process runs without',
    registers,
    collect() {
      this.set(new Set(leftOut.map(({ part }) => part)).size);
    },
  });
  if (rights) gaugeMissingRights(() => rights.missing(), registers);
  countUnhandled(registers);
  return {
    contentType: registry.contentType,
    text: async () => (await Promise.all([registry.metrics(), ...others.map((one) => one.text())])).join('\n'),
    read: async () => (await Promise.all([registry.getMetricsAsJSON(), ...others.map((one) => one.read())])).flat(),
  };
}

/**
 * Reports whether a process can do its work, for probes and for Prometheus: pools have no other door, and the desk's other one is for outside callers. Whether
 * alerts are accepted is reported by the intake, which accepts them even without rights.
 */
export function listenForStatus(options: {
  readonly host: string;
  readonly port: number;
  /** Set for a process that accesses the cluster. */
  readonly rights: RightsWatch | undefined;
  readonly isAtWork: () => boolean;
  readonly leftOut?: readonly LeftOut[] | undefined;
  readonly metrics: Metrics;
}): Promise<Server> {
  const { host, port, rights, isAtWork, leftOut = [], metrics } = options;
  const without = leftOut.map(({ part, problem }) => ({ part, problem }));
  const routes = statusRoutes({
    notReady: () => whyNotReady(rights, isAtWork()),
    facts: () => ({ ...(without.length > 0 && { leftOut: without }), ...(rights && lacking(rights.missing())) }),
    metrics,
  });
  return listenAt({ host, port }, answerByPath(routes));
}
