import type { HeldKind } from '../../../core/action/action.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import type { ObjectJson, ObjectRef } from '../objects.ts';
import { Reflector, type WatchLog } from './reflector.ts';

/** An object that was made, changed or deleted: only its metadata comes. */
export interface SeenObject {
  readonly ref: ObjectRef;
  readonly metadata: ObjectJson['metadata'];
}

export interface ObjectListener {
  /** It was there or was changed, or is gone. What it says now is for the listener to read. */
  seen(object: SeenObject): void;
  /** All of a kind were listed, and seen before: what is not among them is gone. */
  listed(kind: string): void;
}

/** Follows the metadata of objects of some kinds in the whole cluster, and keeps nothing of them. */
export class ObjectWatch {
  readonly #reflectors: readonly Reflector<Pick<ObjectJson, 'metadata'>>[];

  constructor(options: {
    readonly api: KubernetesApi;
    readonly kinds: readonly HeldKind[];
    readonly listener: ObjectListener;
    readonly log?: WatchLog;
  }) {
    const { api, kinds, listener, log = () => {} } = options;
    this.#reflectors = kinds.map(({ kind, apiGroup: group, resource }) => {
      const see = ({ metadata }: Pick<ObjectJson, 'metadata'>): void => {
        const { name, namespace } = metadata;
        listener.seen({ ref: { kind, group, resource, name, ...(namespace !== undefined && { namespace }) }, metadata });
      };
      return new Reflector({
        api,
        log,
        resource,
        path: pathOf({ group, resource }),
        metadataOnly: true,
        onList: (items) => {
          for (const item of items) see(item);
          listener.listed(kind);
        },
        onChange: ({ item }) => see(item),
      });
    });
  }

  /** Goes on trying until `stop`: what may not be watched is not waited for. */
  start(): void {
    for (const reflector of this.#reflectors) void reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }
}
