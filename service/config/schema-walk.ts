import { z } from 'zod';

/** One place in a schema without its wrappers, and what the wrappers said about it. */
interface SchemaPlace {
  readonly schema: z.core.$ZodType;
  readonly description?: string;
  readonly example?: unknown;
  readonly default?: unknown;
  readonly optional: boolean;
}

/** Removes `optional`, `default`, `prefault` and transformations, and collects what they say. */
export function unwrap(schema: z.core.$ZodType): SchemaPlace {
  const meta = z.globalRegistry.get(schema);
  const own = {
    ...(meta?.description !== undefined && { description: meta.description }),
    ...(Array.isArray(meta?.examples) && { example: meta.examples[0] }),
  };
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    const inner = unwrap(schema.def.innerType);
    return { ...inner, ...own, ...(schema instanceof z.ZodDefault && { default: schema.def.defaultValue }), optional: true };
  }
  if (schema instanceof z.ZodExactOptional || schema instanceof z.ZodOptional)
    return { ...unwrap(schema.def.innerType), ...own, optional: true };
  if (schema instanceof z.ZodPipe) return { ...unwrap(schema.def.in), ...own };
  return { schema, ...own, optional: false };
}

function child(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | undefined {
  const { schema: bare } = unwrap(schema);
  if (bare instanceof z.ZodObject) return bare.shape[String(key)];
  if (bare instanceof z.ZodArray) return bare.element;
  if (bare instanceof z.ZodRecord) return bare.valueType;
  return undefined;
}

/** The place in the schema that a path of the file leads to; undefined if there is none. */
export function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): SchemaPlace | undefined {
  let place: z.core.$ZodType | undefined = schema;
  for (const key of path) {
    if (place === undefined) return undefined;
    place = child(place, key);
  }
  return place && unwrap(place);
}

/** The keys that an object of the schema may have, in order. */
export function knownKeys(schema: z.core.$ZodType): readonly string[] {
  const { schema: bare } = unwrap(schema);
  return bare instanceof z.ZodObject ? Object.keys(bare.shape) : [];
}

function rangeOf({ minValue, maxValue }: z.ZodNumber): string {
  const least = minValue !== null && minValue > Number.MIN_SAFE_INTEGER ? ` from ${minValue}` : '';
  const most = maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER ? ` to ${maxValue}` : '';
  return least + most;
}

/** The expected kind of value, in words for people. */
export function kindOf(schema: z.core.$ZodType): string {
  const { schema: bare } = unwrap(schema);
  if (bare instanceof z.ZodObject) return 'env' in bare.shape && 'file' in bare.shape ? 'secret' : 'section';
  if (bare instanceof z.ZodArray) return `list of ${kindOf(bare.element)}s`;
  if (bare instanceof z.ZodRecord) return `map, each a ${kindOf(bare.valueType)}`;
  if (bare instanceof z.ZodEnum) return bare.options.map((option) => `\`${option}\``).join(', ');
  if (bare instanceof z.ZodLiteral) return [...bare.values].map((value) => `\`${value}\``).join(', ');
  if (bare instanceof z.ZodUnion) return bare.options.map((option: z.core.$ZodType) => kindOf(option)).join(' or ');
  if (bare instanceof z.ZodNumber) return `${bare instanceof z.ZodNumberFormat ? 'whole number' : 'number'}${rangeOf(bare)}`;
  if (bare instanceof z.ZodBoolean) return 'yes or no';
  return 'text';
}
