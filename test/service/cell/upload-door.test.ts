import { request } from 'node:https';
import { expect, test } from '@jest/globals';
import pino from 'pino';
import { openDoor } from '../../../service/cell/pools/upload-door.ts';
import { eventually } from '../../eventually.ts';

test('refused uploads are counted and logged once, however many there are', async () => {
  const lines: { readonly msg: string; readonly counts?: object }[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const forensics = { uploads: { listen: { host: '127.0.0.1', port: 0 }, address: 'https://127.0.0.1:0' } };
  const door = await openDoor({ config: { forensics } as Parameters<typeof openDoor>[0]['config'], log });
  if (!door) throw new Error('no door');
  const asked = (method: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request(`${door.origin}/uploads/00`, { method, rejectUnauthorized: false }, ({ statusCode }) => resolve(statusCode))
        .on('error', reject)
        .end();
    });
  for (let n = 0; n < 5; n += 1) expect(await asked('PUT')).toBe(404);
  expect(lines.filter(({ counts }) => counts)).toEqual([]);
  await door.close();
  const told = await eventually('the line', async () => lines.filter(({ counts }) => counts).at(0));
  expect(told).toMatchObject({ msg: 'refused uploads of evidence', counts: { 'no upload is expected there': 5 } });
});
