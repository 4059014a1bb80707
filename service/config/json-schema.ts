import { z } from 'zod';
import { configSchema } from './schema.ts';

/**
 * The configuration as JSON Schema, for editors: what may be written, with descriptions. It checks less than `firebreak config check`, which also knows which
 * values depend on each other and whether files exist.
 */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
  });
  return `${JSON.stringify({ title: 'firebreak.yaml', ...schema }, null, 2)}\n`;
}

/**
 * The same as part of the chart's values, without descriptions: rejects invalid configurations before anything is installed. Everything is optional there,
 * since the chart adds some values and asks for others with its own messages. Helm's validator is written in Go, whose patterns have no lookahead.
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
