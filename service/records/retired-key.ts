/** A public key that is no longer in the configuration, but signed existing records. */
export interface RetiredKey {
  readonly of: { readonly cell: string } | { readonly desk: true } | { readonly person: string };
  readonly file: string;
}

/** Parses `desk=FILE`, `cell/CLUSTER=FILE` or `person/ID=FILE`; undefined for anything else. */
export function retiredKeyFrom(text: string): RetiredKey | undefined {
  const [, who = '', file = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (who === 'desk') return { of: { desk: true }, file };
  const [kind, name = ''] = who.split('/');
  if (name === '') return undefined;
  if (kind === 'cell') return { of: { cell: name }, file };
  return kind === 'person' ? { of: { person: name }, file } : undefined;
}
