import type { Alert } from '../../../core/alert/alert.ts';
import { mostTalkers, type StormReport } from '../../../core/alert/storm.ts';
import type { IntakeLog } from '../log.ts';
import { TopTalkers } from './top-talkers.ts';

/** When alerts on many workloads are a storm, and when it is over. */
interface StormThreshold {
  readonly alertsPerSecond: number;
  readonly workloads: number;
  /** The storm is over after this many seconds at less than half the rate. */
  readonly calmAfterSeconds: number;
}

export interface StormOptions extends StormThreshold {
  /** Identifies this intake. */
  readonly source: string;
  /** Notifies people; false if it has to be repeated. Never rejects. */
  readonly tell: (report: StormReport) => Promise<boolean>;
  readonly log: IntakeLog;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface StormView {
  readonly on: boolean;
  /** Alerts per second, over the last ten seconds. */
  readonly perSecond: number;
  /** Start of the counted period: the start of the storm, or some seconds ago. */
  readonly since: string;
  readonly alerts: number;
  readonly critical: number;
  readonly workloads: number;
  readonly top: StormReport['top'];
}

const windowSeconds = 10;
const talkers = 200;
const tellEveryMs = 60_000;
const tellAgainMs = 5_000;
/** A storm that ended this long ago need not be reported for the first time. */
const tellOverForMs = 10 * 60_000;
const longestText = 200;

/** Detects whether the alerts of many workloads are a storm. Its memory does not grow with the storm; no timer runs while no alerts arrive. */
export class StormWatch {
  readonly #options: StormOptions;
  readonly #now: () => number;
  readonly #seconds = new Array<number>(windowSeconds).fill(0);
  readonly #top = new TopTalkers(talkers);
  readonly #workloads = new DistinctCount();
  readonly #before = new DistinctCount();
  #second = 0;
  #windowFrom = 0;
  #since = 0;
  #alerts = 0;
  #critical = 0;
  #on = false;
  /** When the rate was last at least half the threshold. */
  #busyAt = 0;
  /** What has not been reported yet: the current state, or the end of a storm. */
  #owed: 'news' | StormReport | undefined;
  #triedAt = 0;
  #telling = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StormOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** An alert was accepted. */
  saw(incident: string, { rule, sensor, severity }: Pick<Alert, 'rule' | 'sensor' | 'severity'>): void {
    this.#turn();
    const place = this.#second % windowSeconds;
    this.#seconds[place] = (this.#seconds[place] ?? 0) + 1;
    this.#alerts += 1;
    if (severity === 'critical') this.#critical += 1;
    this.#workloads.add(incident);
    this.#top.add(`${incident}\n${sensor}\n${rule}`);
    this.#timer ??= setInterval(() => this.look(), 1_000).unref();
  }

