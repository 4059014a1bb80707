import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { type Benchmark, benchmarks } from './benchmarks.ts';

/** One run of a benchmark. `NAME:postgres`: the second part is passed to it, and it has a separate result. */
export interface Chosen {
  readonly benchmark: Benchmark;
  readonly on: string | undefined;
}

export type Options =
  | { readonly does: 'measure'; readonly chosen: readonly Chosen[]; readonly isShort: boolean; readonly restSeconds: number }
  | { readonly does: 'help' }
  | { readonly does: 'refuse'; readonly why: string };

/** Longest wait for other programs before each benchmark. */
export const usualRestSeconds = 60;

/** Reads the arguments after `npm run bench --`. */
export function readOptions(args: readonly string[]): Options {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return { does: 'refuse', why: error instanceof Error ? error.message : String(error) };
  }
  const { values, positionals } = parsed;
  if (values.help) return { does: 'help' };
  const restSeconds = Number(values.rest ?? usualRestSeconds);
  if (!(restSeconds >= 0)) return { does: 'refuse', why: `--rest takes seconds, and not “${values.rest}”.` };
  const chosen: Chosen[] = [];
  for (const wanted of positionals) {
    const [name, on] = wanted.split(':', 2);
    const benchmark = benchmarks.find(({ file }) => basename(file) === name);
    if (!benchmark) return { does: 'refuse', why: `There is no benchmark “${name}”. \`npm run bench -- --help\` lists them.` };
    chosen.push({ benchmark, on });
  }
  const all = benchmarks.map((benchmark) => ({ benchmark, on: undefined }));
  return { does: 'measure', chosen: chosen.length > 0 ? chosen : all, isShort: values.short ?? false, restSeconds };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      short: { type: 'boolean' },
      rest: { type: 'string' },
    },
  });
}

export function helpText(): string {
  const width = Math.max(...benchmarks.map(({ file }) => basename(file).length));
  return [
    'npm run bench -- [--short] [--rest SECONDS] [NAME…]',
    '',
    'Measures, and writes bench/results/NAME.json. Without a name it measures all, which takes hours.',
    '',
    '  --short          small sizes, three minutes at most for each; the result goes to .build/bench',
    `  --rest SECONDS   longest wait for other programs before each benchmark (${usualRestSeconds}); then it goes on, and the result says so`,
    '',
    ...benchmarks.map(
      ({ file, measures, minutes }) => `  ${basename(file).padEnd(width)}  ${measures} (about ${minutes} min, or --short)`,
    ),
  ].join('\n');
}
