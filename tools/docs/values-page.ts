import { isMap, isNode, isScalar, parseDocument, stringify, type YAMLMap } from 'yaml';
import { FirebreakError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';

interface ValueSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly items?: ValueSchema;
  readonly additionalProperties?: boolean | ValueSchema;
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Line {
  readonly path: string;
  readonly kind: string;
  readonly given: string;
  readonly text: string;
}

/**
 * Generates `docs/helm-values.md`: types are from the schema, defaults and descriptions from `values.yaml`. @throws if one of them has a value that the other
 * lacks.
 */
export function valuesPage({ schema, values }: { readonly schema: string; readonly values: string }): string {
  const document = parseDocument(values);
  if (!isMap(document.contents)) throw drift('values.yaml', 'it is no map');
  // `global` is Helm's own, for subcharts; `config` has a page of its own.
  const { properties: { global: _global, ...known } = {} }: ValueSchema = JSON.parse(schema);
  const properties = { ...known, config: { type: 'object' } };
  const rows = linesOf({ properties }, document.contents, '', document.toJS()).map(
    ({ path, kind, given, text }) => `| \`${path}\` | ${cell(kind)} | ${cell(given)} | ${cell(text)} |`,
  );
  return `# Values of the chart

From [values.schema.json](../deploy/helm/firebreak/values.schema.json) and [values.yaml](../deploy/helm/firebreak/values.yaml). What is not here is refused before anything is installed. \`config\` is described in
[configuration.md](configuration.md), how the chart is installed in [install.md](install.md).

| value | kind | default | what it is for |
|---|---|---|---|
${rows.join('\n')}`;
}

function linesOf(
  { properties = {} }: ValueSchema,
  map: YAMLMap,
  below: string,
  defaults: Readonly<Record<string, unknown>>,
): readonly Line[] {
  const written = new Set(map.items.map(({ key }) => keyText(key)));
  for (const name of Object.keys(properties))
    if (!written.has(name)) throw drift(`${below}${name}`, 'values.yaml has no default for it');
  return map.items.flatMap(({ key, value }, index) => {
    const name = keyText(key);
    const path = `${below}${name}`;
    const known = properties[name];
    if (!known) throw drift(path, 'the schema does not know it');
    // The parser attaches the comment above a map's first key to the map.
    const text = wordsOf((isNode(key) ? key.commentBefore : undefined) ?? (index === 0 ? map.commentBefore : undefined));
    const preset = defaults[name];
    if (known.properties && isMap(value)) {
      const inner = linesOf(known, value, `${path}.`, isObject(preset) ? preset : {});
      return text === '' ? inner : [{ path, kind: 'section', given: '', text }, ...inner];
    }
    return [{ path, kind: kindOf(known), given: preset === '' ? '' : `\`${flow(preset)}\``, text }];
  });
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function kindOf(schema: ValueSchema): string {
  const { type = '', items, minimum, maximum, additionalProperties } = schema;
  if (schema.enum) return schema.enum.map((one) => `\`${one}\``).join(', ');
  if (type === 'array') return `list${items ? ` of ${plural(items)}` : ''}`;
  if (type === 'object')
    return typeof additionalProperties === 'object' ? `a ${kindOf(additionalProperties)} for each name` : 'map';
  if (type === 'integer') {
    if (minimum !== undefined && maximum !== undefined) return `whole number, ${minimum} to ${maximum}`;
    return minimum === undefined ? 'whole number' : `whole number, at least ${minimum}`;
  }
  return { string: 'text', boolean: 'yes or no' }[type] ?? type;
}

function plural({ type, properties }: ValueSchema): string {
  if (properties) return `maps: ${Object.keys(properties).join(', ')}`;
  return { integer: 'whole numbers', string: 'texts', object: 'maps' }[type ?? ''] ?? 'values';
}

/** Keeps sentences only; examples, which are indented further, stay in the file. */
function wordsOf(comment: string | undefined | null): string {
  const lines = (comment ?? '').split('\n').filter((line) => !/^ {2,}/.test(line));
  return lines
    .map((line) => line.trim())
    .join(' ')
    .trim();
}

function flow(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function drift(path: string, why: string): FirebreakError {
  return new FirebreakError('FB_ERR_INTERNAL', `chart value ${path}: ${why}`);
}
