import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { systemErrorCode } from '../../core/system-error.ts';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { replaceFileSync } from '../../integrations/replace-file.ts';
import { isRunning, startOf } from '../../integrations/running-process.ts';
import { type PackFiles, packOf } from './pack-files.ts';

const acceptedSchema = z.object({
  /** The process that runs them, and when the system started it, because another process may get the same number later. */
  pid: z.int().positive(),
  started: z.string().optional(),
  packs: z.array(z.object({ folder: z.string(), integrity: z.string(), files: z.array(z.tuple([z.string(), z.base64()])) })),
});

/** A watched pack as the service last accepted it. */
interface AcceptedPack {
  /** Where it is written; its content may have changed since. */
  readonly folder: string;
  readonly pack: PackFiles;
}

function fileOf(stateDir: string): string {
  return join(stateDir, 'packs', 'watched.json');
}

/**
 * Records in the state directory what this service, which watches packs, runs of them, for commands that use its configuration while it lives. The content of
 * the folder itself may be half written, and nothing pins it. No service ever runs what is recorded here.
 */
export function keepAccepted(stateDir: string, taken: readonly AcceptedPack[]): void {
  const path = fileOf(stateDir);
  if (taken.length === 0) {
    rmSync(path, { force: true });
    return;
  }
  ensureFolderSync(dirname(path));
  const said: z.infer<typeof acceptedSchema> = {
    pid: process.pid,
    started: startOf(process.pid),
    packs: taken.map(({ folder, pack: { integrity, files } }) => ({
      folder,
      integrity,
      files: [...files].map(([file, content]) => [file, content.toString('base64')]),
    })),
  };
  replaceFileSync({ path, content: Buffer.from(JSON.stringify(said)) });
}

/** Returns what a service with this state directory runs of the packs it watches; empty if no service watches packs, or if it has ended for any reason. */
export function acceptedPacks(stateDir: string): readonly AcceptedPack[] {
  let text: string;
  try {
    text = readFileSync(fileOf(stateDir), 'utf8');
  } catch (error) {
    // A caller that may not read the state directory relies on the file alone.
    if (systemErrorCode(error) !== undefined) return [];
    throw error;
  }
  const { pid, started, packs } = acceptedSchema.parse(JSON.parse(text));
  if (!lives(pid, started)) return [];
  return packs.map(({ folder, integrity, files }) => {
    const contents = new Map(files.map(([file, content]) => [file, Buffer.from(content, 'base64')] as const));
    return { folder, pack: packOf(contents, folder, integrity) };
  });
}

function lives(pid: number, started: string | undefined): boolean {
  return started === undefined ? isRunning(pid) : startOf(pid) === started;
}
