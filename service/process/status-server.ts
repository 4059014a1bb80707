import type { Server } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import { answerByPath, listenAt, type Metrics, statusRoutes } from '../../integrations/http-door.ts';
import { gaugeMissingRights, lacking } from '../rbac/missing-report.ts';
import type { RightsWatch } from './rights-watch.ts';
import type { RefusedCalls } from './speakers.ts';
import { countUnhandled } from './unhandled-rejections.ts';

/** Why the pools of this process cannot do all that they are there for; undefined when they can. */
function whyNotReady(rights: RightsWatch | undefined, isAtWork: boolean): string | undefined {
  if (!isAtWork) return 'not at work: waiting for Temporal';
  if (rights === undefined) return undefined;
  const missing = rights.missing();
  const unknown = rights.pools.filter((pool) => !missing.has(pool));
  if (unknown.length > 0) return `the API server has not said yet which rights there are: ${unknown.join(', ')}`;
  const pools = Object.keys(lacking(missing).missingRights ?? {});
  return pools.length > 0 ? `rights are missing: ${pools.join(', ')}` : undefined;
}

/** What every process says of itself in numbers, whatever its role. */
export function createProcessMetrics(options: {
  /** Of a process that reaches the cluster. */
  readonly rights?: RightsWatch | undefined;
  readonly refused: RefusedCalls;
  readonly isAtWork: () => boolean;
  /** Files of public keys that cannot be read now. */
  readonly unreadableKeys?: () => readonly string[];
  /** What else this process has to say in numbers: more may come. */
  readonly others?: readonly Metrics[];
}): Metrics {
  const { rights, refused, isAtWork, unreadableKeys = () => [], others = [] } = options;
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
    help: 'Calls over Temporal that were refused: nobody who is trusted has signed them, or for something else',
    labelNames: ['activity', 'why'],
    registers,
    collect() {
      this.reset();
      for (const { activity, why, times } of refused.all()) this.inc({ activity, why }, times);
    },
  });
  new Gauge({
    name: 'firebreak_unreadable_keys',
    help: 'Public keys that the configuration names and that cannot be read now: what was read before counts on',
    registers,
    collect() {
      this.set(unreadableKeys().length);
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
 * Says of a process whether it can do its work, for probes and for Prometheus: pools have no other door, and the desk's other one is for whoever
 * comes from outside. Whether alerts are taken is the intake's to say, which takes them without rights, too.
 */
export function listenForStatus(options: {
  readonly host: string;
  readonly port: number;
  /** Of a process that reaches the cluster. */
  readonly rights: RightsWatch | undefined;
  readonly isAtWork: () => boolean;
  readonly metrics: Metrics;
}): Promise<Server> {
  const { host, port, rights, isAtWork, metrics } = options;
  const routes = statusRoutes({
    notReady: () => whyNotReady(rights, isAtWork()),
    facts: () => rights && lacking(rights.missing()),
    metrics,
  });
  return listenAt({ host, port }, answerByPath(routes));
}
