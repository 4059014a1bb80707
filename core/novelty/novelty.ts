import type { Alert, AlertNovelty } from '../alert/alert.ts';
import { ownSensor } from '../alert/own-alerts.ts';
import { subjectOf } from '../alert/subject.ts';
import { type Subject, subjectTitle } from '../incident/incident.ts';
import { type BehaviourFeature, featuresOf, shown } from './behaviour.ts';
import { BehaviourTable, type RememberedFeature, type ShortHash, shortHash } from './behaviour-table.ts';

/** What the cluster reports about the image that runs where an alert comes from. Never a sensor's claim. */
export interface RunningImage {
  /** `sha256:…` */
  readonly digest: string;
  /** When it was rolled out: milliseconds since 1970. Absent: not known. */
  readonly since?: number;
}

/** Storage that outlives the process. Writes start in order and are not awaited. */
export interface NoveltyStore {
  load(): readonly (readonly [key: string, { readonly value: Uint8Array }])[];
  put(key: string, entry: { readonly value: Uint8Array; readonly at: number }): void;
  remove(key: string): void;
}

export interface NoveltyOptions {
  readonly kept?: NoveltyStore | undefined;
  /** How long something must be seen until it counts as known, and how long a sender is observed before anything counts as novel. */
  readonly learningMs: number;
  /** How long new behaviour of a new image is learned, from its rollout on. */
  readonly rolloutMs: number;
  readonly imageOf?: (alert: Alert) => RunningImage | undefined;
  /** Number of pods of the alert's workload, if known. Called only for what is new. */
  readonly podsOf?: (alert: Alert) => number | undefined;
}

/** Defaults if the configuration sets none. */
export const noveltyHours = { learning: 48, rollout: 4 } as const;

const day = 86_400;
/** Anything not seen for this long is new again. */
const rememberedDays = 30;
const rememberedFor = rememberedDays * day;
/** Per sender; the most recently heard of are kept. A sender of many alerts fills its own share, and no other's. */
export const mostSubjects = 2_000;
/** Sender names come from the configuration: senders beyond this number share one share. */
const mostSenders = 64;
/** Maximum number of peers that are asked about one feature. */
const mostPeers = 50;
/** For a workload known to connect to this many networks, no further network is reported as new. */
const manyDestinations = 16;
/** Minimum interval between writes that only record that something was seen again. */
const writtenEvery = 6 * 3_600;

const layout = 1;

interface NewFeature {
  readonly feature: BehaviourFeature;
  readonly hash: ShortHash;
  /** When it was first seen, in seconds since 1970; absent: just now. */
  readonly first?: number;
}

/** Everything from one sender, so that a sender of arbitrary alerts fills its own share only, and teaches nothing about what others send. */
class Share {
  /** When the sender was first heard: seconds since 1970. */
  readonly began: number;
  /** Subjects last heard of before this time may have been forgotten. */
  #forgotten: number;
  /** In order of last alert, the oldest first. */
  readonly #tables = new Map<string, BehaviourTable>();
  /** Subjects by namespace and by image: subjects in one group are peers. */
  readonly #groups = new Map<string, Set<string>>();

  constructor(began: number, forgotten = began) {
    this.began = began;
    this.#forgotten = forgotten;
  }

  static read(bytes: Uint8Array): Share | undefined {
    const [version, began, forgotten] = bytes.length === 12 ? new Uint32Array(bytes.slice().buffer) : [];
    return version === layout && began !== undefined ? new Share(began, forgotten) : undefined;
  }

