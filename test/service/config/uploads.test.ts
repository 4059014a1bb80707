import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { openDoor } from '../../../service/cell/pools/upload-door.ts';
import { checkConfig, loadConfig } from '../../../service/config/load.ts';
import { createLog } from '../../../service/process/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-uploads-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const minimal = `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
`;
const path = join(folder, 'firebreak.yaml');
function written(forensics: object): string {
  writeFileSync(path, `${minimal}forensics: ${JSON.stringify(forensics)}\n`);
  return path;
}
const read = (forensics: object) => loadConfig({ path: written(forensics), env: {} });
const log = createLog({ log: { ...read({}).log, level: 'error' } });

test('nothing listens for uploads unless an address is set', async () => {
  expect(await openDoor({ config: read({}), log })).toBeUndefined();
});

test('the process listens if an address is set, and reports if it cannot', async () => {
  const address = 'https://firebreak-forensics.firebreak.svc:9443';
  const door = await openDoor({ config: read({ uploads: { address, listen: { port: 0 } } }), log });
  expect(door?.origin).toBe(address);
  await door?.close();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const at = taken.address();
  const port = typeof at === 'object' ? (at?.port ?? 0) : 0;
  await expect(openDoor({ config: read({ uploads: { address, listen: { port } } }), log })).rejects.toMatchObject({
    code: 'FB_ERR_CONFIG_INVALID',
    detail: `forensics.uploads.listen: 127.0.0.1:${port}: something listens there already: stop it, or set another port`,
  });
  taken.close();
});

test.each([
  'http://10.20.0.5:9443',
  'https://10.20.0.5',
  'https://10.20.0.5:9443/',
  'https://a@10.20.0.5:9443',
  'https://Pool:9443',
])('an address must be just a host and a port: %s', (address) => {
  const checked = checkConfig({ path: written({ uploads: { address } }), env: {} });
  const problems = checked.ok ? [] : checked.problems.map((one) => `${one.path}: ${one.problem}`);
  expect(problems).toEqual([expect.stringContaining('forensics.uploads.address: not https://HOST:PORT')]);
});

test('processes that share the streams of a cluster get at least one each', () => {
  expect(read({ streams: { processes: 2 } }).forensics.streams).toMatchObject({ atATime: 2, processes: 2 });
  expect(() => read({ streams: { atATime: 2, processes: 3 } })).toThrow(
    expect.objectContaining({
      code: 'FB_ERR_CONFIG_INVALID',
      detail: expect.stringContaining('forensics.streams.atATime: fewer than'),
    }),
  );
});
