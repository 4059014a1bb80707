import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { z } from 'zod';
import { actions } from '../../core/actions/index.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { PackFiles } from './pack-files.ts';

/** What a pack says of itself: data, nothing of it runs. */
export interface DescribedPack {
  readonly name: string;
  readonly version: string;
  /** Under their full ids. */
  readonly playbooks: readonly AnyPlaybook[];
}

const name = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/);
const envelope = z.looseObject({
  id: z.string().regex(/^[a-z][a-z0-9-]{0,39}\/[a-z][a-z0-9-]{0,39}$/),
  title: z.string().min(1).max(200),
  on: z.looseObject({ minSeverity: z.string(), requires: z.array(z.enum(['pod', 'node', 'workload'])) }),
  uses: z.record(z.string(), z.looseObject({ name: z.string() })),
  params: z.record(z.string(), z.looseObject({ kind: z.string() })).optional(),
  levels: z
    .array(z.looseObject({ group: z.string(), within: z.string() }))
    .min(1)
    .optional(),
});
const description = z.looseObject({ name, version: z.string().min(1).max(50), playbooks: z.array(envelope).min(1).max(500) });

/** Puts the files of a pack into a folder, as a build sees them. */
export function writePack({ files }: Pick<PackFiles, 'files'>, folder: string): void {
  for (const [file, content] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), content);
  }
}

const describeMs = 30_000;

/**
 * The envelopes of a pack. Its modules are run for it once, by a process without an environment that may read the pack and Firebreak's code alone.
 * Whoever runs it has looked at `packFaults` before.
 *
 * @throws Error in words for its author.
 */
export function describePack(pack: PackFiles): { readonly pack: DescribedPack; readonly raw: unknown } {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-pack-'));
  try {
    writePack(pack, folder);
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const root = join(import.meta.dirname, '..', '..');
    const program = join(import.meta.dirname, `describe-main${extname(import.meta.filename)}`);
    const readable = [folder, root, ...packageFolders(root)].map((path) => `--allow-fs-read=${path}`);
    const flags = ['--permission', ...readable, '--disable-warning=ExperimentalWarning', '--disable-warning=SecurityWarning'];
    const told = spawnSync(process.execPath, [...flags, program, folder, pack.main], {
      env: {},
      cwd: folder,
      encoding: 'utf8',
      timeout: describeMs,
      maxBuffer: 16 * 1024 * 1024,
    });
    if (told.status !== 0) throw new Error(reasonIn(told.stderr, folder));
    const raw: unknown = JSON.parse(told.stdout);
    return { pack: packFrom(raw, pack.main), raw };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
  const real = ['@noble/hashes/sha2.js', 'canonicalize'].map((name) => new URL(import.meta.resolve(name)).pathname);
  return [...found, ...real.map((path) => `${path.split('/node_modules/')[0]}/node_modules`)];
}

/** What changes when envelopes are judged otherwise. */
export function codeOfPacks(): string {
  const files = ['describe', '../../core/playbook/pack', '../../core/playbook/playbook'];
  return files
    .map((file) => readFileSync(join(import.meta.dirname, `${file}${extname(import.meta.filename)}`), 'utf8'))
    .join('\0');
}

/** The last error that Node printed, with the place in the pack. */
function reasonIn(stderr: string, folder: string): string {
  const lines = stderr.replaceAll(`file://${folder}/`, '').replaceAll(`${folder}/`, '').split('\n');
  const error =
    lines.find((line) => /^\w*Error\b.*: /.test(line)) ?? lines.find((line) => line.trim() !== '') ?? 'it ended without a word';
  const place = lines.find((line) => /^\s+at .*?[\w./-]+\.[jt]s:\d+/.test(line))?.match(/([\w./-]+\.[jt]s:\d+)/)?.[1];
  return place === undefined ? error : `${place}: ${error}`;
}

/** What a pack has said of itself, checked. @throws Error in words for its author. */
export function packFrom(value: unknown, main: string): DescribedPack {
  const parsed = description.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const at = issue?.path.join('.');
    throw new Error(`${main}: export default definePack(…): ${at ? `${at}: ` : ''}${issue?.message ?? 'not a pack'}`);
  }
  const { name: pack, version, playbooks } = parsed.data;
  return {
    name: pack,
    version,
    playbooks: playbooks.map((playbook) => {
      if (!playbook.id.startsWith(`${pack}/`))
        throw new Error(`${main}: ${playbook.id} is no playbook of the pack ${pack}: use definePack`);
      const uses = Object.fromEntries(
        Object.entries(playbook.uses).map(([as, used]) => {
          // Its declaration is ours: what an action may do, no pack says.
          const own = actions.find((action) => action.name === used.name);
          if (!own) throw new Error(`${main}: ${playbook.id} uses ${used.name}, which is no action of this Firebreak`);
          return [as, own];
        }),
      );
      // `definePlaybook` has made it, of this build.
      return { ...playbook, uses } as unknown as AnyPlaybook;
    }),
  };
}
