/** What is remembered of one kind of object: by namespace, then by name. */
export type ByNamespace<R> = Map<string, Map<string, R>>;

export function put<R extends { readonly namespace: string; readonly name: string }>(records: ByNamespace<R>, record: R): void {
  const inside = records.get(record.namespace) ?? new Map<string, R>();
  records.set(record.namespace, inside.set(record.name, record));
}

/** How a reflector keeps such a memory. */
export function keptIn<T, R extends { readonly namespace: string; readonly name: string }>(
  records: ByNamespace<R>,
  project: (item: T) => R,
) {
  return {
    onList: (items: readonly T[]): void => {
      records.clear();
      for (const item of items) put(records, project(item));
    },
    onChange: ({ type, item }: { readonly type: 'set' | 'delete'; readonly item: T }): void => {
      const record = project(item);
      if (type === 'set') put(records, record);
      else records.get(record.namespace)?.delete(record.name);
    },
  };
}
