import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { projectRoot } from '../../../service/process/project-root.ts';
import { firebreakHere } from '../../command-line.ts';

const docs = (...args: readonly string[]) => firebreakHere(['docs', ...args], { folder: tmpdir() });
const page = (file: string): string => readFileSync(join(projectRoot(), 'docs', file), 'utf8');

describe('firebreak docs', () => {
  test('lists the pages with their titles', async () => {
    const { status, stdout } = await docs();
    expect(status).toBe(0);
    expect(stdout).toMatch(/^PAGE +TITLE\n/);
    expect(stdout).toMatch(/^sensors\/falco +Falco/m);
    expect(stdout).toMatch(/^sensors +\S/m);
  });

  test.each([
    ['operations', 'operations.md'],
    ['docs/operations.md', 'operations.md'],
    ['sensors', 'sensors/README.md'],
    ['sensors/falco#levels', 'sensors/falco.md'],
  ])('prints %s as it is', async (written, file) => {
    expect(await docs(written)).toMatchObject({ status: 0, stdout: page(file), stderr: '' });
  });

  test('suggests the page that was meant, and prints no other file', async () => {
    expect((await docs('operation')).stderr).toContain('there is no page operation; did you mean operations?');
    for (const other of ['../package.json', '../CONTRIBUTING', '/etc/hostname'])
      expect(await docs(other)).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('FB_ERR_UNKNOWN_ID') });
  });
});
