import { z } from 'zod';

/** The location of a secret: never in the configuration file itself. */
export type SecretRef = { readonly env: string } | { readonly file: string };

/** Secrets of a validated file: the shape alone does not distinguish one from what somebody writes into a field of a ticket. */
const secretRefs = new WeakSet<object>();

function marked(ref: SecretRef): SecretRef {
  secretRefs.add(ref);
  return ref;
}

/** A secret is referenced, not written: `{ env: NAME }` or `{ file: PATH }`. */
export const secret = z
  .strictObject(
    {
      env: z.string().min(1).exactOptional().meta({ description: 'Name of the environment variable that holds it.' }),
      file: z
        .string()
        .min(1)
        .exactOptional()
        .meta({ description: 'Path of the file that holds it; trailing white space is removed.' }),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' && issue.input !== undefined ? 'a secret must not be written into this file' : undefined,
    },
  )
  .refine(({ env, file }) => (env === undefined) !== (file === undefined), { error: 'exactly one of env and file is required' })
  .transform(({ env, file }): SecretRef => marked(env === undefined ? { file: file ?? '' } : { env }))
  .meta({ examples: [{ env: 'NAME' }, { file: '/run/secrets/name' }] });

export const httpUrl = z.url({ protocol: /^https?$/, error: 'not an http or https URL' });

/** A section in which each secret reference is replaced by the secret itself. */
export type OpenedSection<Section> = Section extends SecretRef
  ? string
  : Section extends readonly (infer Item)[]
    ? readonly OpenedSection<Item>[]
    : Section extends object
      ? { readonly [Key in keyof Section]: OpenedSection<Section[Key]> }
      : Section;

/** Returns the section with its secrets; `read` is called with their locations from the file. */
export function openedSection<Section>(
  section: Section,
  path: string,
  read: (path: string, ref: SecretRef) => string,
): OpenedSection<Section> {
  return replaced(section, path, read) as OpenedSection<Section>;
}

/** Returns the section with its secrets at other locations. */
export function movedSecrets<Section>(section: Section, to: (ref: SecretRef) => SecretRef): Section {
  return replaced(section, '', (_, ref) => marked(to(ref))) as Section;
}

function replaced(value: unknown, path: string, change: (path: string, ref: SecretRef) => unknown): unknown {
  if (isSecretRef(value)) return change(path, value);
  if (Array.isArray(value)) return value.map((item, index) => replaced(item, `${path}[${index}]`, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, replaced(item, path === '' ? key : `${path}.${key}`, change)]),
  );
}

function isSecretRef(value: unknown): value is SecretRef {
  return typeof value === 'object' && value !== null && secretRefs.has(value);
}
