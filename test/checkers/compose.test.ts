import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { searchAttributes } from '../../core/incident/search-attributes.ts';
import { loadConfig } from '../../service/config/load.ts';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { imageConfig } from '../../tools/image/firebreak-image.ts';
import { composeChecker } from '../../tools/platform/compose-checker.ts';

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly image?: string;
        readonly command?: readonly string[];
        readonly environment?: Readonly<Record<string, string>>;
        readonly ports?: readonly string[];
      }
    >
  >;
}

const root = projectRoot();
const compose: Compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'));
const checker = await composeChecker((line) => void process.stderr.write(`${line}\n`));

const always = ['config', 'firebreak', 'temporal'];

(checker ? describe : describe.skip)('Compose, by the libraries of its specification', () => {
  test.each([
    ['', []],
    ['postgres', ['postgres']],
    ['s3,slack', ['bucket', 's3', 'slack']],
    ['postgres,s3,slack,ui', ['bucket', 'postgres', 's3', 'slack', 'ui']],
  ])('runs with the profiles "%s" what they name in addition to Temporal and Firebreak', async (profiles, more) => {
    const { code, stdout, stderr } = await runCommand({
      ...{ command: checker ?? '', args: ['docker-compose.yml'], cwd: root },
      env: { ...process.env, COMPOSE_PROFILES: profiles },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { services } = JSON.parse(stdout);
    expect(Object.keys(services).sort()).toEqual([...always, ...more].sort());
    expect(services.config.environment.COMPOSE_PROFILES).toBe(profiles);
  });
});

test('every image is pinned to a version and its bytes', () => {
  const images = Object.values(compose.services).flatMap(({ image }) => image ?? []);
  expect(images.length).toBeGreaterThan(2);
  for (const image of images) expect(image).toMatch(/:\d+\.\d+[^@]*@sha256:[0-9a-f]{64}$/);
});

test('Docker starts the image the way `npm run image` sets it up', () => {
  const dockerfile = readFileSync(join(root, 'deploy', 'Dockerfile'), 'utf8');
  const of = (word: string): string =>
    new RegExp(`^${word} (.+)$`, 'm').exec(dockerfile.split('FROM scratch')[1] ?? '')?.[1] ?? '';
  const { Entrypoint, Cmd, Env, User, WorkingDir } = imageConfig('1.2.3');
  expect(JSON.parse(of('ENTRYPOINT'))).toEqual(Entrypoint);
  expect(JSON.parse(of('CMD'))).toEqual(Cmd);
  expect(of('ENV').split(' ').sort()).toEqual([...Env].sort());
  expect([of('USER'), of('WORKDIR')]).toEqual([User, WorkingDir]);
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

test('the installation page registers the same ones', () => {
  const page = readFileSync(join(root, 'docs', 'install.md'), 'utf8');
  const written = [...page.matchAll(/--name (Firebreak\w+) --type (\w+)/g)].map(([, name, type]) => ({ name, type }));
  expect(written).toEqual(searchAttributes);
});

describe('the configuration joined from its parts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-compose-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Joins the files as the service `config` does. */
  async function joined(profiles: string) {
    const path = join(folder, 'firebreak.yaml');
    const { code, stderr } = await runCommand({
      ...{ command: process.execPath, args: [join(root, 'deploy/compose/join.mjs'), join(root, 'deploy/compose'), path] },
      env: { ...process.env, COMPOSE_PROFILES: profiles },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return loadConfig({ path, env: compose.services.firebreak?.environment ?? {} });
  }

  test.each(['', 'postgres', 's3', 'slack', 'postgres,s3', 'postgres,slack', 's3, slack', 'postgres,s3,slack,ui', '*'])(
    'is valid with the profiles "%s", and has what they name and nothing else',
    async (profiles) => {
      const config = await joined(profiles);
      const has = (part: string) => profiles === '*' || profiles.includes(part);
      expect({
        postgres: !JSON.stringify(config.audit.url).includes('sqlite'),
        s3: JSON.stringify(config.evidence.store).includes('firebreak-evidence'),
        slack: config.slack !== undefined,
      }).toEqual({ postgres: has('postgres'), s3: has('s3'), slack: has('slack') });
    },
  );

  test('has the secrets of the stand-in for Slack, whose people are the roster', async () => {
    const { slack } = JSON.parse(readFileSync(join(root, 'deploy/compose/slack.json'), 'utf8'));
    const config = await joined('slack');
    const environment = compose.services.firebreak?.environment;
    expect(config.slack).toMatchObject({ appId: slack.appId, teamId: slack.teamId, channel: slack.channels[0].id });
    expect(environment).toMatchObject({ SLACK_BOT_TOKEN: slack.botToken, SLACK_SIGNING_SECRET: slack.signingSecret });
    expect(config.roster.people.flatMap(({ slackIds }) => slackIds)).toEqual(slack.users.map(({ id }: { id: string }) => id));
  });
});
