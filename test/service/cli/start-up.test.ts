import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from '@jest/globals';

const cli = join(import.meta.dirname, '../../../service/cli.ts');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-start-up-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = join(folder, 'firebreak.yaml');
writeFileSync(
  config,
  `cluster: lab
temporal: { address: '127.0.0.1:1', codecKeys: [{ id: k1, key: { env: CODEC_KEY } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
`,
);

interface Loaded {
  readonly own: number;
  readonly packages: readonly string[];
}

/** What a command has loaded by its end: this is the same on every machine, and determines its time and memory. */
function loadedBy(...args: readonly string[]): Loaded {
  const report = join(folder, 'loaded.json');
  rmSync(report, { force: true });
  const preload = pathToFileURL(join(import.meta.dirname, 'loaded.mjs')).href;
  const { error } = spawnSync(process.execPath, ['--import', preload, cli, ...args], {
    encoding: 'utf8',
    env: { ...process.env, LOADED: report, CODEC_KEY: Buffer.alloc(32, 1).toString('base64') },
  });
  if (error) throw error;
  return JSON.parse(readFileSync(report, 'utf8'));
}

describe('a command loads only what it needs', () => {
  test.each([[['--version']], [['-V']], [['--help']], [['help']], [[]], [['bogus']]])(
    '%j: only what parses the command line',
    (args) => {
      const { own, packages } = loadedBy(...args);
      expect(packages).toEqual(['commander']);
      expect(own).toBeLessThan(15);
    },
  );

  test('playbooks list: the playbooks with what the core room may use, and nothing that checks or connects', () => {
    const { own, packages } = loadedBy('playbooks', 'list');
    expect(packages.filter((name) => !['@noble/hashes', 'commander'].includes(name))).toEqual([]);
    expect(own).toBeLessThan(145);
  });

  test('config check: what reads the configuration; no clients unless connections are to be tried', () => {
    const { packages } = loadedBy('config', 'check', '--config', config);
    const reading = ['@noble/hashes', 'acorn', 'commander', 'fastest-levenshtein', 'ipaddr.js', 'yaml', 'zod'];
    expect(packages.filter((name) => !reading.includes(name))).toEqual([]);
  });

  test('incidents list: a Temporal client and the configuration; no worker, no Slack, no Kubernetes, no database', () => {
    const { packages } = loadedBy('incidents', 'list', '--config', config);
    expect(packages).toEqual(expect.arrayContaining(['@temporalio/client', 'commander', 'yaml', 'zod']));
    const ofWorkers = ['@temporalio/activity', '@temporalio/worker', '@temporalio/core-bridge'];
    const costly = [...ofWorkers, '@kubernetes/client-node', '@slack/bolt', 'pg', 'lmdb', 'pino'];
    expect(packages.filter((name) => costly.includes(name) || name.startsWith('@aws-sdk/'))).toEqual([]);
  });

  test('incidents --help, and commands that ask a desk: no configuration, and no Temporal client', () => {
    const help = loadedBy('incidents', '--help');
    expect(help.packages.filter((name) => !['@noble/hashes', 'commander'].includes(name))).toEqual([]);
    expect(help.own).toBeLessThan(35);
    const { packages } = loadedBy('incidents', 'list', '--desk', 'https://127.0.0.1:1');
    expect(packages.filter((name) => ['acorn', 'yaml'].includes(name) || name.startsWith('@temporalio/'))).toEqual([]);
  });

  test.each([[['audit', 'verify', '--config', config]], [['report', '--help']]])(
    '%j: what reads the configuration; no PostgreSQL if the records are in a file, and no log',
    (args) => {
      const { packages } = loadedBy(...args);
      expect(packages).toEqual(expect.arrayContaining(['commander', 'yaml', 'zod']));
      expect(packages.filter((name) => /^(?:pg|postgres|pino)/.test(name))).toEqual([]);
    },
  );
});

function underOlder(program: string) {
  const older = `data:text/javascript,${encodeURIComponent(
    "Object.defineProperty(process, 'version', { value: 'v20.11.0' }); Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.0' } });",
  )}`;
  return spawnSync(process.execPath, ['--import', older, program, '--version'], { encoding: 'utf8' });
}

describe('a Node version that is too old', () => {
  const says = expect.stringMatching(/^Firebreak needs Node 22\.19 or newer, this is v20\.\d+\.\d+\. .*bin\/firebreak\.mjs/);

  test('gets a message about the version needed instead of an error of its own', () => {
    const { status, stdout, stderr } = underOlder(cli);
    expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: '', stderr: says });
  });

  test('gets no hint at another file in a package, where that would fail in the same way', () => {
    const { status, stderr } = underOlder(join(import.meta.dirname, '../../../dist/service/cli.js'));
    expect(status).toBe(1);
    expect(stderr).toBe('Firebreak needs Node 22.19 or newer, this is v20.11.0. Install a newer Node.\n');
  });

  test('runs a plain JavaScript file, since it cannot read TypeScript', () => {
    expect(realpathSync(cli)).toMatch(/\.mjs$/);
    const real = ['/usr/bin/node', '/usr/local/bin/node'].filter(
      (node) => existsSync(node) && spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.startsWith('v20.'),
    );
    for (const node of real)
      expect(spawnSync(node, [cli, '--version'], { encoding: 'utf8' })).toMatchObject({ status: 1, stderr: says });
  });
});
