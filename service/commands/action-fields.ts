import { z } from 'zod';
import { actionInputs } from '../../core/actions/inputs.schema.ts';
import { kindOf, unwrap } from '../config/schema-walk.ts';

/** One field of what an action is called with. */
export interface ActionField {
  /** `allow.dns` */
  readonly field: string;
  readonly kind: string;
  readonly required: boolean;
  readonly description: string;
}

/** The fields of an action's input, from the schema by which the chokepoint checks it. Of an object in it, those that say something of themselves. */
export function fieldsOf(action: string): readonly ActionField[] {
  const input = actionInputs[action];
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
