import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentStart } from '../../../core/incident/incident.ts';
import type { StartOptions, StartResult } from '../../../service/intake/send/incident-gateway.ts';
import { type CommandRun, firebreakHere, firebreakProcess } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Door, falcoEvent, openDoor, until } from '../intake/parts/intake-fixture.ts';

/** A Temporal that permanently refuses every start while `refusing` is set. */
class Picky extends FakeIncidentGateway {
  refusing = true;

  override async start(id: string, start: IncidentStart, options: StartOptions): Promise<StartResult> {
    return this.refusing ? { kind: 'refused', detail: 'gRPC status 3' } : super.start(id, start, options);
  }
}

let folder: string;
let door: Door | undefined;
const gateway = new Picky();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-kept-'));
  const directory = join(folder, 'state', 'spool');
  mkdirSync(directory, { recursive: true });
  const config = {
    cluster: 'lab',
    stateDir: 'state',
    temporal: { address: '127.0.0.1:1', codecKeys: [{ id: 'test', key: { env: 'CODEC_KEY' } }] },
    intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
    roster: { people: [{ id: 'ada', name: 'Ada', slack: ['U01ADA'] }], groups: { oncall: ['ada'], leads: ['ada'] } },
  };
  writeFileSync(join(folder, 'firebreak.yaml'), JSON.stringify(config));
  door = await openDoor(gateway, { directory });
});

afterAll(async () => {
  await door?.intake.stop(100);
  rmSync(folder, { recursive: true, force: true });
});

const around = () => ({ folder, env: { CODEC_KEY: Buffer.alloc(32, 7).toString('base64') } });
const firebreak = (...args: readonly string[]) => firebreakHere(['alerts', ...args], around());
/** As a separate process, while the intake runs in this one. */
const asProcess = (...args: readonly string[]) => firebreakProcess(['alerts', ...args], around());

const linesOf = ({ stdout }: CommandRun): readonly string[] => stdout.trimEnd().split('\n');

async function reject(...bodies: readonly string[]): Promise<void> {
  for (const body of bodies) await door?.post(body);
}

describe('alerts rejected, without a cell of this configuration', () => {
  test('says so instead of that nothing was rejected, and creates no spool', async () => {
    const elsewhere = join(folder, 'elsewhere.yaml');
    writeFileSync(elsewhere, readFileSync(join(folder, 'firebreak.yaml'), 'utf8').replace('"state"', '"nowhere"'));
    const { status, stdout, stderr } = await firebreak('rejected', 'list', '--config', elsewhere);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/there is no spool in .*nowhere.*: run this on the machine of the cell/);
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });
});

describe('alerts rejected, while the service runs', () => {
  test('list and show say what came, from whom and why it was rejected; control characters are escaped', async () => {
    expect(linesOf(await asProcess('rejected', 'list'))).toEqual(['Nothing was rejected.']);
    await reject('{broken \u001b[31m', '{"nonsense": true}');
    const [head, newest, oldest, ...rest] = linesOf(await asProcess('rejected', 'list'));
    expect(head).toMatch(/^ID +WHEN +FROM +SENSOR +BYTES +WHY$/);
    expect(newest).toMatch(/^r2 .* falco +falco +18 +`rule` is missing/);
    expect(oldest).toMatch(/^r1 .* falco +falco +13 +/);
    expect(rest).toEqual([]);
    const shown = await asProcess('rejected', 'show', 'r1');
    expect(shown.stdout).toContain('{broken \\u{1b}[31m');
    expect(shown.stdout).not.toContain('\u001b');
    const json = JSON.parse((await asProcess('rejected', 'show', 'r2', '--json')).stdout);
    expect(json).toMatchObject({ id: 'r2', raw: '{"nonsense": true}', from: 'falco', bytes: 18 });
  });

  test('replay reports the result for each, and fails if something is still not accepted', async () => {
    const again = await firebreak('rejected', 'replay', 'r2');
    expect(again).toMatchObject({ status: 1, stdout: 'r2  refused: `rule` is missing or not a string\n' });
    expect(linesOf(await firebreak('rejected', 'list'))).toHaveLength(3);
  });

  test('drop needs a reason and the ids, and removes what was dropped', async () => {
    expect(await firebreak('rejected', 'drop', 'r1')).toMatchObject({ status: 2, stderr: expect.stringContaining('--reason') });
    const endless = await firebreak('rejected', 'drop', 'r1', '--reason', 'x'.repeat(501));
    expect(endless).toMatchObject({ status: 2, stderr: expect.stringContaining('at most 500 characters') });
    const nameless = await firebreak('rejected', 'drop', '--reason', 'ours');
    expect(nameless).toMatchObject({ status: 2, stderr: expect.stringContaining('name the ids or use --all') });
    expect(await firebreak('rejected', 'show', 'r1/drop')).toMatchObject({ status: 1 });
    expect(linesOf(await firebreak('rejected', 'list'))).toHaveLength(3);
    expect((await firebreak('rejected', 'drop', 'r1', '--reason', 'a test', '--yes', '--target', 'lab')).stdout).toBe(
      'r1  dropped\n',
    );
    expect((await firebreak('rejected', 'drop', '--all', '--reason', 'a test', '--yes', '--target', 'lab')).stdout).toBe(
      'r2  dropped\n',
    );
    expect(linesOf(await firebreak('rejected', 'list'))).toEqual(['Nothing was rejected.']);
    expect(await firebreak('rejected', 'show', 'r1')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('"r1": firebreak alerts rejected list'),
    });
  });
});

