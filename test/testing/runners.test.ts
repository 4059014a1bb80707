import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { projectRoot } from '../../service/process/project-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-runners-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const room = (path: string): string => JSON.stringify(pathToFileURL(join(projectRoot(), path)).href);

function run(name: string, text: string, ...flags: readonly string[]): { readonly status: number | null; readonly out: string } {
  const file = join(folder, name);
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, file], { encoding: 'utf8' });
  return { status, out: `${stdout}${stderr}` };
}

const alert = JSON.stringify({
  id: 'a'.repeat(32),
  sensor: 'falco',
  rule: 'Terminal shell in container',
  severity: 'low',
  time: '2026-11-24T21:41:44Z',
  title: 'A shell',
  cluster: 'lab',
  pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
  observables: [],
  tags: [],
  mitre: [],
});

test('a playbook can be tested under Node’s own runner: no globals are needed', () => {
  const { status, out } = run(
    'shell.test.mjs',
    `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyAnswer } from ${room('authoring/testing.ts')};
import { askAboutShell } from ${room('playbooks/index.ts')};
test('it has no problems', async () => {
  const { problems, answers } = await everyAnswer(askAboutShell, ${alert});
  assert.deepEqual(problems, []);
  assert.equal(answers.length, 4);
});
`,
    '--test',
  );
  expect(out).toContain('pass 1');
  expect(status).toBe(0);
});

test('a simulation loads neither Temporal nor a cluster client', () => {
  const { out } = run(
    'loads.mjs',
    `import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
const { simulate } = await import(${room('authoring/testing.ts')});
const { askAboutShell } = await import(${room('playbooks/index.ts')});
const { end } = await simulate(askAboutShell, { alert: ${alert} });
console.log(JSON.stringify({ end, heavy: loaded.filter((url) => /@temporalio|@kubernetes|integrations|aws-sdk|lmdb|slack/.test(url)) }));
`,
  );
  expect(JSON.parse(out)).toEqual({ end: 'done', heavy: [] });
});

test('a body that never yields ends the run with its location, which no runner could do', () => {
  writeFileSync(
    join(folder, 'endless.mjs'),
    `import { definePlaybook } from ${room('authoring/playbook.ts')};
const on = { match: { rule: 'Terminal shell in container' }, minSeverity: 'low', requires: [] };
export const endless = definePlaybook({ id: 'endless', title: 'Endless', on, uses: {} }, async ({ note }) => {
  note('begins');
  for (let turn = 0; turn < 10; ) await Promise.resolve();
});
`,
  );
  const { status, out } = run(
    'endless.test.mjs',
    `import { test } from 'node:test';
import { simulate } from ${room('authoring/testing.ts')};
import { endless } from './endless.mjs';
test('it ends', async () => void (await simulate(endless, { alert: ${alert} })));
`,
    '--test',
  );
  expect(out).toMatch(/a playbook goes on without waiting for anything, at \S*endless\.mjs:5\. /);
  expect(status).not.toBe(0);
});

test('one thread watches a process, however often a runner loads the package', () => {
  const { out } = run(
    'threads.mjs',
    `import { readdirSync } from 'node:fs';
const threads = () => readdirSync('/proc/self/task').length;
const before = threads();
await import(${room('testing/watch/loop-watch.ts')});
const once = threads();
const again = await import(${room('testing/watch/loop-watch.ts').replace(/"$/, '?again"')});
console.log(JSON.stringify([once > before, threads() === once, again.endingLoops !== undefined]));
`,
  );
  expect(JSON.parse(out)).toEqual([true, true, true]);
});
