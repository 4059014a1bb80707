import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { goEnvironment } from '../../setup/go-build.mjs';
import { goProgram } from '../go-program.ts';

const module = join('tools', 'platform', 'gitops', 'argo');
/** The last version that builds from published modules: 3.2.12 does not compile, and later ones have their engine in a folder that is in no module. */
const version = 'v3.2.11';

/**
 * Argo CD, built with Go from its module, once: takes a quarter of an hour of CPU time. One program for all its parts, chosen by `ARGOCD_BINARY_NAME`.
 * Undefined if there is no Go. Throws FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function argoCd(onProgress: OnProgress): Promise<string | undefined> {
  const program = { name: 'argo-cd', module, target: 'tool', linked: {}, pinned: 1, title: `Argo CD ${version}` };
  const folder = await goProgram(program, onProgress);
  return folder && join(folder, 'cmd');
}

/** The definitions of its custom resources, from the same module. */
export async function argoDefinitions(): Promise<readonly { readonly metadata: { readonly name: string } }[]> {
  const args = ['mod', 'download', '-json', `github.com/argoproj/argo-cd/v3@${version}`];
  const { stdout } = await runCommand({ command: 'go', args, cwd: join(projectRoot(), module), env: goEnvironment() });
  const { Dir: folder }: { readonly Dir: string } = JSON.parse(stdout);
  return ['application', 'appproject'].map((kind) =>
    parse(readFileSync(join(folder, 'manifests', 'crds', `${kind}-crd.yaml`), 'utf8')),
  );
}
