import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { OwnAction } from '../../core/action/own-action.ts';
import { actions } from '../../core/actions/index.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { ReleaseStatement } from '../../core/playbook/release.ts';
import { problemsOfSchedule } from '../../core/playbook/schedule.ts';
import { ownActionsFrom } from './own-actions.ts';
import { implementations, type PackFiles } from './pack-files.ts';

/** What a pack says of itself: data, nothing of it runs. */
export interface DescribedPack {
  readonly name: string;
  readonly version: string;
  /** Under their full ids. */
  readonly playbooks: readonly AnyPlaybook[];
  /** Under their full names. */
  readonly actions: readonly OwnAction[];
}

const name = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/);
const envelope = z.looseObject({
  id: z.string().regex(/^[a-z][a-z0-9-]{0,39}\/[a-z][a-z0-9-]{0,39}$/),
  title: z.string().min(1).max(200),
  on: z.looseObject({
    minSeverity: z.string(),
    requires: z.array(z.enum(['pod', 'node', 'workload'])),
    schedule: z
      .looseObject({
        every: z.string().optional(),
        cron: z.string().optional(),
        timeZone: z.string().optional(),
        catchUp: z.string().optional(),
        about: z.looseObject({ namespace: z.string() }).optional(),
      })
      .optional(),
  }),
  uses: z.record(z.string(), z.looseObject({ name: z.string() })),
  params: z.record(z.string(), z.looseObject({ kind: z.string() })).optional(),
  levels: z
    .array(z.looseObject({ group: z.string(), within: z.string() }))
    .min(1)
    .optional(),
});
const description = z.looseObject({
  name,
  version: z.string().min(1).max(50),
  playbooks: z.array(envelope).min(1).max(500),
  actions: z.array(z.unknown()).max(100).default([]),
});

/** Puts the files of a pack into a folder, as a build sees them; `with implementations` as the process of its actions does. */
export function writePack({ files }: Pick<PackFiles, 'files'>, folder: string, what?: 'with implementations'): void {
  for (const [file, content] of files) {
    if (what === undefined && file.startsWith(`${implementations}/`)) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), content);
  }
}

const programMs = 30_000;
/** To go through every answer of many playbooks, on a machine that has other work. */
const longProgramMs = 300_000;

/**
 * What a program prints that runs the modules of a pack: `PROGRAM FOLDER MAIN`, without an environment, which may read the pack and Firebreak's code
 * alone. Whoever runs it has looked at `packFaults` before.
 *
 * @param program path of it, as a source.
 * @param input what it reads as JSON.
 * @throws Error in words for its author.
 */
export async function runPackProgram(pack: PackFiles, program: string, input: unknown): Promise<string> {
  const prepared = prepareProgram(pack, program);
  try {
    const options = { ...prepared.options, timeout: longProgramMs, maxBuffer: mostBytes };
    const running = promisify(execFile)(process.execPath, prepared.args, options);
    // Where it has ended before it has read, its end says more.
    running.child.stdin?.on('error', () => undefined);
    running.child.stdin?.end(JSON.stringify(input));
    return (await running).stdout;
  } catch (error) {
    const killed = error instanceof Error && 'killed' in error && error.killed === true;
    if (killed) throw new Error(`${pack.main}: it has not ended after ${longProgramMs / 60_000} minutes`);
    throw new Error(
      reasonIn(error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error), prepared.folder),
    );
  } finally {
    rmSync(prepared.folder, { recursive: true, force: true });
  }
}

const mostBytes = 16 * 1024 * 1024;

function prepareProgram(pack: PackFiles, program: string) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-pack-'));
  writePack(pack, folder);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const root = join(import.meta.dirname, '..', '..');
  const readable = [folder, ...codeFolders(root)].map((path) => `--allow-fs-read=${path}`);
  const flags = ['--permission', ...readable, '--disable-warning=ExperimentalWarning', '--disable-warning=SecurityWarning'];
  const file = `${join(root, program)}${extname(import.meta.filename)}`;
  return {
    folder,
    args: [...flags, file, folder, pack.main],
    options: { env: {}, cwd: folder, encoding: 'utf8', timeout: programMs } as const,
  };
}

/**
 * The envelopes of a pack. Its modules are run for it once, by a process without an environment that may read the pack and Firebreak's code alone.
 * Whoever runs it has looked at `packFaults` before.
 *
 * @throws Error in words for its author.
 */
