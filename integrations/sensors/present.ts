type Present<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Removes the fields that are undefined; returns undefined if none is left. */
export function present<T extends object>(fields: T): Present<T> | undefined {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : (Object.fromEntries(known) as Present<T>);
}
