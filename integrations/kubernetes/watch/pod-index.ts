import type { PodRecord } from '../../../core/cluster/pod-record.ts';

/** Falco and others cut container ids to this many hex digits. */
const shortId = 12;

/** Pods by name, uid and container id. */
export class PodIndex {
  readonly #byName = new Map<string, PodRecord>();
  readonly #byUid = new Map<string, PodRecord>();
  readonly #byContainer = new Map<string, Set<string>>();
  readonly #onNode = new Map<string, number>();

  get size(): number {
    return this.#byUid.size;
  }

  clear(): void {
    this.#byName.clear();
    this.#byUid.clear();
    this.#byContainer.clear();
    this.#onNode.clear();
  }

  /** Takes the record, unless a newer one of the same pod is there. */
  set(pod: PodRecord): void {
    const known = this.#byUid.get(pod.uid);
    if (known) {
      if (isOlder(pod.resourceVersion, known.resourceVersion)) return;
      this.#forget(known);
    }
    this.#byUid.set(pod.uid, pod);
    this.#byName.set(`${pod.namespace}/${pod.name}`, pod);
    if (pod.node) this.#onNode.set(pod.node, (this.#onNode.get(pod.node) ?? 0) + 1);
    for (const { id } of pod.containers) {
      if (!id) continue;
      const key = id.slice(0, shortId);
      const uids = this.#byContainer.get(key) ?? new Set();
      this.#byContainer.set(key, uids.add(pod.uid));
    }
  }

  delete(uid: string): void {
    const known = this.#byUid.get(uid);
    if (known) this.#forget(known);
  }

  byName(namespace: string, name: string): PodRecord | undefined {
    return this.#byName.get(`${namespace}/${name}`);
  }

  byUid(uid: string): PodRecord | undefined {
    return this.#byUid.get(uid);
  }

  /** Every pod that has a container whose id begins so. Fewer than 8 digits name nobody. */
  byContainerPrefix(prefix: string): readonly PodRecord[] {
    if (prefix.length < 8) return [];
    const candidates =
      prefix.length >= shortId
        ? [...(this.#byContainer.get(prefix.slice(0, shortId)) ?? [])].flatMap((uid) => this.#byUid.get(uid) ?? [])
        : this.#byUid.values();
    return [...candidates].filter((pod) => pod.containers.some(({ id }) => id?.startsWith(prefix)));
  }

  /** Whether any pod runs on a node of this name. */
  knowsNode(node: string): boolean {
    return this.#onNode.has(node);
  }

  all(): IterableIterator<PodRecord> {
    return this.#byUid.values();
  }

  #forget(pod: PodRecord): void {
    this.#byUid.delete(pod.uid);
    const name = `${pod.namespace}/${pod.name}`;
    if (this.#byName.get(name)?.uid === pod.uid) this.#byName.delete(name);
    const onNode = pod.node ? this.#onNode.get(pod.node) : undefined;
    if (pod.node && onNode !== undefined) {
      if (onNode > 1) this.#onNode.set(pod.node, onNode - 1);
      else this.#onNode.delete(pod.node);
    }
    for (const { id } of pod.containers) {
      if (!id) continue;
      const uids = this.#byContainer.get(id.slice(0, shortId));
      uids?.delete(pod.uid);
      if (uids?.size === 0) this.#byContainer.delete(id.slice(0, shortId));
    }
  }
}

/** Resource versions are comparable as numbers since Kubernetes 1.35; where they are not numbers, the newcomer wins. */
function isOlder(a: string, b: string): boolean {
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b);
}
