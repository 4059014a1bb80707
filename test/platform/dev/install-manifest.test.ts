import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { helmBinary } from '../../../tools/platform/helm-binary.ts';
import { kubectlBinary } from '../../../tools/platform/kubernetes/kubelab-binary.ts';
import { installManifests } from '../../../tools/release/release.ts';
import { testPlatform } from '../../platform.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-install-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const helm = await helmBinary(() => {});

// As a dry run of the server's: it looks at everything as it would, and nothing of it is in force beside the other tests.
(helm ? test : test.skip)(
  'install.yaml of a release is what a real API server takes, in the namespace that its head names',
  async () => {
    const file = join(folder, 'install.yaml');
    const text = await installManifests(join(projectRoot(), 'deploy', 'helm', 'firebreak'), () => {});
    writeFileSync(file, text);
    const kubectl = (await kubectlBinary(() => {})) ?? 'kubectl';
    const run = (...args: readonly string[]) =>
      runCommand({ command: kubectl, args: ['--kubeconfig', platform.kubeconfig, ...args] });
    const [, make = ''] = /(create namespace firebreak)/.exec(text) ?? [];
    expect(await run(...make.split(' '))).toMatchObject({ code: 0 });
    try {
      const { code, stdout, stderr } = await run('apply', '--dry-run=server', '--filename', file);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const made of ['statefulset.apps/firebreak', 'configmap/firebreak', 'networkpolicy.networking.k8s.io/firebreak-cell'])
        expect(stdout).toContain(`${made} created (server dry run)`);
      // What its head says to edit.
      expect(text).toMatch(/each file of the ConfigMap firebreak\.\n/);
    } finally {
      await run('delete', 'namespace', 'firebreak', '--wait=false');
    }
  },
);
