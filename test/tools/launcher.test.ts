import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { survivors } from '../processes.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A checkout with the real launcher and a single-file command line. */
function checkout(cli: string): string {
  const root = mkdtempSync(join(tmpdir(), 'firebreak-launcher-'));
  folders.push(root);
  const from = projectRoot();
  for (const file of ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'bin', 'core/errors.ts'])
    cpSync(join(from, file), join(root, file), { recursive: true });
  for (const file of ['setup.mjs', 'compile-ahead.mjs', 'go-build.mjs', 'build.mjs', 'launch.mjs'])
    cpSync(join(from, 'tools/setup', file), join(root, 'tools/setup', file));
  cpSync(join(from, 'service/launcher'), join(root, 'service/launcher'), { recursive: true });
  mkdirSync(join(root, 'node_modules'));
  for (const name of ['node', 'typescript', '@typescript', '@types', 'undici-types'])
    symlinkSync(join(from, 'node_modules', name), join(root, 'node_modules', name));
  writeFileSync(join(root, 'service', 'cli.ts'), cli);
  return root;
}

const launch = (root: string, ...args: readonly string[]) =>
  runCommand({ command: process.execPath, args: [join(root, 'bin', 'firebreak.mjs'), ...args] });

describe('the launcher', () => {
  test('builds on first use and again when a source changed, passes arguments and exit code', async () => {
    const root = checkout("process.stdout.write(process.argv.slice(2).join(' '));\nprocess.exitCode = 7;\n");
    expect(await launch(root, 'incidents', '--json')).toMatchObject({ code: 7, stdout: 'incidents --json' });
    expect((await launch(root)).stderr).toBe('');
    writeFileSync(join(root, 'service', 'cli.ts'), "process.stdout.write('changed');\n");
    expect(await launch(root)).toMatchObject({ code: 0, stdout: 'changed' });
  });

  test('prints the compiler’s output when the build fails, and runs nothing', async () => {
    const root = checkout("const broken: number = ;\nprocess.stdout.write('ran');\n");
    const result = await launch(root);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('service/cli.ts');
  });

  test('takes the program with it when it is killed', async () => {
    const root = checkout('process.stdout.write(String(process.pid));\nsetInterval(() => {}, 1000);\n');
    const program = new URL('../../service/launcher/launcher.mjs', import.meta.url).href;
    const script = `const { runUnder } = await import(${JSON.stringify(program)}); await runUnder({ node: process.execPath, args: [${JSON.stringify(join(root, 'service', 'cli.ts'))}] });`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = await once(parent.stdout, 'data');
    const pid = Number(String(output));
    expect(await survivors([pid], 0)).toEqual([pid]);
    parent.kill('SIGKILL');
    expect(await survivors([pid], 120_000)).toEqual([]);
  });
});
