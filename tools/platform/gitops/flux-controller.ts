import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { goEnvironment } from '../../setup/go-build.mjs';
import { goProgram } from '../go-program.ts';

const module = join('tools', 'platform', 'gitops', 'flux');

/** Where the kinds are defined that the controller reads and writes. */
const definitions = [
  ['github.com/fluxcd/kustomize-controller@v1.9.6', ['kustomize.toolkit.fluxcd.io_kustomizations']],
  [
    'github.com/fluxcd/source-controller@v1.9.3',
    ['buckets', 'externalartifacts', 'gitrepositories', 'ocirepositories'].map((kind) => `source.toolkit.fluxcd.io_${kind}`),
  ],
] as const;

/**
 * Flux's kustomize-controller, built with Go from its module, once: takes five minutes of CPU time. Undefined if there is no Go. Throws
 * FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
export async function fluxController(onProgress: OnProgress): Promise<string | undefined> {
  const program = {
    name: 'flux-kustomize',
    module,
    target: 'tool',
    linked: {},
    pinned: 1,
    title: 'kustomize-controller of Flux',
  };
  const folder = await goProgram(program, onProgress);
  return folder && join(folder, 'kustomize-controller');
}

/** The definitions of its custom resources, from the same modules. */
export async function fluxDefinitions(): Promise<readonly { readonly metadata: { readonly name: string } }[]> {
  const found = await Promise.all(
    definitions.map(async ([version, names]) => {
      const args = ['mod', 'download', '-json', version];
      const { stdout } = await runCommand({ command: 'go', args, cwd: join(projectRoot(), module), env: goEnvironment() });
      const { Dir: folder }: { readonly Dir: string } = JSON.parse(stdout);
      return names.map((name) => parse(readFileSync(join(folder, 'config', 'crd', 'bases', `${name}.yaml`), 'utf8')));
    }),
  );
  return found.flat();
}
