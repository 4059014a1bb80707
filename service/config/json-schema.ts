import { z } from 'zod';
import { configSchema } from './schema.ts';

/**
 * The configuration as JSON Schema, for editors: what may be written, with its description. It says less than the check does: which values need each
 * other, and whether files are there, only `firebreak config check` knows.
 */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
  });
  return `${JSON.stringify({ title: 'firebreak.yaml', ...schema }, null, 2)}\n`;
}

/**
 * The same as a part of the chart's values, without words: what cannot be read is refused before anything is installed. It is all optional there, since
 * the chart adds some and asks for others in words of its own. Helm's checker is of Go, which knows no pattern that looks ahead.
 */
export function configInValues(): object {
  const {
    $schema: _schema,
    required: _required,
    ...schema
  } = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      for (const words of ['description', 'examples', 'default']) delete jsonSchema[words];
      if (jsonSchema.pattern?.includes('(?')) delete jsonSchema.pattern;
    },
  });
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/definitions/', '"#/properties/config/definitions/'));
}
