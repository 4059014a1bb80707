import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { projectRoot } from '../../service/process/project-root.ts';
import { emptyProject, firebreakIn, installFirebreak, packedFirebreak, runNode } from '../package.ts';

let project: string;
let folder: string;
beforeAll(async () => {
  project = await emptyProject();
  folder = join(project, 'cloud-security-group');
  cpSync(join(projectRoot(), 'packs', 'cloud-security-group'), folder, { recursive: true });
  await installFirebreak(folder, (await packedFirebreak()).tarball);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

test('the pack with an action of its own passes its tests with the installed package', async () => {
  const tested = await runNode(folder, '--test', 'test/**/*.test.ts');
  expect(tested.stdout).toContain('fail 0');
  expect(tested).toMatchObject({ code: 0 });
});

test('its types are right, and a step of it without approval is a mistake', async () => {
  expect(await runNode(folder, 'node_modules/typescript/bin/tsc', '-p', '.')).toMatchObject({ code: 0, stdout: '' });
});

test('nothing is wrong with it, and the check says what its action may do', async () => {
  const { code, stdout, stderr } = await firebreakIn(folder, 'pack', 'check');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^cloud-security-group 1\.0\.0, integrity sha512-/);
  expect(stdout).toMatch(/^cloud-security-group\/closePort +reversible +workload +people, each time +none +token/m);
});
