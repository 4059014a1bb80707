import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { incidentKeyId } from '../../../core/evidence/incident-key.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../../integrations/crypto-box/key-wrap.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createIncidentKeys } from '../../../integrations/evidence/incident-keys.ts';

const dir = mkdtempSync(join(tmpdir(), 'firebreak-incident-keys-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const wrap = (fill: number) => boxWrap(createBox({ keys: [{ id: 'evidence', key: new Uint8Array(32).fill(fill) }] }));
const keysWith = (fill: number) => createIncidentKeys({ wrap: wrap(fill), shelf: createFolderShelf({ dir }) });
const cart = { incident: 'incident/c/shop/Deployment/cart', run: 'run-1', class: 'files' } as const;

describe('the key of an incident', () => {
  test('is the same for concurrent callers, differs per run and class, and is stored wrapped, for its owner only', async () => {
    const asked = await Promise.all(Array.from({ length: 8 }, () => keysWith(1).keyFor(cart)));
    const [first] = asked;
    expect(new Set(asked.map(({ key }) => Buffer.from(key).toString('hex'))).size).toBe(1);
    expect((await keysWith(1).keyFor({ ...cart, run: 'run-2' })).key).not.toEqual(first?.key);
    expect((await keysWith(1).keyFor({ ...cart, class: 'memory' })).key).not.toEqual(first?.key);
    const file = join(dir, 'keys', incidentKeyId(cart));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, 'utf8');
    for (const form of ['base64', 'hex', 'latin1'] as const)
      expect(text).not.toContain(Buffer.from(first?.key ?? []).toString(form));
    expect(readdirSync(join(dir, 'keys')).filter((name) => name.endsWith('.draft'))).toEqual([]);
    expect(await keysWith(1).open(incidentKeyId(cart))).toEqual(first);
  });

  test('opens with the wrapping key alone, and is gone when its file is', async () => {
    const { id } = await keysWith(1).keyFor(cart);
    await expect(keysWith(2).open(id)).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
    await expect(keysWith(1).open('../../etc/passwd')).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
    rmSync(join(dir, 'keys', id));
    await expect(keysWith(1).open(id)).rejects.toMatchObject({
      code: 'FB_ERR_NOT_FOUND',
      detail: expect.stringContaining('was deleted with it'),
    });
  });

  test('cannot be backdated or passed off as another’s undetected', async () => {
    const { id } = await keysWith(1).keyFor({ ...cart, class: 'logs' });
    const file = join(dir, 'keys', id);
    const wrapped = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...wrapped, madeAt: '2020-01-01T00:00:00.000Z' }));
    await expect(keysWith(1).open(id)).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
    const other = await keysWith(1).keyFor({ ...cart, class: 'state' });
    writeFileSync(file, readFileSync(join(dir, 'keys', other.id)));
    await expect(keysWith(1).open(id)).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
  });
});
