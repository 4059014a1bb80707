import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { noInspector } from '../launcher/node-flags.mjs';
import { implementations, type PackFiles } from './pack-files.ts';
import { writePack } from './pack-program.ts';
import type { PackFault } from './pack-rules.ts';
import { type MarkedCode, mark, promisePlaces, type Unwaited } from './promise-places.ts';

/** The compiler's findings on a pack. */
type CheckedTypes = { readonly faults: readonly PackFault[] } | { readonly notChecked: string };

/** The pack is compiled twice: as written, and with each value that is not awaited marked. */
const [asWritten, marked] = ['pack', 'marked'];
const compileMs = 60_000;

/**
 * Returns type errors in a pack, as found by the compiler with this Firebreak: mistakes, and steps and questions that are not awaited. Takes some tenths of a
 * second. Uses the TypeScript next to this Firebreak, or of the working directory.
 *
 * @param folder where the pack is, for the types that it has installed; absent for a tarball.
 */
export function checkTypes(pack: PackFiles, folder?: string): CheckedTypes {
  // Never the compiler of a pack located elsewhere: a compiler runs with the rights of the person who checks the pack.
  const compiler = compilerOf([import.meta.dirname, process.cwd()]);
  if (compiler === undefined)
    return { notChecked: 'there is no TypeScript: npm install --save-dev typescript, in the folder of the pack' };
  const stage = mkdtempSync(join(tmpdir(), 'firebreak-types-'));
  try {
    const places = new Map(
      [...pack.files].map(([file, content]) => [file, promisePlaces(content.toString('utf8'), file.endsWith('.ts'))] as const),
    );
    const files = new Map([...places].map(([file, { code }]) => [file, Buffer.from(code)] as const));
    writePack(pack, join(stage, asWritten), 'with implementations');
    writePack({ files }, join(stage, marked), 'with implementations');
    const modules = modulesOf(folder);
    if (modules !== undefined) symlinkSync(modules, join(stage, 'node_modules'));
    writeFileSync(join(stage, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(stage, 'marks.d.ts'), marks);
    writeFileSync(join(stage, 'tsconfig.json'), JSON.stringify(settings(modules, pack)));
    const compiled = spawnSync(process.execPath, [noInspector, compiler, '-p', '.', '--pretty', 'false'], {
      cwd: stage,
      encoding: 'utf8',
      timeout: compileMs,
      maxBuffer: 16 * 1024 * 1024,
    });
    if (compiled.status === null) return { notChecked: 'the compiler did not finish' };
    return { faults: faultsIn(compiled.stdout, places) };
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function compilerOf(folders: readonly string[]): string | undefined {
  for (const folder of folders)
    try {
      const compiler = join(dirname(createRequire(join(folder, 'of.js')).resolve('typescript/package.json')), 'bin', 'tsc');
      if (existsSync(compiler)) return compiler;
    } catch {
      // The next one may have it.
    }
  return undefined;
}

/** The modules that the pack has installed, as Node finds them from there. */
function modulesOf(folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  const modules = join(folder, 'node_modules');
  if (existsSync(modules)) return modules;
  return dirname(folder) === folder ? undefined : modulesOf(dirname(folder));
}

/** For a promise an argument is missing, which the compiler reports at the mark. */
const marks = `declare function ${mark}<T>(
  value: T,
  ...more: 0 extends 1 & T ? [] : [Extract<T, PromiseLike<unknown> | readonly PromiseLike<unknown>[]>] extends [never] ? [] : [never]
): T;
`;

function settings(modules: string | undefined, { main, files }: PackFiles): object {
  // No module of the pack imports the implementations of its actions.
  const heads = [main, ...[...files.keys()].filter((file) => file.startsWith(`${implementations}/`))];
  const root = join(import.meta.dirname, '..', '..', 'authoring');
  const declarations = import.meta.filename.endsWith('.ts') ? '*.ts' : '*.d.ts';
  return {
    compilerOptions: {
      target: 'es2024',
      lib: ['es2024'],
      module: 'nodenext',
      types: modules !== undefined && existsSync(join(modules, '@types', 'node')) ? ['node'] : [],
      strict: true,
      exactOptionalPropertyTypes: true,
      allowImportingTsExtensions: true,
      allowJs: true,
      checkJs: true,
      skipLibCheck: true,
      noEmit: true,
      // After an endless loop the compiler loses all types, and would report that for each line.
      allowUnreachableCode: false,
      // Checked against the Firebreak that runs it, because the pack may have installed another version.
      paths: { 'firebreak/*': [join(root, declarations)] },
    },
    files: ['marks.d.ts', ...heads.flatMap((file) => [join(asWritten, file), join(marked, file)])],
  };
}

const tooFewArguments = 'TS2554';
const errorLine = /^(?<copy>pack|marked)\/(?<file>.+)\((?<line>\d+),(?<column>\d+)\): error (?<code>TS\d+): (?<text>.*)$/;

function faultsIn(output: string, places: ReadonlyMap<string, MarkedCode>): readonly PackFault[] {
  const faults: PackFault[] = [];
  const lines = output.split('\n');
  for (const [at, text] of lines.entries()) {
    const found = errorLine.exec(text)?.groups;
    if (!found) continue;
    const { copy, file = '', code } = found;
    const line = Number(found.line);
    if (copy === marked) {
      const place = places.get(file)?.places.find((one) => one.line === line && one.column === Number(found.column));
      if (place && code === tooFewArguments) faults.push(unwaited(file, place));
    } else if (file.endsWith('.ts')) {
      // The compiler's first line describes the whole; its last line describes the part that does not fit.
      const rest = lines.slice(at + 1);
      const end = rest.findIndex((one) => !one.startsWith(' '));
      const details = [found.text ?? '', ...rest.slice(0, end === -1 ? rest.length : end)];
      const reason = [...details.slice(0, 1), ...details.slice(1).slice(-1)].map((one) => one.trim());
      const text = details.join('\n');
      faults.push({
        file,
        line,
        ...(saidByType(text) ?? {
          problem: `${[...new Set(reason)].map((one) => shortened(one.replace(/\.$/, ''))).join(': ')} (${code})`,
          remedy: remedyOf(text),
        }),
      });
    }
  }
  for (const [file, { places: all }] of places) for (const place of all) if (place.isSurely) faults.push(unwaited(file, place));
  return faults
    .filter((fault) => !faults.some((one) => isBehind(fault, one)))
    .toSorted((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** The compiler's message for unreachable lines. */
const unreachable = 'Unreachable code detected';

function isBehind({ file, line }: PackFault, other: PackFault): boolean {
  return other.problem.startsWith(unreachable) && other.file === file && other.line < line;
}

/** Shortens types that the compiler writes out, because long ones say little. */
function shortened(text: string): string {
  return text.replaceAll(/'([^']{60})[^']{60,}'/g, "'$1…'");
}

/** The message of one of our types for a mismatch (`core/playbook/playbook.ts`): what is wrong, and after a colon what to do. */
function saidByType(text: string): Pick<PackFault, 'problem' | 'remedy'> | undefined {
  const [, said] = /(?:to parameter of type '|Impossible<)"([^"]+: [^"]+)"/.exec(text) ?? [];
  const at = said?.indexOf(': ') ?? -1;
  if (said === undefined || at === -1) return undefined;
  const rest = said.slice(at + 2);
  if (said.includes(' cannot be undone: ')) return { problem: said, remedy: 'Remove the call.' };
  return { problem: said.slice(0, at), remedy: `${rest.charAt(0).toUpperCase()}${rest.slice(1)}.` };
}

/** Remedies for compiler messages, by a pattern in their text; the first match counts. */
const remedies: readonly (readonly [RegExp, string | ((found: RegExpExecArray) => string)])[] = [
  [
    /NotInRequires<"(\w+)"|'alert\.(pod|node|workload)' is possibly/,
    ([, one, other]) => `Add '${one ?? other}' to on.requires, or check that it is there.`,
  ],
  [/to (?:parameter of )?type '(?:Duration|`\$\{Digit\})/, "Write a number and its unit: '30s', '15m', '4h' or '2d'."],
  [
    /Property '(\w+)' does not exist on type 'Steps<.*?(?:Did you mean '(\w+)'\?|$)/m,
    ([, unused, meant]) =>
      `${meant === undefined ? 'Add' : `Write ${meant}, or add`} ${unused} to uses, imported from firebreak/actions.`,
  ],
  [
    /Property '(\w+)' does not exist on type 'ParamValues<.*?(?:Did you mean '(\w+)'\?|$)/m,
    ([, unset, meant]) => `${meant === undefined ? 'Add' : `Write ${meant}, or add`} ${unset} to params of the envelope.`,
  ],
  [
    /does not exist on type '\{ readonly choice: "silence"/,
    'Look at answer.choice first: silence approves nothing, and fills nothing in.',
  ],
  [/does not exist on type 'Readonly<Record<never, never>>'/, 'Add it to forms of this choice, or look at answer.choice first.'],
  [/^Unreachable code detected/, 'The code above never ends, or always leaves: end its loop, or remove the code here.'],
  [/"firebreak\/actions"' has no exported member/, 'Write it as `firebreak actions list` does.'],
  [/^Cannot find name 'console'/, 'Say it with note(…) on the incident, or with log(…) in the log.'],
  [/Did you mean (?:to write )?'"?([\w-]+)"?'\?/, ([, meant]) => `Write ${meant}.`],
  [/Type 'Promise<.*is not assignable to type '(?!Promise<)/, 'Write await before it.'],
  [/Type 'RegExp' is not assignable/, "Write regex('…') or glob('…'), imported from firebreak/playbook."],
  [/to type 'Param</, "Say what it is, with its default: param.text('…'), param.duration('4h'), param.group('oncall')."],
  [/Index signature for type 'string' is missing in type '.*\[\]'/s, 'Write an object, { name: value }, in place of a list.'],
  [/to parameter of type 'Verdict'/, "Write 'true_positive', 'benign', 'suspicious' or 'unknown'."],
  [/does not exist in type '\{ readonly .*(?:PlanOrPlans|FormField)/, 'Write the id of one of the choices.'],
  [/have no overlap/, 'Compare it with one of the existing values.'],
  [/^(?:Argument of type|Type) '"[^']*"' is not assignable to (?:parameter of )?type '"/, 'Write one of these.'],
  [
    /possibly 'undefined'|Type 'undefined' is not assignable/,
    'Check first that it is there; what on.requires names is always there.',
  ],
  [/^Expected \d+ arguments, but got \d+/, 'Add what is missing.'],
  [/Property '(\w+)' is missing in type/, ([, missing = '']) => missingParts[missing] ?? `Add ${missing}.`],
  [/^Object literal may only specify known properties/, 'Write a name that the type has.'],
  [/is not assignable to/, 'Write what the second type asks for.'],
];

const missingParts: Readonly<Record<string, string>> = {
  requires: "Add requires: ['pod'] to on, for a body that needs alert.pod; [] for one that needs nothing of it.",
  schedule: "Add match: { rule: '…' } to on, or schedule: { every: '1d' }.",
  within: "Say how long it is put to this group alone: within: '15m'.",
  onSilence: "Say in words what happens if nobody answers: onSilence: 'The pod stays quarantined.'.",
};

function remedyOf(text: string): string {
  for (const [pattern, remedy] of remedies) {
    const found = pattern.exec(text);
    if (found) return typeof remedy === 'string' ? remedy : remedy(found);
  }
  return 'Correct it: it would be refused, or missing, when it runs.';
}

function unwaited(file: string, { line, text, name }: Unwaited): PackFault {
  return {
    file,
    line,
    problem: name === undefined ? `nothing waits for “${text}”: an await is missing` : `nothing waits for ${name}, of “${text}”`,
    remedy:
      name === undefined
        ? 'Write await before it, or for … of in place of forEach. Next to others: const part = …, and await part later. On purpose: void before it.'
        : `Write await ${name} where it has to be finished, or await settle({ ${name} }).`,
  };
}
