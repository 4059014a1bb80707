import { createHash } from 'node:crypto';
import type { Alert } from '../../../core/alert/alert.ts';
import { mostOf, type WatchedSensor } from '../../../core/alert/intake-report.ts';
import { ownRules, ownSensor } from '../../../core/alert/own-alerts.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { incidentIdOf } from '../../../core/incident/incident.ts';
import type { NodeRecord } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { IntakeLog } from '../log.ts';

/** A sensor that must be on every node. */
export interface ExpectedSensor {
  /** As its alerts name it. */
  readonly sensor: string;
  readonly daemonSet: { readonly namespace: string; readonly name: string };
  /** Only nodes with these labels; empty for all. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly silentAfterMs: number;
  /** Whether it regularly reports on itself; if so, a ready pod is not enough. */
  readonly speaks: boolean;
}

/** The part of the cell's watch cache that is used here. */
interface SilenceView {
  ready(): boolean;
  nodes(): readonly NodeRecord[];
  pods(): Iterable<PodRecord>;
}

export interface SilenceOptions {
  readonly cluster: string;
  readonly expected: readonly ExpectedSensor[];
  readonly view: SilenceView;
  /** When a sensor was last heard under one of these names, in milliseconds since 1970. */
  readonly heard: (sensor: string, hosts: readonly string[]) => number | undefined;
  /** When any sensor last had an alert of this node. */
  readonly lastAlertOf: (node: string) => number | undefined;
  /** Sends an alert along the usual path; false if it has to be raised again. */
  readonly raise: (alert: Alert) => Promise<boolean>;
  /** Notes in the incident that the sensor of a node is back. */
  readonly back: (
    incident: string,
    line: { readonly id: string; readonly text: string; readonly about: string },
  ) => Promise<void>;
  readonly log: IntakeLog;
  readonly now?: () => number;
  readonly lookEveryMs?: number;
}

const lookEveryMs = 10_000;
const hourMs = 3_600_000;

interface Watched {
  /** Time of the last sign of life; before the first one, when it was first expected. */
  lastSign: number;
  /** Since when an alert reports it as silent. */
  silentSince?: number;
}

/**
 * Killing the sensor is an attacker's first move: every node must have each expected sensor, and one that gives no sign of life for some minutes raises an
 * alert of its own. A sign of life is an alert or a message from that node or, for a sensor that does not report on itself, its ready pod.
 */
export class SilenceWatch {
  readonly #options: SilenceOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.lookEveryMs ?? lookEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const { expected, view, log } = this.#options;
    if (this.#looking || !view.ready()) return;
    this.#looking = true;
    try {
      const seen = new Set<string>();
      for (const sensor of expected) {
        const pods = podsByNode(sensor, view.pods());
        for (const { name, labels } of view.nodes()) {
          if (!Object.entries(sensor.nodes).every(([key, value]) => labels[key] === value)) continue;
          const key = `${sensor.sensor}\n${name}`;
          seen.add(key);
          await this.#lookAt(key, { sensor, node: name, pods: pods.get(name) ?? [] });
        }
      }
      // Forgets nodes that no longer exist.
      for (const key of this.#watched.keys()) if (!seen.has(key)) this.#watched.delete(key);
    } catch {
      log.error({}, 'cannot check whether a sensor is silent');
    } finally {
      this.#looking = false;
    }
  }

  /** State of the expected sensors as of the last look. */
  view(): readonly WatchedSensor[] {
    return this.#options.expected.map(({ sensor }) => {
      const ofIt = [...this.#watched].filter(([key]) => key.startsWith(`${sensor}\n`));
      const silent = ofIt
        .flatMap(([key, { silentSince }]) =>
          silentSince === undefined ? [] : [{ node: key.slice(sensor.length + 1), since: silentSince }],
        )
        .sort((a, b) => a.since - b.since);
      return {
        sensor,
        nodes: ofIt.length,
        silent: silent.length,
        longest: silent.slice(0, mostOf.silentNodes).map(({ node, since }) => ({ node, since: new Date(since).toISOString() })),
      };
    });
  }

  async #lookAt(key: string, at: { sensor: ExpectedSensor; node: string; pods: readonly PodRecord[] }): Promise<void> {
    const { sensor, node, pods } = at;
    const now = this.#now();
    const watched = this.#watched.get(key) ?? { lastSign: now };
    this.#watched.set(key, watched);
    const heard = this.#options.heard(sensor.sensor, [node, ...pods.map(({ name }) => name)]);
    const isReady = pods.some((pod) => pod.ready && !pod.deleting);
    const sign = Math.max(heard ?? 0, isReady && !sensor.speaks ? now : 0);
    if (sign > watched.lastSign) watched.lastSign = sign;
    if (now - watched.lastSign < sensor.silentAfterMs) {
      if (watched.silentSince !== undefined) await this.#back(at, watched);
      return;
    }
    if (watched.silentSince !== undefined) return;
    const raised = await this.#options.raise(this.#alert(at, watched.lastSign));
    if (raised) watched.silentSince = watched.lastSign;
  }

  async #back({ sensor, node }: { readonly sensor: ExpectedSensor; readonly node: string }, watched: Watched): Promise<void> {
    const { cluster, back } = this.#options;
    const silent = Math.round((watched.lastSign - (watched.silentSince ?? watched.lastSign)) / 1_000);
    const id = idOf([sensor.sensor, node, String(watched.silentSince), 'back']);
    delete watched.silentSince;
    await back(incidentIdOf({ kind: 'node', cluster, node }), {
      id,
      text: `${sensor.sensor} on node ${node} reports again after ${silent} s of silence`,
      about: sensor.sensor,
    });
  }

  #alert(at: { sensor: ExpectedSensor; node: string; pods: readonly PodRecord[] }, since: number): Alert {
    const { sensor, node, pods } = at;
    const { cluster, lastAlertOf } = this.#options;
    const { namespace, name } = sensor.daemonSet;
    const lastAlert = lastAlertOf(node);
    const recent = lastAlert !== undefined && this.#now() - lastAlert < hourMs;
    const states = pods.map(
      (pod) => `${pod.name} is ${pod.deleting ? 'being deleted' : pod.ready ? 'ready' : `${pod.phase}, not ready`}`,
    );
    const why = pods.length === 0 ? `no pod of ${namespace}/${name} was found` : states.join(', ');
    const time = new Date(since).toISOString();
    return {
      id: idOf([sensor.sensor, node, time]),
      sensor: ownSensor,
      rule: ownRules.silentSensor,
      severity: recent ? 'critical' : 'high',
      time,
      title: `${sensor.sensor} on node ${node} has sent no heartbeat since ${time}: ${why}${recent ? '; the node had alerts in the hour before' : ''}`,
      cluster,
      node,
      observables: [],
      tags: ['defense_impairment'],
      mitre: ['T1685', 'TA0112'],
    };
  }
}

function podsByNode({ daemonSet }: ExpectedSensor, pods: Iterable<PodRecord>): ReadonlyMap<string, readonly PodRecord[]> {
  const found = new Map<string, readonly PodRecord[]>();
  for (const pod of pods) {
    const isOfIt = pod.owners.some(({ kind, name, controller }) => controller && kind === 'DaemonSet' && name === daemonSet.name);
    if (!isOfIt || pod.namespace !== daemonSet.namespace || pod.node === undefined) continue;
    found.set(pod.node, [...(found.get(pod.node) ?? []), pod]);
  }
  return found;
}

function idOf(parts: readonly string[]): string {
  return createHash('sha256')
    .update([ownSensor, ownRules.silentSensor, ...parts].join('\n'))
    .digest('hex')
    .slice(0, 32);
}
