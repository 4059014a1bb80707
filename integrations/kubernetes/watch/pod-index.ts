import { names } from '../../../core/cluster/labels.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import { isOlder } from './reflector.ts';

/** Falco and others truncate container ids to this many hex digits. */
const shortId = 12;

/** Pods by name, namespace, uid and container id, and those that carry a before-state. */
export class PodIndex {
  readonly #byName = new Map<string, PodRecord>();
  readonly #byUid = new Map<string, PodRecord>();
  /** Namespace → uid → pod. */
  readonly #byNamespace = new Map<string, Map<string, PodRecord>>();
  /** By uid. */
  readonly #noted = new Map<string, PodRecord>();
  readonly #byContainer = new Map<string, Set<string>>();
  readonly #onNode = new Map<string, number>();

  get size(): number {
    return this.#byUid.size;
  }

  clear(): void {
    this.#byName.clear();
    this.#byUid.clear();
    this.#byNamespace.clear();
    this.#noted.clear();
    this.#byContainer.clear();
    this.#onNode.clear();
  }

  /** Stores the record, unless a newer one of the same pod is there. Versions that cannot be compared: the newcomer wins. */
  set(pod: PodRecord): void {
    const known = this.#byUid.get(pod.uid);
    if (known) {
      if (isOlder(pod.resourceVersion, known.resourceVersion)) return;
      this.#forget(known);
    }
    this.#byUid.set(pod.uid, pod);
    const beside = this.#byNamespace.get(pod.namespace) ?? new Map<string, PodRecord>();
    this.#byNamespace.set(pod.namespace, beside.set(pod.uid, pod));
    if (pod.annotations[names.beforeAnnotation] !== undefined) this.#noted.set(pod.uid, pod);
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

  /** Every pod that has a container whose id begins with this prefix. Fewer than 8 digits match nothing. */
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

  in(namespace: string): Iterable<PodRecord> {
    return this.#byNamespace.get(namespace)?.values() ?? [];
  }

  /** Pods with a before-state on them, whoever wrote it. */
  noted(): Iterable<PodRecord> {
    return this.#noted.values();
  }

  #forget(pod: PodRecord): void {
    this.#byUid.delete(pod.uid);
    this.#noted.delete(pod.uid);
    const beside = this.#byNamespace.get(pod.namespace);
    beside?.delete(pod.uid);
    if (beside?.size === 0) this.#byNamespace.delete(pod.namespace);
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
