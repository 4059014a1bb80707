import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileSync } from '../../../integrations/replace-file.ts';

/** One build of the workflows: everything that an incident's history depends on, in one file. */
export interface WorkflowBuild {
  /** First 16 hex digits of the SHA-256 of the code: the same source gives the same id on every machine. */
  readonly id: string;
  readonly path: string;
}

export function readBuild(path: string): WorkflowBuild {
  return { id: createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16), path };
}

/** Stores the build in the state directory: an incident that began on it finishes on it, however the playbooks change. */
export function storeBuild(build: WorkflowBuild, stateDir: string): WorkflowBuild {
  return storeCode(build.id, readFileSync(build.path), stateDir);
}

/** The same for code in memory. */
export function storeCode(id: string, code: Uint8Array, stateDir: string): WorkflowBuild {
  const path = join(buildsFolder(stateDir), `${id}.js`);
  replaceFileSync({ path, content: code });
  return { id, path };
}

export function storedBuild(id: string, stateDir: string): WorkflowBuild | undefined {
  try {
    const build = readBuild(join(buildsFolder(stateDir), `${id}.js`));
    return build.id === id ? build : undefined;
  } catch {
    return undefined;
  }
}

/** A build is kept this long after it was last found to be needed: somebody may reset a run, and Temporal may be restored from a backup. */
const keptMs = 7 * 86_400_000;

/** Builds in the state directory, each with the time when it is removed if nothing needs it from now on, in milliseconds since 1970. */
export function storedBuilds(stateDir: string): ReadonlyMap<string, number> {
  const folder = buildsFolder(stateDir);
  const ids = filesIn(folder).flatMap((file) => /^([0-9a-f]{16})\.js$/.exec(file)?.[1] ?? []);
  return new Map(
    ids.flatMap((id) => {
      const neededAt = statSync(join(folder, `${id}.js`), { throwIfNoEntry: false })?.mtimeMs;
      return neededAt === undefined ? [] : [[id, neededAt + keptMs] as const];
    }),
  );
}

/** Notes which builds are needed now and removes those not needed for a week. Returns the removed ones. */
export function removeRetired(options: {
  readonly stateDir: string;
  readonly needed: readonly string[];
  readonly nowMs: number;
}): readonly string[] {
  const { stateDir, needed, nowMs } = options;
  const folder = buildsFolder(stateDir);
  const removed: string[] = [];
  for (const [id, until] of storedBuilds(stateDir)) {
    const path = join(folder, `${id}.js`);
    if (needed.includes(id)) utimesSync(path, nowMs / 1_000, nowMs / 1_000);
    else if (until < nowMs) {
      rmSync(path, { force: true });
      removed.push(id);
    }
  }
  return removed;
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Nothing has ever been stored here.
    return [];
  }
}

function buildsFolder(stateDir: string): string {
  return join(stateDir, 'builds');
}
