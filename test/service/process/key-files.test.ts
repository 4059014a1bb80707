import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { awaitPublicKeys } from '../../../service/process/keys/key-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-key-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a key that another role creates at its start is waited for, and one that never appears is named', async () => {
  const file = join(folder, 'vote.pem.pub');
  const read = awaitPublicKeys([file], { stateDir: folder });
  writeFileSync(file, 'a key');
  expect(await read).toEqual(['a key']);
  const gone = join(folder, 'gone.pem.pub');
  const refusal = { code: 'FB_ERR_CONFIG_INVALID', detail: `the key file ${gone} cannot be read` };
  await expect(awaitPublicKeys([file, gone], { stateDir: folder }, 0)).rejects.toMatchObject(refusal);
  // No other process is creating it, so there is nothing to wait for.
  await expect(awaitPublicKeys([gone], { stateDir: join(folder, 'state') })).rejects.toMatchObject(refusal);
});
