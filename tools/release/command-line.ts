import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import { pack } from '../image/oci.ts';
import { copyPages } from '../image/pages.ts';

/** The program in the archive; krew links `kubectl-firebreak` to it. */
const program = 'bin/firebreak.mjs';

/** Excluded: types are for pack authors, who install the package, and maps are for Firebreak's developers. */
const left = /\.(d\.ts|map)$/;

/** The command line as one archive (tar, gzip) that runs where it is unpacked, under an existing Node: docs/decisions/command-line-archive.md. */
export async function commandLineArchive(root: string): Promise<Uint8Array> {
  const work = mkdtempSync(join(tmpdir(), 'firebreak-command-line-'));
  try {
    const folder = join(work, 'firebreak');
    mkdirSync(join(folder, dirname(program)), { recursive: true });
    cpSync(join(root, 'dist'), join(folder, 'dist'), {
      recursive: true,
      filter: (from) => !left.test(from) && !from.endsWith('.sources'),
    });
    for (const file of [program, 'package.json', 'LICENSE']) copyFileSync(join(root, file), join(folder, file));
    copyPages(root, folder);
    chmodSync(join(folder, program), 0o755);
    await pack(folder, join(work, 'archive.tar'));
    return gzipSync(readFileSync(join(work, 'archive.tar')), { level: 9 });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The manifest by which krew installs the archive as `kubectl firebreak`: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/ */
export function krewManifest(archive: { readonly version: string; readonly uri: string; readonly sha256: string }): string {
  const { version, uri, sha256 } = archive;
  return stringify(
    {
      apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
      kind: 'Plugin',
      metadata: { name: 'firebreak' },
      spec: {
        version: `v${version}`,
        homepage: 'https://firebreak.dev',
        shortDescription: 'Contain pods and answer security incidents',
        description:
          'Shows what Firebreak has contained and why, quarantines a pod, answers the questions of an incident, and releases what was contained.',
        caveats: 'Needs Node 22.19 or newer on PATH, and a configuration: --config FILE or FIREBREAK_CONFIG.',
        platforms: [
          {
            selector: { matchExpressions: [{ key: 'os', operator: 'In', values: ['linux', 'darwin'] }] },
            uri,
            sha256,
            bin: program,
          },
        ],
      },
    },
    { lineWidth: 0 },
  );
}
