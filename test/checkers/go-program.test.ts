import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { projectRoot } from '../../service/process/project-root.ts';
import { BuildProgress } from '../../tools/platform/go-program.ts';
import { kubernetesProgram, kubernetesVersions } from '../../tools/platform/kubernetes/kubelab-binary.ts';
import { eventually } from '../eventually.ts';
import { processesWith } from '../processes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-go-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

describe('the progress of a build with Go', () => {
  const source = (name: string, bytes: number): string => {
    const file = join(folder, `${name}.go`);
    writeFileSync(file, 'x'.repeat(bytes));
    return `/go/compile -o $WORK/b001/_pkg_.a -trimpath "$WORK/b001=>" -p example.org/${name} -lang=go1.26 -pack ${file}`;
  };

  test('is measured in compiled source and elapsed time, and shown in packages and minutes', () => {
    let now = 0;
    const progress = new BuildProgress(() => now);
    expect(progress.text()).toBe('fetching modules');
    for (const line of ['mkdir -p $WORK/b001/', source('small', 1_000), source('large', 9_000), source('last', 10_000)])
      progress.willRun(line);
    progress.begin();
    expect(progress.text()).toBe('0 of 3 packages');
    now = 60_000;
    progress.compiled('example.org/small');
    // A twentieth in one minute.
    expect(progress.text()).toBe('1 of 3 packages, about 19 min left');
    progress.compiled('go: downloading example.org/other v1.0.0');
    progress.compiled('example.org/large');
    expect(progress.text()).toBe('2 of 3 packages, about 1 min left');
    now = 30_000;
    expect(progress.text()).toBe('2 of 3 packages, less than a minute left');
    progress.compiled('example.org/last');
    expect(progress.text()).toBe('linking');
  });
});

describe('what is compiled while packages are installed', () => {
  /** A fake `go` that records its arguments and compiles for ever. */
  function checkout(): { readonly root: string; readonly said: () => string; readonly env: NodeJS.ProcessEnv } {
    const bin = join(folder, 'bin');
    const log = join(folder, 'asked');
    mkdirSync(bin);
    mkdirSync(join(folder, 'root', 'tools', 'platform', 'kubelab'), { recursive: true });
    writeFileSync(
      join(bin, 'go'),
      `#!/bin/sh
case $1 in
  list) echo example.org/a example.org/b ;;
  build) echo "$*" >> '${log}'; touch "$GOTMPDIR/compiling"; sleep 300 & wait ;;
esac
`,
    );
    chmodSync(join(bin, 'go'), 0o755);
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, FIREBREAK_CACHE: join(folder, 'cache') };
    return { root: join(folder, 'root'), said: () => (existsSync(log) ? readFileSync(log, 'utf8') : ''), env };
  }

  const start = ({ root, env }: ReturnType<typeof checkout>, then: string) => {
    const module = new URL('../../tools/setup/compile-ahead.mjs', import.meta.url).href;
    const script = `const { compileAhead } = await import(${JSON.stringify(module)});
      const end = compileAhead({ root: ${JSON.stringify(root)} }); ${then}`;
    return spawn(process.execPath, ['--input-type=module', '-e', script], { env, stdio: ['pipe', 'inherit', 'inherit'] });
  };

  test('is what the control plane imports, with the flags of the build, and leaves nothing behind when it is done', async () => {
    const made = checkout();
    const child = start(made, "process.stdin.once('data', async () => { await end(); process.exit(0); });");
    await eventually('the call of go', () => made.said() !== '');
    expect(made.said()).toBe('build -trimpath -gcflags=all=-dwarf=false example.org/a example.org/b\n');
    child.stdin?.write('packages are there');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(readdirSync(join(folder, 'cache'))).toEqual([]);
    expect(processesWith(join(folder, 'bin'))).toEqual([]);
  });

  test.each(['SIGINT', 'SIGKILL'] as const)('leaves nothing behind when the set-up gets %s', async (signal) => {
    const made = checkout();
    const child = start(made, 'setInterval(() => {}, 1_000);');
    await eventually('the call of go', () => made.said() !== '');
    child.kill(signal);
    await eventually('the end of go', () => processesWith(join(folder, 'bin')).length === 0);
    await eventually('an empty cache', () => readdirSync(join(folder, 'cache')).length === 0);
  });

  test('is nothing if the control plane exists already', async () => {
    const made = checkout();
    mkdirSync(join(folder, 'cache', 'kubelab-0123456789abcdef'), { recursive: true });
    const child = start(made, 'await end();');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(made.said()).toBe('');
  });
});

describe('the available control planes', () => {
  const modules = join(projectRoot(), 'tools', 'platform', 'kubelab');

  test.each(Object.entries(kubernetesVersions))(
    'Kubernetes %s is built from modules of that version alone',
    (minor, { git, modfile }) => {
      expect(git).toMatch(new RegExp(`^v${minor.replace('.', '\\.')}\\.`));
      const text = readFileSync(join(modules, modfile ?? 'go.mod'), 'utf8');
      expect(text).toContain(`k8s.io/kubernetes ${git}\n`);
      const staged = [...text.matchAll(/^\s(k8s\.io\/\S+) => \1 (\S+)$/gm)];
      expect(staged.length).toBeGreaterThan(20);
      expect(new Set(staged.map(([, , version]) => version))).toEqual(new Set([git.replace('v1.', 'v0.')]));
      expect(existsSync(join(modules, (modfile ?? 'go.mod').replace(/mod$/, 'sum')))).toBe(true);
    },
  );

  test('an unknown one is refused with the names of those that exist', async () => {
    const before = process.env.FIREBREAK_KUBERNETES;
    process.env.FIREBREAK_KUBERNETES = '1.12';
    try {
      await expect(kubernetesProgram('kubelab', () => {})).rejects.toThrow(
        'Kubernetes 1.12, which FIREBREAK_KUBERNETES names. There are: 1.36, 1.37',
      );
    } finally {
      if (before === undefined) delete process.env.FIREBREAK_KUBERNETES;
      else process.env.FIREBREAK_KUBERNETES = before;
    }
  });

  test('the forge’s workflow tries each of them', () => {
    const workflow = readFileSync(join(projectRoot(), '.github/workflows/kubernetes.yml'), 'utf8');
    const tried: unknown = parse(workflow).jobs.kubernetes.strategy.matrix.version;
    expect(tried).toEqual(Object.keys(kubernetesVersions));
  });
});