  view(): StormView {
    this.#turn();
    return {
      on: this.#on,
      perSecond: this.#perSecond,
      since: new Date(this.#since).toISOString(),
      alerts: this.#alerts,
      critical: this.#critical,
      workloads: this.#workloads.count,
      top: this.#top.top(mostTalkers).map(({ key, count }) => ({ ...talkerOf(key), count })),
    };
  }

  get isOn(): boolean {
    return this.#on;
  }

  get perSecond(): number {
    this.#turn();
    return this.#perSecond;
  }

  /** Called once per second while alerts arrive. */
  look(): void {
    this.#turn();
    const { alertsPerSecond, workloads, calmAfterSeconds, log } = this.#options;
    const now = this.#now();
    const rate = this.#perSecond;
    if (rate >= alertsPerSecond / 2) this.#busyAt = now;
    if (!this.#on && rate >= alertsPerSecond && this.#recentWorkloads() >= workloads) {
      this.#on = true;
      log.warn(this.#facts(), 'an alert storm has started');
      this.#owe('news');
    } else if (this.#on && now - this.#busyAt >= calmAfterSeconds * 1_000) {
      log.warn(this.#facts(), 'the alert storm has ended');
      this.#owe(this.#report('over'));
      this.#on = false;
      this.#begin(now);
    } else if (this.#on && this.#owed === undefined && now - this.#triedAt >= tellEveryMs) {
      this.#owed = 'news';
    }
    void this.#tell(now);
    if (!this.#on && rate === 0 && this.#owed === undefined) this.stop();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get #perSecond(): number {
    return Math.round(this.#seconds.reduce((sum, count) => sum + count, 0) / windowSeconds);
  }

  #facts(): Readonly<Record<string, unknown>> {
    const { alerts, critical, perSecond, workloads, top } = this.view();
    return { alerts, critical, perSecond, workloads, top: top.slice(0, 3) };
  }

  /** Advances to the current second; forgets what is older than the window. */
  #turn(): void {
    const now = this.#now();
    const second = Math.floor(now / 1_000);
    const passed = second - this.#second;
    if (passed > 0) {
      for (let step = 1; step <= Math.min(passed, windowSeconds); step += 1)
        this.#seconds[(this.#second + step) % windowSeconds] = 0;
      this.#second = second;
    }
    if (!this.#on && now - this.#windowFrom >= windowSeconds * 1_000) this.#begin(now);
  }

  /** Starts counting from here; during a storm, it counts from the storm's start. */
  #begin(now: number): void {
    this.#before.clear();
    if (now - this.#windowFrom < 2 * windowSeconds * 1_000) this.#before.include(this.#workloads);
    this.#workloads.clear();
    this.#top.clear();
    this.#alerts = 0;
    this.#critical = 0;
    this.#windowFrom = now;
    this.#since = now;
  }

  #recentWorkloads(): number {
    this.#before.include(this.#workloads);
    return this.#before.count;
  }

  /** Reports immediately, even if something was reported recently. */
  #owe(what: 'news' | StormReport): void {
    this.#owed = what;
    this.#triedAt = Number.NEGATIVE_INFINITY;
  }

  #report(state: StormReport['state']): StormReport {
    const { source } = this.#options;
    const { since: began, on: _, ...seen } = this.view();
    return { source, state, began, at: new Date(this.#now()).toISOString(), ...seen };
  }

  async #tell(now: number): Promise<void> {
    const owed = this.#owed;
    if (owed === undefined || this.#telling || now - this.#triedAt < tellAgainMs) return;
    this.#telling = true;
    this.#triedAt = now;
    // A delayed report must be current when it is sent.
    const report = owed === 'news' ? this.#report('on') : owed;
    const told = await this.#options.tell(report).catch(() => false);
    this.#telling = false;
    const isTooLate = report.state === 'over' && now - Date.parse(report.at) > tellOverForMs;
    if ((told || isTooLate) && this.#owed === owed) this.#owed = undefined;
  }
}

/** Shows `incident/lab/shop/Deployment/cart` as `shop/Deployment/cart`, because the cluster is named once elsewhere. */
function talkerOf(key: string): { readonly workload: string; readonly rule: string; readonly sensor: string } {
  const [incident = '', sensor = '', ...rule] = key.split('\n');
  const short = (text: string): string => text.slice(0, longestText);
  return {
    workload: short(incident.split('/').slice(2).join('/') || incident),
    rule: short(rule.join(' ')),
    sensor: short(sensor),
  };
}

const bits = 65_536;
const words = bits / 32;

/** Estimates the number of distinct texts in 8 KiB, by linear counting: accurate within some percent up to half a million. */
export class DistinctCount {
  readonly #words = new Uint32Array(words);

  add(text: string): void {
    const bit = hashOf(text) % bits;
    const place = bit >>> 5;
    this.#words[place] = (this.#words[place] ?? 0) | (1 << (bit & 31));
  }

  clear(): void {
    this.#words.fill(0);
  }

  /** Merges the other count into this one. */
  include(other: DistinctCount): void {
    for (let place = 0; place < words; place += 1) this.#words[place] = (this.#words[place] ?? 0) | (other.#words[place] ?? 0);
  }

  get count(): number {
    let set = 0;
    for (const word of this.#words) for (let rest = word; rest !== 0; rest &= rest - 1) set += 1;
    return Math.round(-bits * Math.log(Math.max(1, bits - set) / bits));
  }
}

/** FNV-1a, with its bits mixed at the end, so that similar texts are not placed side by side. http://www.isthe.com/chongo/tech/comp/fnv */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place += 1) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
