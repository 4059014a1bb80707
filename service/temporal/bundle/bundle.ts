import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
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

/** Keeps the build in the state directory: an incident that it began is finished by it, however the playbooks change. */
export function storeBuild(build: WorkflowBuild, stateDir: string): WorkflowBuild {
  return storeCode(build.id, readFileSync(build.path), stateDir);
}

/** The same for code that is in memory. */
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

function buildsFolder(stateDir: string): string {
  return join(stateDir, 'builds');
}