describe('alerts refused, while the service runs', () => {
  test('an alert that Temporal refused is listed and shown as it came, and can be replayed or dropped', async () => {
    for (const pod of ['web1', 'web2']) {
      const body = JSON.stringify(falcoEvent({}, { 'k8s.pod.name': `${pod}-6d4cf56db6-xbcdf` }));
      await door?.post(body);
    }
    await eventually('both alerts set aside', async () => (await door?.rejected())?.length === 2);
    const listed = linesOf(await firebreak('refused', 'list'));
    expect(listed[0]).toMatch(/^ID +WHEN +INCIDENT +RULE +WHY$/);
    expect(listed.slice(1).join('\n')).toMatch(
      /incident\/lab\/shop\/Deployment\/web[12] +Terminal shell in container +gRPC status 3/,
    );
    expect(linesOf(await firebreak('rejected', 'list')).at(-1)).toBe('2 more are set aside: firebreak alerts refused list');
    // Each has its own line to Temporal: which was refused first is random.
    const idOf = (pod: string): string => listed.find((line) => line.includes(`Deployment/${pod} `))?.split(' ')[0] ?? '';
    const [first, second] = [idOf('web1'), idOf('web2')];
    expect((await firebreak('refused', 'show', first)).stdout).toContain('"rule":"Terminal shell in container"');
    expect((await firebreak('rejected', 'show', first)).stderr).toContain('firebreak alerts refused');
    gateway.refusing = false;
    expect((await asProcess('refused', 'replay', first)).stdout).toBe(`${first}  returned\n`);
    await until(() => [...gateway.runs.keys()].some((id) => id.endsWith('/web1')));
    expect((await firebreak('refused', 'drop', second, '--reason', 'ours', '--yes', '--target', 'lab')).stdout).toBe(
      `${second}  dropped\n`,
    );
    expect(linesOf(await firebreak('refused', 'list'))).toEqual(['Temporal refused nothing.']);
    expect([...gateway.runs.keys()].some((id) => id.endsWith('/web2'))).toBe(false);
  });
});

describe('when no service runs', () => {
  test('the spool is read directly: list, show and drop work, and replay says what it needs', async () => {
    await reject('{"nonsense": 2}');
    await door?.intake.stop(100);
    door = undefined;
    const [, line] = linesOf(await asProcess('rejected', 'list'));
    const id = line?.split(' ')[0] ?? '';
    expect((await asProcess('rejected', 'show', id)).stdout).toContain('{"nonsense": 2}');
    expect((await asProcess('rejected', 'replay', id)).stdout).toContain('only the running service');
    expect((await asProcess('rejected', 'drop', id, '--reason', 'ours', '--yes', '--target', 'lab')).stdout).toBe(
      `${id}  dropped\n`,
    );
    expect(await asProcess('storm')).toMatchObject({ status: 1, stderr: expect.stringContaining('no intake') });
  });
});
