import type { HeldKind } from '../../../core/action/action.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import type { ObjectJson, ObjectRef } from '../objects.ts';
import { Reflector, type WatchLog } from './reflector.ts';

/** An object that was created, changed or deleted: metadata only. */
export interface SeenObject {
  readonly ref: ObjectRef;
  readonly metadata: ObjectJson['metadata'];
}

export interface ObjectListener {
  /** The object exists, was changed, or is gone. The listener must read its current state. */
  seen(object: SeenObject): void;
  /** All objects of a kind were listed and reported to `seen` first: any other one is gone. */
  listed(kind: string): void;
}

/** Follows the metadata of objects of some kinds in the whole cluster, and stores none of it. */
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

  /** Keeps trying until `stop`; does not wait for kinds that may not be watched. */
  start(): void {
    for (const reflector of this.#reflectors) void reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }
}
