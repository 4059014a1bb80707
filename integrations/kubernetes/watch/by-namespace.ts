/** What is remembered of one kind of object: by namespace, then by name. */
export type ByNamespace<R> = Map<string, Map<string, R>>;

export function put<R extends { readonly namespace: string; readonly name: string }>(records: ByNamespace<R>, record: R): void {
  const inside = records.get(record.namespace) ?? new Map<string, R>();
  records.set(record.namespace, inside.set(record.name, record));
}

/** How a reflector keeps such a memory. `changed` is told of each namespace in which something has. */
export function keptIn<T, R extends { readonly namespace: string; readonly name: string }>(
  records: ByNamespace<R>,
  project: (item: T) => R,
  changed: (namespace: string) => void = () => {},
) {
  return {
    onList: (items: readonly T[]): void => {
      const namespaces = new Set(records.keys());
      records.clear();
      for (const item of items) put(records, project(item));
      for (const namespace of new Set([...namespaces, ...records.keys()])) changed(namespace);
    },
    onChange: ({ type, item }: { readonly type: 'set' | 'delete'; readonly item: T }): void => {
      const record = project(item);
      if (type === 'set') put(records, record);
      else records.get(record.namespace)?.delete(record.name);
      changed(record.namespace);
    },
  };
}
