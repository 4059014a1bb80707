import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { firebreakHere } from '../../command-line.ts';
import { writeConfiguration } from '../../suites/signed-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-explain-'));
beforeAll(() => {
  writeConfiguration(folder);
  const path = join(folder, 'firebreak.yaml');
  const scopes = '{ mode: observe, scopes: [{ name: shops, namespaces: [shop-*], mode: contain }] }';
  const own =
    '{ falco: { rules: { Our backup: { confidence: weak, why: it does that } }, severities: { Our backup: critical } } }';
  writeFileSync(path, `${readFileSync(path, 'utf8')}response: ${scopes}\nsensors: ${own}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rule = 'Detect release_agent File Container Escapes';

test('explain says what would happen by the configuration alone, as text and as JSON', async () => {
  const shown = await firebreakHere(['explain', '--namespace', 'shop-eu', '--rule', rule], { folder });
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout).toMatch(/^mode +contain, profile balanced, by scope shops$/m);
  expect(shown.stdout).toContain('contain: the pod is cut off at once; firebreak/contain-container-escape answers');
  const { stdout } = await firebreakHere(['explain', '-n', 'bank', '--rule', rule, '--json'], { folder });
  expect(JSON.parse(stdout)).toMatchObject({
    policy: { mode: 'observe' },
    cases: [{ done: 'filed', assessment: { would: 'contain' } }, {}, {}],
  });
});

test('explain believes what the configuration says of a rule of its own', async () => {
  const { stdout } = await firebreakHere(['explain', '-n', 'shop-eu', '--rule', 'Our backup'], { folder });
  expect(stdout).toContain('the rule is weak: it does that');
});

test('explain names the rules that were probably meant', async () => {
  const { status, stderr } = await firebreakHere(['explain', '-n', 'bank', '--rule', 'release_agent'], { folder });
  expect(status).toBe(1);
  expect(stderr).toContain(`did you mean “${rule}”`);
});
