import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { checkConfig } from '../../../service/config/load.ts';
import { firebreakHere, firebreakProcess } from '../../command-line.ts';

const two = ['--person', 'ada=Ada', '--person', 'grace=Grace Hopper:U1234567890'];

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const init = (...args: readonly string[]) => firebreakHere(['init', '--yes', '--out', 'new', ...args], { folder });

const text = (name: string): string => readFileSync(join(folder, 'new', name), 'utf8');

describe('firebreak init', () => {
  test('writes a valid configuration with a key for anyone without a Slack account, and says what to do next', async () => {
    const { status, stdout } = await init(...two, '--cluster', 'prod-eu');
    expect([status, stdout]).toEqual([0, expect.stringContaining('Next:\n  firebreak config check --connect --config ')]);
    const checked = checkConfig({ path: join(folder, 'new', 'firebreak.yaml'), env: {} });
    expect(checked).toMatchObject({
      ok: true,
      deadEnds: [],
      config: { cluster: 'prod-eu', response: { mode: 'observe', isModeChosen: true } },
    });
    expect(parse(text('values.yaml')).config.response).toEqual({ mode: 'observe' });
    expect(text('firebreak.yaml')).toMatch(/^# yaml-language-server: \$schema=\.\/firebreak\.schema\.json\n/);
    expect(JSON.parse(text('firebreak.schema.json'))).toMatchObject({ title: 'firebreak.yaml', type: 'object' });
    expect(text('ada.pem')).toContain('PRIVATE KEY');
    // Without Slack, her account there cannot answer anything.
    expect(text('grace.pem')).toContain('PRIVATE KEY');
    for (const secret of ['alerts-token', 'ada.pem', 'secrets.yaml', 'falco-values.yaml', 'falcosidekick-values.yaml'])
      expect([secret, statSync(join(folder, 'new', secret)).mode & 0o777]).toEqual([secret, 0o600]);
  });

  test('writes the mode that was asked for, and none that does not exist', async () => {
    expect((await init(...two, '--mode', 'everything')).stderr).toContain('observe, ask, contain');
    await init(...two, '--mode', 'contain');
    expect(parse(text('firebreak.yaml')).response).toEqual({ mode: 'contain' });
  });

  test('gives the intake token to the sensors', async () => {
    await init(...two);
    const token = text('alerts-token').trim();
    expect(token).toMatch(/^[0-9a-f]{48}$/);
    expect(parse(text('secrets.yaml'))).toMatchObject({ kind: 'Secret', stringData: { token } });
    expect(parse(text('falco-values.yaml')).falco.http_output.url).toMatch(new RegExp(`/v1/alerts/falco/${token}$`));
    expect(parse(text('falcosidekick-values.yaml')).config.webhook.customHeaders).toBe(`Authorization:Bearer ${token}`);
  });

  test('writes the Slack app manifest with the address of the desk', async () => {
    const ids = 'A0123456789,T0123456789,C0123456789';
    await init(
      ...two,
      '--slack',
      ids,
      '--url',
      'https://alerts.example.org/',
      '--temporal',
      'temporal-frontend.temporal.svc:7233',
    );
    expect([existsSync(join(folder, 'new', 'ada.pem')), existsSync(join(folder, 'new', 'grace.pem'))]).toEqual([true, false]);
    expect(text('slack-manifest.yaml')).toContain('request_url: https://alerts.example.org/slack/events');
    expect(parse(text('values.yaml')).config.slack).toMatchObject({ mode: 'socket', appId: 'A0123456789' });
  });

  test('also writes the key of anyone without Slack to the chart values, the same one each time', async () => {
    const there = ['--temporal', 'temporal-frontend.temporal.svc:7233'];
    const { stdout } = await init(...two, ...there);
    const roster = () => parse(text('values.yaml')).config.roster.people;
    expect(roster()).toEqual([
      { id: 'ada', name: 'Ada', keys: [text('ada.pem.pub')] },
      { id: 'grace', name: 'Grace Hopper', slack: ['U1234567890'], keys: [text('grace.pem.pub')] },
    ]);
    expect(stdout).toContain('exec firebreak-0 --container cell -- firebreak alerts send --sample falco --pod NAMESPACE/POD');
    const before = roster();
    await init(...two, ...there, '--force');
    expect(roster()).toEqual(before);
  });

  test('has the chart install Temporal if asked to, and never gives a pod an address of this machine', async () => {
    const told = await init(...two, '--temporal', 'install');
    expect(parse(text('values.yaml'))).toMatchObject({ temporal: { install: true } });
    expect(parse(text('values.yaml')).config).not.toHaveProperty('temporal');
    expect(parse(text('firebreak.yaml')).temporal.address).toBe('127.0.0.1:7233');
    expect(told.stdout).toContain('helm install firebreak');
    const here = await init(...two, '--temporal', 'localhost:17233', '--force');
    expect(parse(text('values.yaml'))).toMatchObject({ temporal: { install: true } });
    expect(parse(text('firebreak.yaml')).temporal.address).toBe('localhost:17233');
    expect(here.stdout).not.toContain('helm install');
    await init(...two, '--temporal', 'temporal-frontend.temporal.svc:7233', '--force');
    expect(parse(text('values.yaml'))).not.toHaveProperty('temporal');
    expect(parse(text('values.yaml')).config.temporal.address).toBe('temporal-frontend.temporal.svc:7233');
  });

  test('writes what the doctor can check, which says once what to do about a missing cluster', async () => {
    await init(...two, '--temporal', '127.0.0.1:1');
    // In a separate process: the doctor ends it, even if connections are left.
    const { stdout } = await firebreakProcess(['doctor', '--config', 'new/firebreak.yaml', '--role', 'cell', '--json'], {
      folder,
    });
    const {
      findings,
    }: { readonly findings: readonly { readonly check: string; readonly state: string; readonly remedy?: string }[] } =
      JSON.parse(stdout);
    const ofCluster = findings.filter(({ check }) => /^(kubernetes|rights|admission|network)/.test(check));
    expect(ofCluster.filter(({ state }) => state === 'error')).toEqual([
      expect.objectContaining({ check: 'kubernetes', remedy: expect.stringContaining('kubernetes.kubeconfig') }),
    ]);
    expect(ofCluster.filter(({ state }) => state === 'not tried').length).toBeGreaterThan(3);
  });

  test('overwrites nothing without --force, and keeps the token and the keys even then', async () => {
    await init(...two);
    const before = { token: text('alerts-token'), key: text('ada.pem') };
    writeFileSync(join(folder, 'new', 'values.yaml'), 'mine: true\n');
    const refused = await init(...two);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('values.yaml')]);
    expect(text('values.yaml')).toBe('mine: true\n');
    expect((await init(...two, '--force')).status).toBe(0);
    expect(text('values.yaml')).toContain('profile: single');
    expect({ token: text('alerts-token'), key: text('ada.pem') }).toEqual(before);
  });

  test('writes nothing if nobody is named to decide, or if an option is invalid', async () => {
    expect(await init()).toMatchObject({ status: 2, stderr: expect.stringContaining('name who decides') });
    expect((await init('--person', 'ada')).status).toBe(2);
    expect((await init(...two, '--slack', 'general')).status).toBe(2);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  test.each([
    ['Two people have the id ada', [...two, '--person', 'ada=Ada Byron']],
    ['cluster: use only letters', [...two, '--cluster', 'Prod EU']],
    ['temporal.address: not a host and port', [...two, '--temporal', 'http://temporal:7233']],
    ['belongs to more than one person', ['--slack', 'A0,T0,C0', '--person', 'ada=Ada:U0', '--person', 'grace=Grace:U0']],
    ['Expected an address such as', [...two, '--url', 'firebreak.example.com']],
  ])('writes nothing that would be refused later: %s', async (words, args) => {
    expect(await init(...args)).toMatchObject({ status: 2, stderr: expect.stringContaining(words) });
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  test('says why nothing was checked, and why nothing can be written', async () => {
    const { stdout } = await init(...two, '--kubeconfig', 'none');
    expect(stdout).toMatch(/^The cluster does not answer \(.*none.*\): the cluster was not read\.$/m);
    writeFileSync(join(folder, 'file'), '');
    expect(await init(...two, '--out', 'file')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/file cannot be written: something with that name already exists/),
    });
  });
});

describe('on a terminal', () => {
  const cli = join(import.meta.dirname, '../../../service/cli.ts');

  /** `script` gives it a terminal; each text is typed when it asks with the words before it. */
  async function typed(answers: readonly (readonly [asked: string, text: string])[]): Promise<string> {
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', cli, 'init', '--kubeconfig', 'none'];
    const child = spawn('script', ['-qec', command.map((word) => `'${word}'`).join(' '), '/dev/null'], {
      ...{ cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] },
    });
    let shown = '';
    let next = 0;
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      shown += part;
      const [asked, text] = answers[next] ?? [];
      if (asked === undefined || !shown.includes(asked)) return;
      next += 1;
      child.stdin.write(text ?? '');
    });
    await once(child, 'close');
    return shown;
  }

  test('it asks for whatever no option sets, and uses the default in brackets on an empty answer', async () => {
    const shown = await typed([
      ['Name of the cluster [lab]', 'prod-eu\n'],
      ['Address of Temporal, or install', 'temporal.example.org:7233\n'],
      ['Who decides', 'ada=Ada, grace=Grace\n'],
      ['Mode: observe', 'ask\n'],
      ['Slack: ids', '\n'],
    ]);
    expect(shown).toContain('Next:');
    expect(parse(readFileSync(join(folder, 'firebreak', 'firebreak.yaml'), 'utf8'))).toMatchObject({
      cluster: 'prod-eu',
      temporal: { address: 'temporal.example.org:7233' },
      response: { mode: 'ask' },
      roster: { people: [{ id: 'ada' }, { id: 'grace' }] },
    });
  });

  test.each([
    ['ending the input', '\u0004'],
    ['interrupting it', '\u0003'],
  ])('%s writes nothing, and says so', async (_, text) => {
    const shown = await typed([
      ['Name of the cluster', 'prod-eu\n'],
      ['Address of Temporal, or install', text],
    ]);
    expect(shown).toContain('FB_ERR_INCOMPLETE: The command is incomplete: the input ended before all questions were answered');
    expect(existsSync(join(folder, 'firebreak'))).toBe(false);
  });
});