  write(): Uint8Array {
    return new Uint8Array(new Uint32Array([layout, this.began, this.#forgotten]).buffer);
  }

  get size(): number {
    return this.#tables.size;
  }

  get bytes(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.write().length, 0);
  }

  /** Creates a new table if the subject is unknown; it does not rely on anything that was forgotten. */
  tableOf(subject: string, namespace: ShortHash): BehaviourTable {
    const table = this.#tables.get(subject) ?? BehaviourTable.begin(namespace, this.#forgotten);
    this.add(subject, table);
    return table;
  }

  add(subject: string, table: BehaviourTable): void {
    const isKnown = this.#tables.delete(subject);
    this.#tables.set(subject, table);
    if (!isKnown) for (const group of groupsOf(table)) this.#join(group, subject);
  }

  addImage(subject: string, table: BehaviourTable, image: ShortHash, learnsUntil: number): void {
    const before = groupsOf(table);
    table.addImage(image, learnsUntil);
    const groups = groupsOf(table);
    for (const group of before) if (!groups.includes(group)) this.#leave(group, subject);
    for (const group of groups) this.#join(group, subject);
  }

  /** Forgets and returns the least recently heard subject, if there are too many. */
  evict(): string | undefined {
    if (this.#tables.size <= mostSubjects) return undefined;
    for (const [subject, table] of this.#tables) {
      this.#tables.delete(subject);
      this.#forgotten = Math.max(this.#forgotten, table.last);
      for (const group of groupsOf(table)) this.#leave(group, subject);
      return subject;
    }
    return undefined;
  }

  /** Known subjects of the same namespace, or with one of the same images. */
  peersOf(subject: string, table: BehaviourTable): readonly BehaviourTable[] {
    const peers = new Set<string>();
    for (const group of groupsOf(table))
      for (const peer of this.#groups.get(group) ?? []) {
        if (peers.size >= mostPeers) break;
        if (peer !== subject) peers.add(peer);
      }
    return [...peers].flatMap((peer) => this.#tables.get(peer) ?? []);
  }

  #join(group: string, subject: string): void {
    const members = this.#groups.get(group);
    if (members) members.add(subject);
    else this.#groups.set(group, new Set([subject]));
  }

  #leave(group: string, subject: string): void {
    const members = this.#groups.get(group);
    members?.delete(subject);
    if (members?.size === 0) this.#groups.delete(group);
  }
}

const nowhere: ShortHash = { high: 0, low: 0 };

function groupsOf({ namespace, images }: BehaviourTable): readonly string[] {
  const of = namespace.high === 0 && namespace.low === 0 ? [] : [namespace];
  return [...of, ...images].map(({ high, low }) => `${high} ${low}`);
}

/**
 * Remembers what alerts say about each workload, and reports what is new about an alert. Bounded for any input: a table of at most 5 KB per subject, two
 * thousand subjects per sender. It can only find something new: what it forgets is new again, and what is known passes unchanged.
 */
export class NoveltyMemory {
  readonly #options: NoveltyOptions;
  readonly #learning: number;
  readonly #rollout: number;
  readonly #shares = new Map<string, Share>();
  /** By their keys: written with the next `flush`. */
  readonly #changed = new Map<string, BehaviourTable | Share>();

  constructor(options: NoveltyOptions) {
    this.#options = options;
    this.#learning = Math.round(options.learningMs / 1_000);
    this.#rollout = Math.round(options.rolloutMs / 1_000);
    const { kept } = options;
    const stored = kept?.load() ?? [];
    for (const [key, { value }] of stored) {
      const share = key.includes('\n') ? undefined : Share.read(value);
      if (share) this.#shares.set(key, share);
    }
    for (const [key, { value }] of stored) {
      const [sender = '', subject] = key.split('\n');
      const share = this.#shares.get(sender);
      const table = subject === undefined ? undefined : BehaviourTable.read(value);
      if (share && subject !== undefined && table) share.add(subject, table);
      else if (!share || subject !== undefined) kept?.remove(key);
    }
  }

  /**
   * What is new about an alert for its subject; undefined if all is known, or if it cannot be determined: for an alert in doubt, or of a pod that the cluster
   * does not know. The alert is remembered by this call.
   *
   * @param sender the name by which the configuration knows it
   * @param nowMs milliseconds since 1970
   */
  take(alert: Alert, { sender, nowMs }: { readonly sender: string; readonly nowMs: number }): AlertNovelty | undefined {
    if (!isSure(alert)) return undefined;
    const now = Math.floor(nowMs / 1_000);
    const subject = subjectOf(alert);
    // The title can be as long as the name that somebody gives a node; its digest cannot.
    const { high, low } = shortHash(subjectTitle(subject));
    const name = `${high.toString(36)}.${low.toString(36)}`;
    const [shareName, share] = this.#shareOf(sender, now);
    const table = share.tableOf(name, subject.kind === 'workload' ? shortHash(subject.namespace) : nowhere);
    const change = (): void => void this.#changed.set(`${shareName}\n${name}`, table);
    const evicted = share.evict();
    if (evicted !== undefined) this.#forget(shareName, share, evicted);
    const image = this.#options.imageOf?.(alert);
    const rolledOut = image && this.#rolloutEnd({ share, name, table, image, now, change });
    const learnsUntil = Math.max(share.began + this.#learning, rolledOut ?? 0);
    const isLearning = now < learnsUntil;
    const novel: NewFeature[] = [];
    const learned: NewFeature[] = [];
    const reach = Math.max(table.reach, now - rememberedFor);
    for (const feature of featuresOf(alert)) {
      const hash = hashOf(feature);
      const found = table.get(hash);
      const known = found && now - found.last <= rememberedFor ? found : undefined;
      const isOfMany = feature.kind === 'destination' && (!known || now < known.knownFrom) && speaksToMany(table, now);
      if (!known) {
        if (!isOfMany) (isLearning ? learned : novel).push({ feature, hash });
        table.set(hash, { first: now, knownFrom: isLearning ? learnsUntil : now + this.#learning, last: now });
        change();
        continue;
      }
      if (now < known.knownFrom && !isOfMany) {
        const wasLearned = known.knownFrom - known.first < this.#learning || (isLearning && known.knownFrom === learnsUntil);
        (wasLearned ? learned : novel).push({ feature, hash, first: known.first });
      }
      if (now - known.last >= writtenEvery) change();
      table.set(hash, { ...known, last: now });
    }
    const told = { subject, table, reach, now };
    const [first] = novel;
    if (first) return this.#novel(alert, [first, ...novel.slice(1)], { ...told, peers: share.peersOf(name, table) });
    // For a new sender everything is new, which is not worth a sentence in each alert.
    if (learned.length === 0 || now < share.began + this.#learning) return undefined;
    return learning(learned, { ...told, until: Math.max(...learned.map(({ hash }) => table.get(hash)?.knownFrom ?? 0)) });
  }

  /** Writes what has changed: once per subject, however many alerts there were about it. */
  flush(nowMs: number): void {
    for (const [key, changed] of this.#changed) this.#options.kept?.put(key, { value: changed.write(), at: nowMs });
    this.#changed.clear();
  }

  /** For metrics: how much is remembered. */
  get size(): { readonly subjects: number; readonly bytes: number } {
    const shares = [...this.#shares.values()];
    return {
      subjects: shares.reduce((sum, { size }) => sum + size, 0),
      bytes: shares.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  #shareOf(sender: string, now: number): readonly [string, Share] {
    const name = this.#shares.has(sender) || this.#shares.size < mostSenders ? sender : 'others';
    const known = this.#shares.get(name);
    if (known) return [name, known];
    const share = new Share(now);
    this.#shares.set(name, share);
    this.#changed.set(name, share);
    return [name, share];
  }

  #forget(shareName: string, share: Share, subject: string): void {
    const key = `${shareName}\n${subject}`;
    this.#changed.delete(key);
    this.#options.kept?.remove(key);
    this.#changed.set(shareName, share);
  }

  /** Until when new behaviour is attributed to a new image. An image first seen long after its rollout does not count as a rollout. */
  #rolloutEnd(at: {
    readonly share: Share;
    readonly name: string;
    readonly table: BehaviourTable;
    readonly image: RunningImage;
    readonly now: number;
    readonly change: () => void;
  }): number {
    const { share, name, table, image, now, change } = at;
    const hash = shortHash(image.digest);
    const known = table.learnsUntil(hash);
    if (known !== undefined) return known;
    const since = image.since === undefined ? undefined : Math.min(now, Math.floor(image.since / 1_000));
    const until = since === undefined ? 0 : since + this.#rollout;
    share.addImage(name, table, hash, until);
    change();
    return until;
  }

  #novel(
    alert: Alert,
    novel: readonly [NewFeature, ...NewFeature[]],
    told: Told & { readonly peers: readonly BehaviourTable[] },
  ): AlertNovelty {
    const { peers, now } = told;
    const knows = (peer: BehaviourTable, { hash }: NewFeature): boolean => {
      const found = peer.get(hash);
      return found !== undefined && now >= found.knownFrom && now - found.last <= rememberedFor;
    };
    const main = novel.find((one) => !peers.some((peer) => knows(peer, one))) ?? novel[0];
    const knowing = peers.filter((peer) => knows(peer, main)).length;
    return {
      state: 'novel',
      ...(knowing === 0 && { amongPeers: true }),
      text: novelText(main, novel, { ...told, knowing, pods: this.#options.podsOf?.(alert) }),
    };
  }
}

const destinationMark = 1;

/** The last bit marks a destination. */
function hashOf({ kind, key }: BehaviourFeature): ShortHash {
  const { high, low } = shortHash(key);
  return { high, low: ((low & ~1) | (kind === 'destination' ? destinationMark : 0)) >>> 0 };
}

/** As with a content delivery network: one more network means nothing. */
function speaksToMany(table: BehaviourTable, now: number): boolean {
  const isKnown = ({ low }: ShortHash, { knownFrom, last }: RememberedFeature): boolean =>
    (low & 1) === destinationMark && now >= knownFrom && now - last <= rememberedFor;
  return table.count(isKnown) >= manyDestinations;
}

/** Whether the alert's subject is certain: for a pod, confirmed by the cluster. Alerts in doubt teach nothing, and people's orders are not behaviour. */
function isSure({ sensor, doubt, pod, workload, container, againFor }: Alert): boolean {
  if (sensor === ownSensor || doubt !== undefined || againFor) return false;
  if (pod) return pod.uid !== undefined && workload !== undefined && workload.guessed !== true;
  return container === undefined;
}

interface Told {
  readonly subject: Subject;
  readonly table: BehaviourTable;
  /** Nothing is remembered from before this time: seconds since 1970. */
  readonly reach: number;
  readonly now: number;
}

function placeText(subject: Subject): string {
  if (subject.kind === 'cluster') return 'the cluster';
  return subject.kind === 'node' ? `node ${shown(subject.node)}` : `${subject.namespace}/${subject.name}`;
}

function novelText(
  main: NewFeature,
  all: readonly NewFeature[],
  told: Told & { readonly peers: readonly BehaviourTable[]; readonly knowing: number; readonly pods: number | undefined },
): string {
  const { subject, reach, now, peers, knowing, pods } = told;
  const what = `${main.feature.text} in ${placeText(subject)}`;
  const on = pods === undefined ? '' : pods === 1 ? ' on its only pod' : ` on any of ${pods} pods`;
  const first =
    main.first === undefined
      ? `First time in ${spanText(now - reach)}${on} that ${what}`
      : `New since ${timeText(main.first)}: ${what}`;
  const among =
    peers.length === 0
      ? ''
      : `; ${knowing === 0 ? 'none' : knowing} of ${peers.length} other workloads of its namespace or image do it`;
  return `${first}${among}${alsoText(main, all)}.`;
}

function learning([main]: readonly NewFeature[], { subject, until }: Told & { readonly until: number }): AlertNovelty {
  return {
    state: 'learning',
    text: `New with its image, which was rolled out recently: ${main?.feature.text} in ${placeText(subject)}; new behaviour is learned until ${timeText(until)}.`,
  };
}

const also: Readonly<Record<BehaviourFeature['kind'], string>> = {
  process: 'the process',
  request: 'the request',
  destination: 'the destination',
  rule: 'the rule',
  combination: 'the two together',
};

function alsoText(main: NewFeature, all: readonly NewFeature[]): string {
  const kinds = new Set(
    all.filter((one) => one !== main && one.feature.kind !== main.feature.kind).map(({ feature }) => feature.kind),
  );
  // If either one is new, their combination is new as well.
  kinds.delete('combination');
  return kinds.size === 0 ? '' : `; also new: ${[...kinds].map((kind) => also[kind]).join(', ')}`;
}

function spanText(seconds: number): string {
  const days = Math.floor(seconds / day);
  if (days >= 2) return `${days} days`;
  const hours = Math.floor(seconds / 3_600);
  if (hours < 1) return 'the short time remembered so far';
  return hours === 1 ? 'an hour' : `${hours} hours`;
}

/** `2026-11-27 10:20 UTC` */
function timeText(seconds: number): string {
  return `${new Date(seconds * 1_000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
