import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { searchAttributes } from '../../core/incident/search-attributes.ts';
import { loadConfig } from '../../service/config/load.ts';
import { serviceEnvironment, serviceNodeFlags } from '../../service/launcher/node-flags.mjs';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly image?: string; readonly command?: readonly string[]; readonly ports?: readonly string[] }>
  >;
}

const root = projectRoot();
const compose: Compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'));
const composeCommand = await findCompose();

(composeCommand ? test : test.skip)('docker compose accepts the file', async () => {
  const [command = '', ...args] = composeCommand ?? [];
  const result = await runCommand({ command, args: [...args, '-f', 'docker-compose.yml', 'config', '--quiet'], cwd: root });
  expect(result).toMatchObject({ code: 0, stderr: '' });
});

test('every image is pinned to a version', () => {
  const images = Object.values(compose.services).flatMap(({ image }) => image ?? []);
  expect(images.length).toBeGreaterThan(2);
  for (const image of images) expect(image).toMatch(/:\d+\.\d+/);
});

test('the image starts Node as the command line does', () => {
  const dockerfile = readFileSync(join(root, 'deploy', 'Dockerfile'), 'utf8');
  const entry: unknown = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)?.[1] ?? 'null');
  expect(entry).toEqual(['node', ...serviceNodeFlags, '/app/dist/service/cli.js']);
  for (const [name, value] of Object.entries(serviceEnvironment)) expect(dockerfile).toContain(`${name}=${value}`);
});

test('no port is open to other machines', () => {
  const ports = Object.values(compose.services).flatMap(({ ports }) => ports ?? []);
  expect(ports.length).toBeGreaterThan(3);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
});

test('Temporal gets the search attributes that incidents use', () => {
  const flags = compose.services.temporal?.command?.filter((flag) => flag.startsWith('--search-attribute='));
  expect(flags).toEqual(searchAttributes.map(({ name, type }) => `--search-attribute=${name}=${type}`));
});

async function findCompose(): Promise<readonly string[] | undefined> {
  for (const command of [['docker', 'compose'], ['docker-compose']]) {
    const [program = '', ...args] = command;
    if ((await runCommand({ command: program, args: [...args, 'version'] })).code === 0) return command;
  }
  return undefined;
}

test('the configuration for it is valid', () => {
  const env = { FALCO_TOKEN: 'a', AUDIT_DATABASE_URL: 'postgres://a:b@c/d', S3_ACCESS_KEY_ID: 'a', S3_SECRET_ACCESS_KEY: 'b' };
  const config = loadConfig({ path: join(root, 'deploy', 'compose', 'firebreak.yaml'), env });
  expect(config.cluster).toBe('local');
});
