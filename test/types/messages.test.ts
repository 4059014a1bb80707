import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-mistakes-'));

/** What an author writes, and what the compiler must report. */
const mistakes: readonly { readonly name: string; readonly code: string; readonly says: readonly RegExp[] }[] = [
  {
    name: 'a destructive step without an approval',
    code: 'await steps.deletePod({ pod });',
    says: [/deletePod takes an approval: offer its plan in ask\(\), and give it answer\.approval/],
  },
  {
    name: 'a step that reaches a whole namespace without an approval',
    code: "await steps.isolateNamespace({ namespace: 'shop' });",
    says: [/isolateNamespace takes an approval/],
  },
  {
    name: 'the approval of another plan',
    code: "if (answer.choice === 'rotate') await steps.deletePod({ pod }, answer.approval);",
    says: [/not the approval of deletePod: offer its plan as the plan of this choice in ask\(\)/],
  },
  {
    name: 'the approval of a choice without a plan',
    code: "if (answer.choice === 'no') await steps.deletePod({ pod }, answer.approval);",
    says: [/not the approval of deletePod: offer its plan/],
  },
  {
    name: 'the undo of what cannot be undone',
    code: 'await steps.deletePod.undo(quarantine);',
    says: [/not callable/, /deletePod cannot be undone: what it ends is gone/],
  },
  { name: 'an unknown action', code: 'await steps.deletePot({ pod });', says: [/'deletePot' does not exist/, /deletePod/] },
  {
    name: 'an alert that need not name a pod',
    code: 'await anyAlert.steps.quarantinePod({ pod: anyAlert.alert.pod });',
    says: [/NotInRequires<"pod"/],
  },
  {
    name: 'a time that is spelt out',
    code: "await steps.quarantinePod({ pod, lease: '4 hours' });",
    says: [/"4 hours"/, /Duration/],
  },
  { name: 'a negative time', code: "await steps.quarantinePod({ pod, lease: '-4h' });", says: [/"-4h"/, /Duration/] },
];

const lines: string[] = [];
let said = '';

beforeAll(() => {
  const from = (path: string) => JSON.stringify(relative(folder, join(root, path)));
  lines.push(
    `import { deletePod, isolateNamespace, quarantinePod, rotateSecret } from ${from('core/actions/index.ts')};`,
    `import { definePlaybook, type PlaybookContext } from ${from('core/playbook/playbook.ts')};`,
    'declare const anyAlert: PlaybookContext<{ quarantinePod: typeof quarantinePod }, never>;',
    "const on = { match: { rule: 'r' }, minSeverity: 'low', requires: ['pod'] } as const;",
    'const uses = { deletePod, isolateNamespace, quarantinePod, rotateSecret };',
    "export const p = definePlaybook({ id: 'p', title: 'P', on, uses }, async ({ alert, steps, ask }) => {",
    'const { pod } = alert; const quarantine = await steps.quarantinePod({ pod });',
    "const choices = { no: 'No', rotate: 'Yes' } as const; const plan = { rotate: await steps.rotateSecret.plan({ suspect: pod }) };",
    "const answer = await ask({ question: 'q', onSilence: 's', choices, plan });",
    ...mistakes.map(({ code }) => code),
    '});',
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'mistakes.ts'), lines.join('\n'));
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] },
      include: ['mistakes.ts'],
    }),
  );
  const tsc = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--noEmit', '--pretty', 'false'],
    {
      encoding: 'utf8',
    },
  );
  said = `${tsc.stdout}${tsc.stderr}`;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(mistakes)('of $name the compiler says what to do', ({ code, says }) => {
  const line = lines.indexOf(code) + 1;
  // The first line of a message names the place; its further lines are indented.
  const message = said
    .split(/\n(?! )/)
    .filter((one) => one.includes(`mistakes.ts(${line},`))
    .join('\n');
  for (const part of says) expect(message).toMatch(part);
});

test('nothing else is wrong there', () => {
  const where = [...said.matchAll(/mistakes\.ts\((\d+),/g)].map(([, line]) => Number(line));
  expect([...new Set(where)].sort((a, b) => a - b)).toEqual(mistakes.map(({ code }) => lines.indexOf(code) + 1));
});
