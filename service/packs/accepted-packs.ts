import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { systemErrorCode } from '../../core/system-error.ts';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { replaceFileSync } from '../../integrations/replace-file.ts';
import { isRunning, startOf } from '../../integrations/running-process.ts';
import { type PackFiles, packOf } from './pack-files.ts';

const acceptedSchema = z.object({
  /** Of the process that runs them, and when the system started it: another process may have the number later. */
  pid: z.int().positive(),
  started: z.string().optional(),
  packs: z.array(z.object({ folder: z.string(), integrity: z.string(), files: z.array(z.tuple([z.string(), z.base64()])) })),
});

/** A watched pack as the service has taken it last. */
interface AcceptedPack {
  /** Where it is written: by now there may be something else. */
  readonly folder: string;
  readonly pack: PackFiles;
}

function fileOf(stateDir: string): string {
  return join(stateDir, 'packs', 'watched.json');
}

/**
 * Leaves in the state directory what this service, which watches packs, runs of them, for commands that go by its configuration, as long as it lives. What
 * lies in the folder may be half written, and nothing pins it. No service ever runs what is left here.
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

/** What a service with this state directory runs of packs that it watches; none where none watches, or it has ended, however that was. */
export function acceptedPacks(stateDir: string): readonly AcceptedPack[] {
  let text: string;
  try {
    text = readFileSync(fileOf(stateDir), 'utf8');
  } catch (error) {
    // Who may not read the state directory goes by the file alone.
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
