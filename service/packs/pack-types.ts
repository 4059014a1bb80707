import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { implementations, type PackFiles } from './pack-files.ts';
import { writePack } from './pack-program.ts';
import type { PackFault } from './pack-rules.ts';
import { type MarkedCode, mark, promisePlaces, type Unwaited } from './promise-places.ts';

/** What the compiler says of a pack. */
type CheckedTypes = { readonly faults: readonly PackFault[] } | { readonly notChecked: string };

/** The pack is there twice: as it stands, and with each value that nobody waits for marked. */
const [asWritten, marked] = ['pack', 'marked'];
const compileMs = 60_000;

/**
 * What is wrong with the types of a pack, as the compiler sees it with this Firebreak: mistakes, and steps and questions that nobody waits for. Some
 * tenths of a second. TypeScript is that beside this Firebreak, or of the
 * folder in which the command runs.
 *
 * @param folder where the pack is, for the types that it has installed; absent: of a tarball.
 */
export function checkTypes(pack: PackFiles, folder?: string): CheckedTypes {
  // Never that of a pack which lies elsewhere: a compiler runs with the rights of whoever looks at the pack.
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
    const compiled = spawnSync(process.execPath, [compiler, '-p', '.', '--pretty', 'false'], {
      cwd: stage,
      encoding: 'utf8',
      timeout: compileMs,
      maxBuffer: 16 * 1024 * 1024,
    });
    if (compiled.status === null) return { notChecked: 'the compiler did not end' };
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

/** What the pack has installed, as Node finds it from there. */
function modulesOf(folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  const modules = join(folder, 'node_modules');
  if (existsSync(modules)) return modules;
  return dirname(folder) === folder ? undefined : modulesOf(dirname(folder));
}

/** A promise lacks an argument: the compiler then says so at the mark. */
const marks = `declare function ${mark}<T>(
  value: T,
  ...more: 0 extends 1 & T ? [] : [Extract<T, PromiseLike<unknown> | readonly PromiseLike<unknown>[]>] extends [never] ? [] : [never]
): T;
`;

function settings(modules: string | undefined, { main, files }: PackFiles): object {
  // No module of the pack imports what its actions do.
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
      // Behind a loop without an end the compiler knows no more what anything is, and would say that of each line.
      allowUnreachableCode: false,
      // With the Firebreak that runs it: the pack may have installed another version.
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
      // What the compiler says first is of the whole; what it says last, of the part that does not fit.
      const rest = lines.slice(at + 1);
      const end = rest.findIndex((one) => !one.startsWith(' '));
      const details = [found.text ?? '', ...rest.slice(0, end === -1 ? rest.length : end)];
      const reason = [...details.slice(0, 1), ...details.slice(1).slice(-1)].map((one) => one.trim());
      faults.push({
        file,
        line,
        problem: `${[...new Set(reason)].map((one) => shortened(one.replace(/\.$/, ''))).join(': ')} (${code})`,
        remedy: remedyOf(details.join('\n')),
      });
    }
  }
  for (const [file, { places: all }] of places) for (const place of all) if (place.isSurely) faults.push(unwaited(file, place));
  return faults
    .filter((fault) => !faults.some((one) => isBehind(fault, one)))
    .toSorted((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** What it says of lines to which nothing leads. */
const unreachable = 'Unreachable code detected';

function isBehind({ file, line }: PackFault, other: PackFault): boolean {
  return other.problem.startsWith(unreachable) && other.file === file && other.line < line;
}

/** Types that the compiler writes out say little from some length on. */
function shortened(text: string): string {
  return text.replaceAll(/'([^']{60})[^']{60,}'/g, "'$1…'");
}

/** What to do, of what the compiler only says that it does not fit. */
function remedyOf(text: string): string {
  const [, needed] = /NotInRequires<"(\w+)"/.exec(text) ?? [];
  if (needed !== undefined) return `Add '${needed}' to on.requires, or check that it is there.`;
  if (/to (?:parameter of )?type '(?:Duration|`\$\{Digit\})/.test(text))
    return "Write a number and its unit: '30s', '15m', '4h' or '2d'.";
  const [, unused, meant] = /Property '(\w+)' does not exist on type 'Steps<.*?(?:Did you mean '(\w+)'\?|$)/m.exec(text) ?? [];
  if (unused !== undefined)
    return `${meant === undefined ? 'Add' : `Write ${meant}, or add`} ${unused} to uses, imported from firebreak/actions.`;
  if (text.startsWith(unreachable))
    return 'What stands above never ends, or always leaves: end its loop, or remove what stands here.';
  if (/"firebreak\/actions"' has no exported member/.test(text)) return 'Write it as `firebreak actions list` does.';
  if (/Type 'Promise<.*is not assignable/.test(text)) return 'Write await before it.';
  if (/^Expected \d+ arguments, but got \d+/.test(text))
    return 'Add what is missing. A release and a destructive step need the approval of the question that offered their plan: answer.approval.';
  const [, missing] = /Property '(\w+)' is missing in type/.exec(text) ?? [];
  if (missing === 'requires')
    return "Add requires: ['pod'] to on, for a body that needs alert.pod; [] for one that needs nothing of it.";
  if (missing !== undefined) return `Add ${missing}: docs/playbook-body.md and docs/matching.md say what for.`;
  return 'Types say what would be refused, or missing, when it runs.';
}

function unwaited(file: string, { line, text, name }: Unwaited): PackFault {
  return {
    file,
    line,
    problem: name === undefined ? `nobody waits for “${text}”: an await is missing` : `nobody waits for ${name}, of “${text}”`,
    remedy:
      name === undefined
        ? 'Write await before it, or for … of in place of forEach. Next to others: const part = …, and await part later. On purpose: void before it.'
        : `Write await ${name} where it has to be over, or await settle({ ${name} }).`,
  };
}
