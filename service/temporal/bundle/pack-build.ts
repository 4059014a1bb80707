import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { FirebreakError } from '../../../core/errors.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import type { ConfiguredPack } from '../../config/complete/complete-packs.ts';
import { noInspector } from '../../launcher/node-flags.mjs';
import { readPack } from '../../packs/pack-files.ts';
import { writePack } from '../../packs/pack-program.ts';
import { readBuild, type WorkflowBuild } from './bundle.ts';

const rooms = join(import.meta.dirname, '..', '..', '..');
const extension = extname(import.meta.filename);
/** `npm run build` puts it next to the rooms. */
const shippedPath = join(rooms, 'workflows.bundle.js');
const buildMs = 300_000;

/** A pack as passed to `bundle-main`: its code has been checked, and is in a folder. */
export interface PackToBundle {
  readonly name: string;
  readonly main: string;
  readonly folder: string;
}

/** A job for `bundle-main`. */
export interface PacksJob {
  readonly from: string;
  readonly outFile: string;
  readonly packs: readonly PackToBundle[];
}

export const bundlerArgs = [
  noInspector,
  '--disable-warning=ExperimentalWarning',
  join(import.meta.dirname, `bundle-main${extension}`),
] as const;

/**
 * Returns the build that new incidents start on: what is shipped, with the configured packs appended. With packs it is made once, in some tenths of a second,
 * by a separate process, because parsing their code would cost this one memory for good; after that it is read from the state directory.
 *
 * @throws FB_ERR_CONFIG_INVALID if a pack has changed since it was read, or cannot be bundled.
 */
export async function workflowBuild({
  packs,
  stateDir,
  engine = shippedPath,
  bundle = bundledOnce,
}: {
  readonly packs: readonly Pick<ConfiguredPack, 'name' | 'source' | 'integrity'>[];
  readonly stateDir: string;
  /** The bundled engine with what is shipped (`*.bundle.js`). */
  readonly engine?: string;
  /** Appends packs to it. Absent: a process is started for that. */
  readonly bundle?: (job: PacksJob) => Promise<void>;
}): Promise<WorkflowBuild> {
  if (packs.length === 0) return readBuild(engine);
  const key = createHash('sha256');
  // A checkout that runs from source has no bundle: the build is made each time.
  const isBundled = existsSync(engine);
  if (isBundled) key.update(readBuild(engine).id);
  for (const { name, integrity } of packs) key.update(`\0${name}\0${integrity}`);
  const outFile = join(stateDir, 'packs', `${key.digest('hex').slice(0, 32)}.js`);
  if (existsSync(outFile) && isBundled) {
    utimesSync(outFile, new Date(), new Date());
    return readBuild(outFile);
  }
  ensureFolderSync(join(stateDir, 'packs'));
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-packs-'));
  try {
    const listed = packs.map(({ name, source, integrity }): PackToBundle => {
      const files = readPack(source);
      if (files.integrity !== integrity)
        throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the pack ${name} has changed since the configuration was read`);
      writePack(files, join(folder, name));
      return { name, folder: join(folder, name), main: files.main };
    });
    const draft = `${outFile}.${process.pid}`;
    const from = isBundled ? engine : join(rooms, 'workflows', `index${extension}`);
    await bundle({ from, outFile: draft, packs: listed });
    renameSync(draft, outFile);
    removeOthers(outFile);
    return readBuild(outFile);
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    const line = said.split('\n').find((one) => /^\w*Error: /.test(one)) ?? said.slice(0, 500);
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the packs cannot be built: ${line}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bundledOnce({ from, outFile, packs }: PacksJob): Promise<void> {
  await promisify(execFile)(process.execPath, [...bundlerArgs, from, outFile, JSON.stringify(packs)], {
    env: { PATH: process.env.PATH },
    timeout: buildMs,
  });
}

/** Versions of one pack kept while each still has incidents. */
const mostKept = 2;

/** What an open incident needs is also in `builds`: this folder only needs the builds that new incidents start on. */
function removeOthers(outFile: string): void {
  const folder = dirname(outFile);
  const others = readdirSync(folder)
    .filter((file) => /\.js(\.\d+)?$/.test(file))
    .map((file) => join(folder, file))
    .filter((file) => file !== outFile)
    .map((file) => ({ file, usedAt: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.usedAt - a.usedAt);
  for (const { file } of others.slice(mostKept - 1)) rmSync(file, { force: true });
}
