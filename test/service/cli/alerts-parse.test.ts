import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { residentBytes } from '../../../tools/demo/processes.ts';
import { commandFile, firebreakHere } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';

const root = join(import.meta.dirname, '../../..');
const fixtures = join(root, 'test/fixtures/alerts');
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-parse-'));
  mkdirSync(join(folder, 'alerts/deeper'), { recursive: true });
  copyFileSync(join(fixtures, 'tetragon/rw-kprobe-sigkill-policy.json'), join(folder, 'alerts/a.json'));
  copyFileSync(join(fixtures, 'alertmanager/rw-webhook-v4-resolved.json'), join(folder, 'alerts/b.json'));
  copyFileSync(join(fixtures, 'tracee/rw-legacy-flat-signature-v0.11.json'), join(folder, 'alerts/deeper/c.jsonl'));
  writeFileSync(join(folder, 'alerts/README.md'), 'not an alert');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** CPU time of the process, in hundredths of a second. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function parse(args: readonly string[], input: string | Uint8Array = '') {
  const { status, stdout, stderr } = await firebreakHere(['alerts', 'parse', ...args], { folder, input });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { status, lines, alerts: lines.map((line) => JSON.parse(line)), stderr };
}

describe('firebreak alerts parse', () => {
  test('reads a folder, detects each sensor, and prints one alert per line', async () => {
    const { status, alerts, lines, stderr } = await parse(['alerts']);
    expect(status).toBe(0);
    expect(alerts.map(({ sensor, rule }) => [sensor, rule])).toEqual([
      ['tetragon', 'block-c2'],
      ['tracee', 'anti_debugging'],
    ]);
    expect(alerts[0]).toMatchObject({
      cluster: 'local',
      pod: { namespace: 'team-a', name: 'api-0' },
      raw: { node_name: 'worker-1' },
    });
    expect(stderr).toContain('b.json: item 1: not an alert: resolved');
    expect(lines[1]).toContain('"timestamp":1672674697796957174');
  });

  test('reads standard input, with or without a dash, compressed or not, with bytes that are not UTF-8', async () => {
    const event = `{"rule":"r","priority":"Notice","time":"2026-06-01T10:00:00Z","source":"syscall","output":"x","output_fields":{"fd.name":"/tmp/`;
    const broken = Buffer.concat([Buffer.from(event), Buffer.from([0xff, 0xc3]), Buffer.from('"}}')]);
    for (const run of [await parse(['-'], broken), await parse([], broken), await parse([], gzipSync(broken))]) {
      expect(run.status).toBe(0);
      expect(run.alerts[0].observables).toEqual([{ type: 'path', value: '/tmp/\uFFFD\uFFFD' }]);
    }
  });

  test('gives a rule the severity that a configuration sets', async () => {
    const config = join(folder, 'firebreak.yaml');
    writeFileSync(
      config,
      `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
sensors: { tetragon: { severities: { block-c2: critical } } }
`,
    );
    expect((await parse(['--config', config, 'alerts/a.json'])).alerts[0].severity).toBe('critical');
    // As in the shipped mapping.
    expect((await parse(['alerts/a.json'])).alerts[0].severity).toBe('medium');
    writeFileSync(config, 'sensors: { tetragon: { severities: { block-c2: awful } } }');
    expect((await parse(['--config', config, 'alerts/a.json'])).stderr).toContain('sensors.tetragon.severities.block-c2');
  });

  test('reads a log that is longer than any request body', async () => {
    const line = (at: number): string =>
      `{"rule":"r","priority":"Notice","time":"2026-06-01T10:00:00.${String(at).padStart(9, '0')}Z","source":"syscall","output":"x"}\n`;
    const log = Array.from({ length: 25_000 }, (_none, at) => line(at)).join('');
    const { status, alerts } = await parse([], log);
    expect(status).toBe(0);
    expect(new Set(alerts.map(({ id }) => id)).size).toBe(25_000);
  });

  test('reads a log with more and shorter lines than a request body may have', async () => {
    const event = '{"rule":"r","priority":"Notice","time":"2026-06-01T10:00:00Z","source":"syscall","output":"x"}';
    const { alerts, stderr } = await parse([], `${'a line\n'.repeat(30_000)}${event}\n${'{"no":"alert"}\n'.repeat(30_000)}`);
    expect(alerts).toHaveLength(1);
    expect(stderr.split('\n')).toHaveLength(60_001);
    expect(stderr).toContain('standard input: item 60001: no known sensor');
  });

  test('copes with text between the alerts of a log, and with prefixes of kubectl or the runtime', async () => {
    const event = (at: number): string =>
      `{"rule":"r","priority":"Notice","time":"2026-06-01T10:00:00.00${at}Z","source":"syscall","output":"x"}`;
    const log = [
      'Wed Nov 25 22:57:42 2026: Falco version: 0.41.3 (x86_64), loaded rules: 93',
      event(1),
      `2026-11-25T22:57:42.123456789Z stdout F ${event(2)}`,
      `[pod/falco-x7k2p/falco] ${event(3)}`,
      '',
    ].join('\n');
    const { status, alerts, stderr } = await parse(['--sensor', 'falco'], log);
    expect(alerts.map(({ time }) => time.slice(-4, -1))).toEqual(['001', '002', '003']);
    expect(stderr).toBe('standard input: item 1: not JSON\n');
    expect(status).toBe(1);
  });

  test('prints alerts from a pipe as they arrive, whether on one line or several', async () => {
    const child = spawn(process.execPath, [commandFile(), 'alerts', 'parse'], { cwd: folder });
    let printed = '';
    child.stdout.on('data', (text) => {
      printed += text;
    });
    const event = { rule: 'r', priority: 'Notice', time: '2026-06-01T10:00:00Z', source: 'syscall', output: 'x' };
    for (const [place, text] of [JSON.stringify(event), JSON.stringify({ ...event, rule: 's' })].entries()) {
      child.stdin.write(`${text}\n`);
      while (printed.split('\n').length < place + 2) await once(child.stdout, 'data');
    }
    child.stdin.end(JSON.stringify({ ...event, rule: 't', output_fields: {} }, null, 2));
    const [status] = await once(child, 'close');
    expect(status).toBe(0);
    expect(
      printed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).rule),
    ).toEqual(['r', 's', 't']);
  });

  test('an unreadable file does not affect the others in its folder', async () => {
    const mixed = join(folder, 'mixed');
    mkdirSync(mixed);
    writeFileSync(join(mixed, 'a.json.gz'), Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]));
    writeFileSync(join(mixed, 'b.json'), Buffer.from([0, 1, 2, 3, 0x7b, 0x7d, 0x0a]));
    writeFileSync(join(mixed, 'c.json'), '');
    copyFileSync(join(fixtures, 'tetragon/rw-kprobe-sigkill-policy.json'), join(mixed, 'd.json'));
    const { status, alerts, stderr } = await parse(['mixed']);
    expect(status).toBe(1);
    expect(alerts.map(({ rule }) => rule)).toEqual(['block-c2']);
    expect(stderr.split('\n')).toEqual([
      'mixed/a.json.gz: is compressed, and cannot be decompressed: Z_DATA_ERROR',
      'mixed/b.json: contains bytes that are not text: not read',
      'mixed/c.json: is empty',
      '',
    ]);
  });

  test('an unknown sensor is a usage error that lists the known ones', async () => {
    const { status, stderr } = await parse(['--sensor', 'falc', 'alerts']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/Allowed choices are .*tetragon.*falco/s);
    expect((await parse([], '')).stderr).toBe('standard input: is empty\n');
  });

  test('a reader that closes standard output or standard error early is not an error', async () => {
    const many = join(folder, 'many.json');
    writeFileSync(many, '{"no":"alert"}\n'.repeat(20_000));
    const child = spawn(process.execPath, [commandFile(), 'alerts', 'parse', many], { cwd: folder });
    await once(child.stderr, 'data');
    child.stderr.destroy();
    child.stdout.destroy();
    expect((await once(child, 'close'))[0]).toBe(0);
  });

  test('a reader that does not read pauses it, so that unread alerts do not pile up in memory', async () => {
    const line = (at: number): string =>
      `{"rule":"r","priority":"Notice","time":"2026-06-01T10:00:00.${String(at).padStart(9, '0')}Z","source":"syscall","output":"${'x'.repeat(900)}"}\n`;
    const log = join(folder, 'long.jsonl');
    writeFileSync(log, Array.from({ length: 60_000 }, (_none, at) => line(at)).join(''));
    const child = spawn(process.execPath, [commandFile(), 'alerts', 'parse', log], { cwd: folder });
    const { pid = 0 } = child;
    await once(child.stdout, 'readable');
    let ticks = -1;
    await eventually(
      'a process that has nothing to do',
      () => {
        const before = ticks;
        ticks = ticksOf(pid);
        return ticks - before <= 2 && before >= 0;
      },
      { everyMs: 1_000 },
    );
    const held = residentBytes(pid);
    child.stdout.destroy();
    await once(child, 'close');
    expect(held).toBeLessThan(300e6);
  });

  test('reports what it cannot read, and continues', async () => {
    const { status, alerts, stderr } = await parse(['nowhere.json', 'alerts/README.md', 'alerts/a.json']);
    expect(status).toBe(1);
    expect(alerts).toHaveLength(1);
    expect(stderr).toMatch(/nowhere\.json: there is no such file/);
    expect(stderr).toMatch(/README\.md: item 1: not JSON/);
  });
});
