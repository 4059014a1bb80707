import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-quickstart-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The first block of this language in the README's quickstart. */
function blockOf(language: string): string {
  const [, quickstart = ''] = readFileSync(join(root, 'README.md'), 'utf8').split('## Quickstart with your own cluster');
  return new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(quickstart)?.[1] ?? '';
}

function check(...more: readonly string[]) {
  return spawnSync(process.execPath, [join(root, 'service/cli.ts'), 'config', 'check', ...more], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, FALCO_TOKEN: 'f'.repeat(40) },
  });
}

test('the README’s quickstart makes a configuration that is valid, with people who can decide everything', () => {
  execFileSync('sh', ['-e', '-c', blockOf('sh')], { cwd: folder });
  writeFileSync(join(folder, 'firebreak.yaml'), blockOf('yaml'));
  const { status, stderr } = check();
  expect([stderr, status]).toEqual(['firebreak.yaml is valid.\n', 0]);
});

test('what docker compose starts lacks nothing but the keys of people and the secrets of the environment', () => {
  const text = readFileSync(join(root, 'deploy/compose/firebreak.yaml'), 'utf8');
  expect(parse(text)).toBeTruthy();
  writeFileSync(join(folder, 'compose.yaml'), text);
  const { problems } = JSON.parse(check('--config', 'compose.yaml', '--json').stdout);
  const left = problems.filter(({ problem }: { problem: string }) => !/^the environment variable \w+ is not set$/.test(problem));
  expect(left).toMatchObject([{ path: 'roster.groups', problem: expect.stringContaining('nobody can answer') }]);
});
