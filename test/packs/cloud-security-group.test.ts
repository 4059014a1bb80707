import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

test('the pack with its own action passes its tests with the installed package', async () => {
  const tested = await runNode(folder, '--test', 'test/**/*.test.ts');
  expect(tested.stdout).toContain('fail 0');
  expect(tested).toMatchObject({ code: 0 });
});

test('its types are right, and using its step without approval is a type error', async () => {
  const types = () => runNode(folder, 'node_modules/typescript/bin/tsc', '-p', '.');
  expect(await types()).toMatchObject({ code: 0, stdout: '' });
  const body = readFileSync(join(folder, 'playbooks', 'close-exposed-port.ts'), 'utf8');
  const unapproved = body.replace('({ ...input, lease }, answer.approval)', '({ ...input, lease })');
  expect(unapproved).not.toBe(body);
  const file = join(folder, 'playbooks', 'unapproved.ts');
  writeFileSync(file, unapproved);
  const { code, stdout } = await types();
  rmSync(file);
  expect(code).not.toBe(0);
  expect(stdout).toMatch(/playbooks.unapproved\.ts.*error TS.*approval/s);
});

test('the pack check finds no problems, and says what its action may do', async () => {
  const { code, stdout, stderr } = await firebreakIn(folder, 'pack', 'check');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^cloud-security-group 1\.0\.0, integrity sha512-/);
  expect(stdout).toMatch(/^cloud-security-group\/closePort +reversible +workload +people, each time +none +token/m);
});
