import type { z } from 'zod';
import type { ActionDeclaration } from '../core/action/action.ts';
import { podUidOf } from '../core/action/step.ts';
import { actionOutputs } from '../core/actions/outputs.schema.ts';
import type { EvidenceRef } from '../core/evidence/evidence.ts';
import { isObject } from '../core/text/plain-json.ts';
import { targetText } from '../workflows/steps/step-data.ts';

/** How many kinds of outputs are tried per action. */
const mostKinds = 4;

/**
 * Possible outputs of an action, made up from its schema, the plainest first: matching its input, with one entry in each list; the same with empty lists; and
 * with each other word if its schema has an enumeration. For an action of a pack, the sample that it declares. Never empty. Created lazily, since only one of
 * several is needed.
 */
export function sampleOutputs(action: string, input: unknown, declaration?: ActionDeclaration): readonly SampleOutput[] {
  const { own: ofPack } = declaration ?? {};
  if (ofPack) return [() => ofPack.sample];
  const schema = actionOutputs[action];
  if (!schema) return [() => ({})];
  const known = isObject(input) ? input : {};
  const own = Object.fromEntries(Object.entries(known).filter(([field]) => field in schema.shape));
  const evidence = 'evidence' in schema.shape ? { evidence: evidenceOf(input) } : {};
  const { full, empty, differing, kinds } = sketchesOf(action, schema);
  const differs = differing.some((field) => !(field in own || field in evidence));
  // A new object each time: a body may change what it receives.
  const made = (text: string, kind?: Kind) => (): object => ({
    ...JSON.parse(text),
    ...own,
    ...evidence,
    ...(kind && { [kind.field]: kind.word }),
  });
  return [made(full), ...(differs ? [made(empty)] : []), ...kinds.map((kind) => made(full, kind))].slice(0, mostKinds);
}

/** Creates a new output on each call. */
export type SampleOutput = () => unknown;

interface Kind {
  readonly field: string;
  readonly word: string;
}

/** Outputs derived from a schema alone, as JSON: the same each time the action is called. */
interface Sketches {
  readonly full: string;
  readonly empty: string;
  /** Fields in which these differ. */
  readonly differing: readonly string[];
  readonly kinds: readonly Kind[];
}

const sketches = new Map<string, Sketches>();

function sketchesOf(action: string, schema: z.ZodObject): Sketches {
  const known = sketches.get(action);
  if (known) return known;
  const full = sampleOf(schema, 1);
  const empty = sampleOf(schema, 0);
  const made: Sketches = {
    full: JSON.stringify(full),
    empty: JSON.stringify(empty),
    differing: Object.keys(full).filter((field) => JSON.stringify(full[field]) !== JSON.stringify(empty[field])),
    kinds: Object.entries(schema.shape).flatMap(([field, type]) =>
      wordsIn(type)
        .slice(1)
        .map((word) => ({ field, word })),
    ),
  };
  sketches.set(action, made);
  return made;
}

/** About the step's own target, so that a later destructive step need not wait. */
function evidenceOf(input: unknown): EvidenceRef {
  const uid = podUidOf(input);
  const target = { name: targetText(input), ...(uid !== undefined && { uid }) };
  return { manifestSha256: '0'.repeat(64), target, artefacts: [{ name: 'simulated', sha256: '0'.repeat(64), bytes: 0 }] };
}

function sampleOf(schema: z.ZodObject, entries: 0 | 1): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(schema.shape).flatMap(([field, type]) => {
      const value = sample(type, field, entries);
      return value === undefined ? [] : [[field, value]];
    }),
  );
}

/** Undefined: the value is optional. */
function sample(type: z.core.$ZodType, name: string, entries: 0 | 1): unknown {
  const { def } = type as z.ZodType & { readonly def: Definition };
  switch (def.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(def.shape ?? {}).flatMap(([field, inner]) => {
          const value = sample(inner, field, entries);
          return value === undefined ? [] : [[field, value]];
        }),
      );
    case 'array':
      return def.element && entries === 1 ? [sample(def.element, name.replace(/s$/, ''), entries)] : [];
    case 'string':
      return `simulated ${name}`;
    case 'number':
      return 1;
    case 'boolean':
      return false;
    case 'enum':
      return wordsIn(type)[0];
    case 'literal':
      return def.values?.[0];
    case 'record':
      return {};
    case 'union':
      return def.options?.[0] && sample(def.options[0], name, entries);
    case 'readonly':
    case 'nullable':
    case 'default':
      return def.innerType && sample(def.innerType, name, entries);
    default:
      return undefined;
  }
}

/** As far as kinds of schemas are distinguished here. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly values?: readonly unknown[];
  readonly entries?: Readonly<Record<string, string>>;
  readonly options?: readonly z.core.$ZodType[];
  readonly innerType?: z.core.$ZodType;
}

function wordsIn(type: z.core.$ZodType): readonly string[] {
  const { def } = type as z.ZodType & { readonly def: Definition };
  return def.type === 'enum' ? Object.values(def.entries ?? {}) : [];
}
