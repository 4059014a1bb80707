import { symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { cachedPart, type OnProgress } from '../../../service/parts/cache.ts';
import { findOnPath } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { type GoProgram, goProgram } from '../go-program.ts';
import { kubernetesProgram } from '../kubernetes/kubelab-binary.ts';

const containerdVersion = '2.3.7';

const built: readonly GoProgram[] = [
  {
    name: 'containerd',
    module: 'tools/platform/kubelab/containerd',
    target: 'tool',
    linked: { 'github.com/containerd/containerd/v2/version.Version': containerdVersion },
    pinned: containerdVersion,
    title: `containerd ${containerdVersion}`,
  },
  {
    name: 'policy',
    module: 'tools/platform/kubelab/policy',
    target: '.',
    linked: {},
    pinned: '',
    title: 'the policy controller',
  },
];

/**
 * Makes one folder with all programs of a real node: kubelet, containerd with its shim and ctr, policy, and a criu that works on this kernel if the machine has
 * one. Throws FB_ERR_PLATFORM_PART_MISSING.
 */
export async function nodePrograms(folder: string, onProgress: OnProgress): Promise<void> {
  for (const program of await buildNodePrograms(onProgress)) symlinkSync(program, join(folder, basename(program)));
  await wrapCriu(folder, onProgress);
}

/** The paths of those that are built with Go, once. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function buildNodePrograms(onProgress: OnProgress): Promise<readonly string[]> {
  const programs: string[] = [];
  for (const program of built) {
    const part = await goProgram(program, onProgress);
    if (!part) throw noGo(program.title);
    const names = program.name === 'containerd' ? ['containerd', 'containerd-shim-runc-v2', 'ctr'] : [program.name];
    programs.push(...names.map((name) => join(part, name)));
  }
  const kubelet = await kubernetesProgram('kubelet', onProgress);
  if (!kubelet) throw noGo('the kubelet');
  return [...programs, kubelet];
}

function noGo(title: string): FirebreakError {
  return new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `${title}: put Go 1.26 or newer on PATH`);
}

/** Puts criu under its name first on the node's PATH. Without a C compiler it is the machine's own, and an old one may crash. */
async function wrapCriu(folder: string, onProgress: OnProgress): Promise<void> {
  const [criu, compiler] = [findOnPath('criu'), findOnPath('gcc') ?? findOnPath('cc')];
  if (!criu || !compiler) return;
  const source = join(projectRoot(), 'tools', 'platform', 'kubelab', 'node', 'vvar.c');
  const library = await cachedPart({
    name: 'criu-vvar',
    version: '1',
    source: 'compiled with this machine’s C compiler: what keeps criu alive on a new kernel',
    onProgress,
    install: async (draft, run) => {
      const args = ['-O2', '-shared', '-fPIC', '-o', join(draft, 'vvar.so'), source];
      const { code, stderr } = await run({ command: compiler, args });
      if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `${compiler}: ${stderr.trim().slice(-300)}`);
    },
  });
  writeFileSync(join(folder, 'criu'), `#!/bin/sh\nLD_PRELOAD='${join(library, 'vvar.so')}' exec '${criu}' "$@"\n`, {
    mode: 0o755,
  });
}
