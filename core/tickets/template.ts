/** Placeholders for `{{name}}` in a configured field of a ticket or a page. All values are plain text, redacted before they are inserted. */
export const placeholders = {
  title: 'what the playbook calls it, on one line',
  body: 'what the playbook writes about it',
  incident: 'the incident’s id',
  run: 'which run of that incident',
  cluster: 'the cluster’s name',
  namespace: 'the namespace; empty where the incident is about a node or the cluster',
  workload: 'the workload as `kind/name`, or the node',
  severity: 'the severity; empty where it is not known',
} as const;

type Placeholder = keyof typeof placeholders;
export type TemplateValues = Readonly<Record<Placeholder, string>>;

/** A field as configured: strings in it are templates, everything else is sent unchanged. */
export type FieldTemplate =
  | string
  | number
  | boolean
  | null
  | readonly FieldTemplate[]
  | { readonly [key: string]: FieldTemplate };

const pattern = /\{\{\s*([^{}]*?)\s*\}\}/g;

function isPlaceholder(name: string): name is Placeholder {
  return Object.hasOwn(placeholders, name);
}

/** Unknown names in `{{…}}`, in a template and everything inside it. */
export function unknownPlaceholders(template: FieldTemplate): readonly string[] {
  if (typeof template === 'string')
    return [...template.matchAll(pattern)].map(([, name = '']) => name).filter((name) => !isPlaceholder(name));
  if (typeof template !== 'object' || template === null) return [];
  return Object.values(template).flatMap(unknownPlaceholders);
}

/** Inserts the values in one pass: placeholders within values are not expanded. */
export function fillTemplate(template: string, values: TemplateValues): string {
  return template.replaceAll(pattern, (whole, name: string) => (isPlaceholder(name) ? values[name] : whole));
}

/** The same for a field of any shape. */
export function fillField(template: FieldTemplate, values: TemplateValues): unknown {
  if (typeof template === 'string') return fillTemplate(template, values);
  if (Array.isArray(template)) return template.map((item) => fillField(item, values));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(Object.entries(template).map(([key, item]) => [key, fillField(item, values)]));
}
