import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { migrations } from '../../integrations/database/migrations.ts';
import { firebreakVersion, projectRoot } from '../../service/process/project-root.ts';
import { readBuild } from '../../service/temporal/bundle/bundle.ts';
import { contractOf, keepContract } from '../docs/contract.ts';
import { withDeclarations } from '../docs/declarations.ts';

/** What is kept of the last release: its workflows, with which its open incidents continue under this version, and what it did to the database. */
interface LastRelease {
  readonly version: string;
  /** Build id of its workflows. */
  readonly build: string;
  /** SHA-256 of each of its migrations, in order: a released migration is never edited. */
  readonly migrations: readonly string[];
}

const folder = join(projectRoot(), 'test', 'fixtures', 'releases');
const [aboutFile, bundleFile] = [join(folder, 'last.json'), join(folder, 'last.bundle.js.gz')];

export function readLastRelease(): LastRelease {
  return JSON.parse(readFileSync(aboutFile, 'utf8'));
}

/** The code of its workflows. */
export function lastBundle(): Uint8Array {
  return gunzipSync(readFileSync(bundleFile));
}

export function migrationDigest({ statements, back, isBreaking }: (typeof migrations)[number]): string {
  const text = JSON.stringify([statements, back, isBreaking ?? false]);
  return createHash('sha256').update(text.replace(/\s+/g, ' ')).digest('hex');
}

/** Replaces it with the current build. */
function keep(): LastRelease {
  const bundle = join(projectRoot(), 'dist', 'workflows.bundle.js');
  const kept = { version: firebreakVersion(), build: readBuild(bundle).id, migrations: migrations.map(migrationDigest) };
  mkdirSync(folder, { recursive: true });
  writeFileSync(bundleFile, gzipSync(readFileSync(bundle), { level: 9 }));
  keepContract(withDeclarations(contractOf));
  writeFileSync(aboutFile, `${JSON.stringify(kept, undefined, 2)}\n`);
  return kept;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { version, build } = keep();
  process.stdout.write(`kept the workflows of ${version}, build ${build}\n`);
}
