import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { projectRoot } from '../../../service/process/project-root.ts';
import { emptyProject, firebreakIn, packedFirebreak, runNode } from '../../package.ts';

let folder: string;
let project: string;
beforeAll(async () => {
  ({ folder } = await packedFirebreak());
  project = await emptyProject();
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

const filesIn = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));

function manifest(): {
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
} {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

describe('what npm pack makes', () => {
  test('contains the built program with its types, but no tests, tools, fakes or Go sources', () => {
    const files = filesIn(folder);
    for (const door of ['playbook', 'actions', 'alerts', 'testing'])
      expect(files).toEqual(expect.arrayContaining([`dist/authoring/${door}.js`, `dist/authoring/${door}.d.ts`]));
    expect(files).toContain('dist/workflows.bundle.js');
    const outside = files.filter(
      (file) => !/^(bin|deploy|dist)\/|^docs\/(.*\.md|[\w.-]+\.json|(spec|images)\/[^/]+)$/.test(file),
    );
    expect(outside.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']);
    expect(files.filter((file) => /(^|\/)(tools|test|fakes|bench)\/|\.go$|\.test\./.test(file))).toEqual([]);
  });

  test('contains everything that its pages link to and show', () => {
    const files = filesIn(folder);
    const isThere = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`));
    const broken = files
      .filter((file) => file.endsWith('.md'))
      .flatMap((page) => {
        // What is in a block of code is an example.
        const text = readFileSync(join(folder, page), 'utf8').replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
        const links = [...text.matchAll(/(?:\]\(|src(?:set)?="|href=")(?![a-z]+:|#)([^)#"\s]+)/g)].map(([, path = '']) =>
          posix.join(posix.dirname(page), path).replace(/\/$/, ''),
        );
        return links.filter((path) => !isThere(path)).map((path) => `${page}: ${path}`);
      });
    expect(broken).toEqual([]);
    expect(files.filter((file) => /^dist\/.*(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });

  test('has the program and test vectors for checking a bundle, as the page of each bundle says', () => {
    expect(filesIn(folder)).toEqual(expect.arrayContaining(['docs/spec/verify.py', 'docs/spec/vectors.json']));
  });

  test('has each page that an error refers to', async () => {
    const { code, stdout } = await firebreakIn(project, 'docs', 'operations');
    expect({ code, begins: stdout.split('\n')[0] }).toEqual({
      code: 0,
      begins: readFileSync(join(projectRoot(), 'docs', 'operations.md'), 'utf8').split('\n')[0],
    });
  });

  test('names every package that it imports among its dependencies', () => {
    const { dependencies } = manifest();
    const missing = new Set<string>();
    for (const file of filesIn(folder).filter((one) => /^dist\/.*\.js$/.test(one) && one !== 'dist/workflows.bundle.js')) {
      const text = readFileSync(join(folder, file), 'utf8');
      for (const [, specifier = ''] of text.matchAll(/^(?:import|export)\b[^;]*?from '([^'.][^']*)'/gm)) {
        const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
        if (!/^(node:|firebreak\/)/.test(specifier) && !builtinModules.includes(name) && !(name in dependencies))
          missing.add(`${name} in ${file}`);
      }
    }
    expect([...missing]).toEqual([]);
  });

  test('refers to no source map that it does not contain', () => {
    const naming = filesIn(folder).filter(
      (file) => file.endsWith('.js') && /^\/\/# sourceMappingURL=(?!data:)/m.test(readFileSync(join(folder, file), 'utf8')),
    );
    expect(naming).toEqual([]);
  });

  test('has a file behind every export', () => {
    for (const path of Object.values(manifest().exports)) expect(filesIn(folder)).toContain(path.slice(2));
  });
});

const playbook = `
import { openTicket, quarantinePod } from 'firebreak/actions';
import { definePlaybook } from 'firebreak/playbook';

export const miner = definePlaybook(
  {
    id: 'miner',
    title: 'Cut off a pod that mines',
    on: { match: { rule: 'Detect crypto miners' }, minSeverity: 'high', requires: ['pod'] },
    uses: { quarantinePod, openTicket },
  },
  async ({ alert, steps }) => {
    const { output } = await steps.quarantinePod({ pod: alert.pod, lease: '4h' });
    await steps.openTicket({ title: alert.pod.uid, body: output.policy, labels: [] });
  },
);
`;

describe('an empty folder with the package', () => {
  test('runs a playbook that Firebreak does not ship, with types', async () => {
    writeFileSync(join(project, 'miner.ts'), playbook);
    writeFileSync(join(project, 'wrong.ts'), playbook.replace("lease: '4h'", "lease: '4 hours'"));
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    const compile = (file: string) =>
      runNode(
        project,
        'node_modules/typescript/bin/tsc',
        '--strict',
        '--noEmit',
        '--module',
        'nodenext',
        '--exactOptionalPropertyTypes',
        file,
      );
    expect(await compile('miner.ts')).toMatchObject({ code: 0, stdout: '' });
    expect((await compile('wrong.ts')).stdout).toContain('4 hours');
    const script = "console.log((await import('./miner.ts')).miner.id)";
    expect(await runNode(project, '--input-type=module', '-e', script)).toMatchObject({ code: 0, stdout: 'miner\n' });
  });

  test('has sample alerts in the form that an incident gets', async () => {
    const script = `
      import { decodeAlerts, sampleAlert, sampleAlerts, samplePayloads } from 'firebreak/alerts';
      const shell = sampleAlert('falco', 'Terminal shell in container', { severity: 'critical' });
      const again = samplePayloads().flatMap(({ sensor, payload }) => decodeAlerts(JSON.stringify(payload), { sensor }));
      console.log(JSON.stringify({ shell, sensors: [...new Set(sampleAlerts().map(({ sensor }) => sensor))], same: again.length === sampleAlerts().length }));
    `;
    const { code, stdout, stderr } = await runNode(project, '--input-type=module', '-e', script);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      shell: {
        severity: 'critical',
        pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: expect.any(String) },
        workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
      },
      sensors: ['falco', 'kubearmor', 'kubernetes-audit', 'tetragon', 'tracee'],
      same: true,
    });
  });

  test('has the command, which says where to find what only a checkout has', async () => {
    expect(await firebreakIn(project, 'playbooks', 'list', '--json')).toMatchObject({ code: 0 });
    const demo = await firebreakIn(project, 'demo', '--yes');
    expect(demo.code).not.toBe(0);
    expect(demo.stderr).toContain('in a checkout of the source');
    const dev = await firebreakIn(project, 'dev', '--pack', '.');
    expect(dev.code).not.toBe(0);
    expect(dev.stderr).toContain('`firebreak run --watch PACK`');
    const { stdout } = await firebreakIn(project, '--help');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('for development (in a checkout)');
    expect(stdout).not.toContain('$ firebreak demo');
  });
});
