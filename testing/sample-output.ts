import type { z } from 'zod';
import type { ActionDeclaration } from '../core/action/action.ts';
import { podUidOf } from '../core/action/step.ts';
import { actionOutputs } from '../core/actions/outputs.schema.ts';
import type { EvidenceRef } from '../core/evidence/evidence.ts';
import { isObject } from '../core/text/plain-json.ts';
import { targetText } from '../workflows/steps/step-data.ts';

/** Of how many kinds what an action gives back is tried. */
const mostKinds = 4;

/**
 * What an action may give back, made up from its schema, the plainest first: about what it was called with, with one entry in each list; the same
 * with empty lists; and with each other word where its schema has a list of words. Of an action of a pack, the sample that it declares. Never empty. Made
 * when it is asked for: of several one is wanted.
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
  // Each a new object: a body may change what it is given.
  const made = (text: string, kind?: Kind) => (): object => ({
    ...JSON.parse(text),
    ...own,
    ...evidence,
    ...(kind && { [kind.field]: kind.word }),
  });
  return [made(full), ...(differs ? [made(empty)] : []), ...kinds.map((kind) => made(full, kind))].slice(0, mostKinds);
}

/** Makes it anew each time. */
export type SampleOutput = () => unknown;

interface Kind {
  readonly field: string;
  readonly word: string;
}

/** What a schema alone says of an output, as JSON: the same each time that the action is called. */
interface Sketches {
  readonly full: string;
  readonly empty: string;
  /** Fields in which these are not alike. */
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

/** Of what the step is about: so what destroys it later need not wait. */
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

/** Undefined: it need not be there. */
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

/** As far as the kinds of schemas are told apart here. */
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
