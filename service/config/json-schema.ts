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
