import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
      // As a base for Kustomize, as the page has it.
      const page = readFileSync(join(projectRoot(), 'docs', 'install.md'), 'utf8');
      const [, overlay = ''] = /```yaml\n(# kustomization\.yaml[^`]+)```/.exec(page) ?? [];
      const digest = 'a'.repeat(64);
      writeFileSync(join(folder, 'kustomization.yaml'), overlay.replace('…', digest));
      const built = await run('kustomize', folder);
      expect({ code: built.code, stderr: built.stderr }).toEqual({ code: 0, stderr: '' });
      const images = [...built.stdout.matchAll(/^\s+(?:- )?image: (\S+)$/gm)].map(([, image]) => image);
      expect(images.length).toBeGreaterThan(3);
      expect(new Set(images)).toEqual(new Set([`registry.example/firebreak@sha256:${digest}`]));
      expect(await run('apply', '--dry-run=server', '--kustomize', folder)).toMatchObject({ code: 0, stderr: '' });
    } finally {
      await run('delete', 'namespace', 'firebreak', '--wait=false');
    }
  },
);
