import { stringify } from 'yaml';
import { z } from 'zod';
import { configSchema } from '../../service/config/schema.ts';
import { kindOf, unwrap } from '../../service/config/schema-walk.ts';

interface Line {
  readonly path: string;
  readonly kind: string;
  readonly given: string;
  readonly description: string;
}

function flow(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

/** Shown for a value that is not written: the default, `required`, or nothing if it is derived or simply absent. */
function given(place: ReturnType<typeof unwrap>): string {
  if (place.default !== undefined) return `\`${flow(place.default)}\``;
  return place.optional || kindOf(place.schema) === 'section' ? '' : '**required**';
}

function children(schema: z.core.$ZodType): readonly (readonly [string, z.core.$ZodType])[] {
  const { schema: bare } = unwrap(schema);
  if (bare instanceof z.ZodObject && kindOf(bare) === 'section') return Object.entries<z.core.$ZodType>(bare.shape);
  if (bare instanceof z.ZodArray) return children(bare.element).map(([key, inner]) => [`[].${key}`, inner]);
  return [];
}

function linesOf(schema: z.core.$ZodType, path: string): readonly Line[] {
  return children(schema).flatMap(([key, inner]) => {
    const place = unwrap(inner);
    const name = key.startsWith('[]') ? `${path}${key}` : `${path}.${key}`;
    const example = place.example === undefined || kindOf(inner) === 'secret' ? '' : ` Example: \`${flow(place.example)}\`.`;
    const line = { path: name, kind: kindOf(inner), given: given(place), description: `${place.description ?? ''}${example}` };
    const below = linesOf(inner, name);
    return place.description === undefined && below.length > 0 ? below : [line, ...below];
  });
}

function table(lines: readonly Line[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = lines.map(
    (line) => `| \`${line.path}\` | ${cell(line.kind)} | ${cell(line.given)} | ${cell(line.description.trim())} |`,
  );
  return ['| key | value | default | what it is for |', '|---|---|---|---|', ...rows].join('\n');
}

const smallest = `cluster: prod-eu
intake:
  tokens:
    - { name: falco, token: { env: FALCO_TOKEN } }
roster:
  people:
    - { id: ada, name: Ada, slack: [U0123456789] }
  groups:
    oncall: [ada]
    leads: [ada]`;

/** Generates `docs/configuration.md` from the descriptions in the schema. */
export function configurationPage(): string {
  const entries = Object.entries<z.core.$ZodType>(configSchema.shape);
  const plain = entries.filter(([, schema]) => children(schema).length === 0);
  const sections = entries.filter(([, schema]) => children(schema).length > 0);
  const top = plain.map(([key, schema]): Line => {
    const place = unwrap(schema);
    return { path: key, kind: kindOf(schema), given: given(place), description: place.description ?? '' };
  });
  return [
    '# Configuration',
    'One YAML file, named with `--config FILE` or `FIREBREAK_CONFIG`, else `firebreak.yaml` in the current folder. Unknown keys are refused: see [what the service starts without](operations.md#a-configuration-that-cannot-work). `firebreak config check` says whether the file is valid, and shows every problem at once, each with its line. With `--effective` it also prints the effective configuration with secrets hidden, and with `--connect` it tries the named files, Temporal and the API server.',
    'A **secret** is never written into the file: it is `{ env: NAME }` or `{ file: PATH }`. Each process reads only the secrets of its roles. Relative paths start from the folder of the file.',
    'Editors check it as you type, using [firebreak.schema.json](firebreak.schema.json), if the first line is `# yaml-language-server: $schema=PATH`; `firebreak init` writes both. The check covers what the schema cannot express.',
    'The smallest file:',
    `\`\`\`yaml\n${smallest}\n\`\`\``,
    '## At the top',
    table(top),
    ...sections.flatMap(([key, schema]) => [`## ${key}`, unwrap(schema).description ?? '', table(linesOf(schema, key))]),
  ].join('\n\n');
}