export function describePack(pack: PackFiles): { readonly pack: DescribedPack; readonly raw: unknown } {
  const { folder, args, options } = prepareProgram(pack, 'service/packs/describe-main');
  try {
    const told = spawnSync(process.execPath, args, { ...options, maxBuffer: mostBytes });
    if (told.status !== 0) throw new Error(reasonIn(told.stderr, folder));
    const raw: unknown = JSON.parse(told.stdout);
    return { pack: packFrom(raw, pack), raw };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the modules of a pack need of Firebreak: not all that lies beside it, of which a checkout has more. */
export function codeFolders(root: string): readonly string[] {
  const rooms = ['authoring', 'core', 'activities', 'integrations', 'playbooks', 'workflows', 'testing', 'service'];
  return [...rooms.map((room) => join(root, room)), ...packageFolders(root)];
}

/**
 * Where the packages lie that Firebreak's doors import, and its own `package.json`: as they are found from its folder, and where they really are, since
 * some installers link them.
 */
function packageFolders(root: string): readonly string[] {
  const found: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    for (const name of ['node_modules', 'package.json']) if (existsSync(join(folder, name))) found.push(join(folder, name));
    if (dirname(folder) === folder) break;
  }
  const real = ['@noble/hashes/sha2.js', 'canonicalize', 'lru-cache', 'zod', 'axios'].map(
    (name) => new URL(import.meta.resolve(name)).pathname,
  );
  return [...found, ...real.map((path) => `${path.split('/node_modules/')[0]}/node_modules`)];
}

/** What changes when envelopes are judged otherwise. */
export function codeOfPacks(): string {
  const files = [
    'describe',
    'own-actions',
    '../../core/action/own-action',
    '../../core/playbook/pack',
    '../../core/playbook/playbook',
    '../../core/playbook/schedule',
  ];
  return files
    .map((file) => readFileSync(join(import.meta.dirname, `${file}${extname(import.meta.filename)}`), 'utf8'))
    .join('\0');
}

/** The last error that Node printed, with the place in the pack: where it was thrown, or what of the pack had called that. */
function reasonIn(stderr: string, folder: string): string {
  const lines = stderr.split('\n');
  const error =
    lines.find((line) => /^\w*Error\b.*: /.test(line)) ?? lines.find((line) => line.trim() !== '') ?? 'it ended without a word';
  // A line of the stack; or the first of all, of what Node could not read.
  const ours = lines.find((line, at) => line.includes(`${folder}/`) && (at === 0 || /^\s+at /.test(line)));
  const place = ours?.split(`${folder}/`)[1]?.match(/^([\w./-]+\.[jt]s:\d+)/)?.[1];
  const text = error.replaceAll(`file://${folder}/`, '').replaceAll(`${folder}/`, '');
  return place === undefined ? text : `${place}: ${text}`;
}

/** As a pack has said them: what its publisher signs. */
export function declarationsIn(raw: unknown): Pick<ReleaseStatement, 'playbooks' | 'actions'> {
  const { playbooks, actions: own }: { readonly playbooks?: unknown; readonly actions?: unknown } =
    typeof raw === 'object' && raw !== null ? raw : {};
  return { playbooks: Array.isArray(playbooks) ? playbooks : [], actions: Array.isArray(own) ? own : [] };
}

/** What a pack has said of itself, checked. @throws Error in words for its author. */
export function packFrom(value: unknown, files: PackFiles): DescribedPack {
  const { main } = files;
  const parsed = description.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const at = issue?.path.join('.');
    throw new Error(`${main}: export default definePack(…): ${at ? `${at}: ` : ''}${issue?.message ?? 'not a pack'}`);
  }
  const { name: pack, version, playbooks } = parsed.data;
  const own = ownActionsFrom(parsed.data.actions, pack, files);
  return {
    name: pack,
    version,
    actions: own,
    playbooks: playbooks.map((playbook) => {
      if (!playbook.id.startsWith(`${pack}/`))
        throw new Error(`${main}: ${playbook.id} is no playbook of the pack ${pack}: use definePack`);
      const uses = Object.fromEntries(
        Object.entries(playbook.uses).map(([as, used]) => {
          // As it has been checked, or ours: what an action may do, no envelope says.
          const declared = [...actions, ...own].find((action) => action.name === used.name);
          if (!declared) throw new Error(`${main}: ${playbook.id} uses ${used.name}, which is no action of this Firebreak`);
          return [as, declared];
        }),
      );
      // `definePlaybook` has made it, of the copy of this package that the pack has.
      const described = { ...playbook, uses } as unknown as AnyPlaybook;
      const [problem] = described.on.schedule ? problemsOfSchedule(described.on.schedule, described.params) : [];
      if (problem !== undefined) throw new Error(`${main}: ${playbook.id}: its schedule: ${problem}`);
      return described;
    }),
  };
}
