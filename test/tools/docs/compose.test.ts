import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-compose-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what docker compose starts without a profile lacks only people’s keys and the secrets from the environment', () => {
  const made = spawnSync(
    process.execPath,
    [join(root, 'deploy/compose/join.mjs'), join(root, 'deploy/compose'), join(folder, 'compose.yaml')],
    {
      env: { ...process.env, COMPOSE_PROFILES: '' },
    },
  );
  expect(made.status).toBe(0);
  const checked = spawnSync(
    process.execPath,
    [join(root, 'service/cli.ts'), 'config', 'check', '--config', 'compose.yaml', '--json'],
    { encoding: 'utf8', cwd: folder, env: { ...process.env, FALCO_TOKEN: 'f'.repeat(40) } },
  );
  const { problems } = JSON.parse(checked.stdout);
  const left = problems.filter(({ problem }: { problem: string }) => !/^the environment variable \w+ is not set$/.test(problem));
  expect(left).toMatchObject([{ path: 'roster.groups', problem: expect.stringContaining('nobody can answer') }]);
});
