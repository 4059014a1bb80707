import { z } from 'zod';
import type { ActionDeclaration } from '../../core/action/action.ts';
import { actionInputs } from '../../core/actions/inputs.schema.ts';
import { kindOf, unwrap } from '../config/schema-walk.ts';

/** One field of an action's input. */
interface ActionField {
  /** `allow.dns` */
  readonly field: string;
  readonly kind: string;
  readonly required: boolean;
  readonly description: string;
}

/** The fields of an action's input, from the schema that the chokepoint checks it with. For a nested object, those of its fields that have a description. */
export function fieldsOf({ name, own }: Pick<ActionDeclaration, 'name' | 'own'>): readonly ActionField[] {
  if (own)
    return Object.entries(own.input).map(([field, of]) => ({
      field,
      kind: of.kind === 'choice' ? of.choices.map((choice) => `"${choice}"`).join(' | ') : of.kind,
      required: of.optional !== true,
      description: of.about,
    }));
  const input = actionInputs[name];
  return input ? fieldsIn(input, '') : [];
}

function fieldsIn(object: z.ZodObject, prefix: string): readonly ActionField[] {
  return Object.entries(object.shape).flatMap(([key, value]) => {
    const { schema, description = '', optional } = unwrap(value);
    const field = `${prefix}${key}`;
    const inner = schema instanceof z.ZodObject ? fieldsIn(schema, `${field}.`).filter((one) => one.description !== '') : [];
    return [{ field, kind: wordsFor(schema), required: !optional, description }, ...inner];
  });
}

function wordsFor(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodArray && schema.element instanceof z.ZodEnum) return `list of ${kindOf(schema.element)}`;
  return schema instanceof z.ZodObject ? Object.keys(schema.shape).join(', ') : kindOf(schema);
}
