import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { PackFiles } from '../../../service/packs/pack-files.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import type { PackFault } from '../../../service/packs/pack-rules.ts';
import { checkTypes } from '../../../service/packs/pack-types.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function faultsOf(pack: PackFiles): readonly PackFault[] {
  const checked = checkTypes(pack);
  if ('notChecked' in checked) throw new Error(checked.notChecked);
  return checked.faults;
}

/** Compiler messages for a body that the rest of the playbook surrounds: each line with what is reported about it. */
function saidOfBody(
  lines: readonly string[],
  more: Readonly<Record<string, string>> = {},
): readonly (readonly [string, string])[] {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-types-test-'));
  folders.push(folder);
  const playbook = `import { openTicket, quarantinePod, snapshotPodState } from 'firebreak/actions';
import { definePlaybook } from 'firebreak/playbook';
export const miner = definePlaybook(
  { id: 'miner', title: 'Mines', on: { match: {}, minSeverity: 'low', requires: ['pod'] }, uses: { openTicket, quarantinePod, snapshotPodState } },
  async ({ alert, steps, ask, settle, note, sleep, every, saga, runPlaybook, evidence }) => {
    const { pod } = alert;
${lines.join('\n')}
    note([ask, settle, sleep, every, saga, runPlaybook, evidence].join());
  },
);
`;
  const faults = faultsOf(
    readPack({ folder: writePackFolder(folder, { ...acmeFiles, 'playbooks/miner.ts': playbook, ...more }) }),
  );
  return faults.map(({ file, line, problem }) => [
    file === 'playbooks/miner.ts' ? (lines[line - 7]?.trim() ?? `line ${line}`) : `${file}:${line}`,
    problem,
  ]);
}

test('what does not fit is reported with what to do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-types-test-'));
  folders.push(folder);
  const playbook = `import { deletePod, openTicket, quarantinePod } from 'firebreak/actions';
import { definePlaybook, param } from 'firebreak/playbook';
const on = { match: { rule: 'x' }, minSeverity: 'low', requires: [] } as const;
export const miner = definePlaybook(
  { id: 'miner', title: 'Mines', on: { ...on, requires: ['pod'] }, params: { lease: param.duration('4h') }, uses: { deletePod, quarantinePod } },
  async ({ alert, steps, ask, params, note, verdict }) => {
    const { pod } = alert;
    const cut = await steps.quarantinePod({ pod });
    const answer = await ask({ question: '?', choices: { go: 'Yes', no: 'No' }, plan: { go: await steps.deletePod.plan({ pod }) }, onSilence: '.' });
    await steps.deletePod({ pod });
    await steps.deletePod({ pod }, answer.approval);
    if (answer.choice === 'no') await steps.deletePod({ pod }, answer.approval);
    if (answer.choice === 'no') note(answer.form.hours);
    await steps.quarantinePod.undo(cut);
    await steps.deletePod.undo(cut);
    await ask({ question: '?', choices: ['go'], onSilence: '.' });
    await ask({ question: '?', choices: { go: 'Go' } });
    note(params.leas);
    note(alert.workload.name);
    verdict('good', 'it is');
  },
);
export const asked = definePlaybook({ id: 'asked', title: 'Asked', on, uses: {}, levels: [{ group: 'oncall' }] }, async () => {});
export const wild = definePlaybook({ id: 'wild', title: 'Wild', on: { ...on, match: { rule: /x/ } }, uses: {} }, async () => {});
export const sudden = definePlaybook({ id: 'sudden', title: 'Sudden', on, uses: { openTicket }, contains: 'pod' }, async () => {});
export const runs = definePlaybook({ id: 'runs', title: 'Runs', on, uses: {} }, async ({ runPlaybook }) => void (await runPlaybook(miner)));
export const never = definePlaybook({ id: 'never', title: 'Never', on: { minSeverity: 'low', requires: [] }, uses: {} }, async () => {});
`;
  const faults = faultsOf(readPack({ folder: writePackFolder(folder, { ...acmeFiles, 'playbooks/miner.ts': playbook }) }));
  const problems = faults.map(({ line, problem }) => `${line}: ${problem}`);
  expect(problems).toEqual(
    expect.arrayContaining([
      '10: deletePod takes an approval',
      '12: this is not the approval of deletePod',
      '14: quarantinePod.undo takes an approval',
      '15: deletePod cannot be undone: what it ends is gone',
      '25: a playbook that contains needs quarantinePod',
      "26: what it runs requires 'pod'",
    ]),
  );
  expect(faults.map(({ line, remedy }) => `${line}: ${remedy}`)).toEqual([
    '10: Offer its plan in ask(), and give it answer.approval.',
    '11: Look at answer.choice first: silence approves nothing, and fills nothing in.',
    '12: Offer its plan as the plan of this choice in ask().',
    '13: Add it to forms of this choice, or look at answer.choice first.',
    '14: Offer what undo.plan() gives in ask(), and give it answer.approval.',
    '15: Remove the call.',
    '16: Write an object, { name: value }, in place of a list.',
    "17: Say in words what happens if nobody answers: onSilence: 'The pod stays quarantined.'.",
    '18: Write lease, or add leas to params of the envelope.',
    "19: Add 'workload' to on.requires, or check that it is there.",
    "20: Write 'true_positive', 'benign', 'suspicious' or 'unknown'.",
    "23: Say how long it is put to this group alone: within: '15m'.",
    "24: Write regex('…') or glob('…'), imported from firebreak/playbook.",
    '25: Add it to uses.',
    '26: Add that to on.requires.',
    "27: Add match: { rule: '…' } to on, or schedule: { every: '1d' }.",
  ]);
});

describe('what is not awaited is reported, on its line:', () => {
  test('steps, questions, pauses and one’s own async functions, wherever they are', () => {
    const forgotten = [
      'steps.quarantinePod({ pod });',
      "if (alert.node) sleep('1h')",
      'settle({ kept: steps.snapshotPodState({ pod }) });',
      "every('1h', 3, async () => 'enough');",
      '(async () => note("own"))();',
      '[pod].map((one) => steps.snapshotPodState({ pod: one }));',
      '[pod].forEach((one) => steps.snapshotPodState({ pod: one }));',
      '[pod].forEach(async (one) => note(one.name));',
      "alert.node && steps.openTicket({ title: 'a', body: 'b', labels: [] });",
      'steps.quarantinePod({ pod }).then(() => note("cut off"));',
      'steps.quarantinePod({ pod }).catch(() => note("not cut off"));',
      'await saga(async (part) => { part.quarantinePod({ pod }); });',
      'const kept = steps.snapshotPodState({ pod });',
    ];
    const said = saidOfBody(forgotten);
    expect(said.map(([line]) => line)).toEqual(forgotten);
    expect(said.at(0)?.[1]).toBe('nothing waits for “steps.quarantinePod({ pod })”: an await is missing');
    expect(said.at(-1)?.[1]).toBe('nothing waits for kept, of “steps.snapshotPodState({ pod })”');
  });

  test('but not what is awaited, passed on, kept for later, or dropped on purpose', () => {
    expect(
      saidOfBody([
        'const contained = steps.quarantinePod({ pod });',
        'const all = [pod].map((one) => steps.snapshotPodState({ pod: one }));',
        'await settle({ evidence: steps.snapshotPodState({ pod }) });',
        'let later = steps.snapshotPodState({ pod });',
        'later = steps.snapshotPodState({ pod });',
        'await contained;',
        'await Promise.all([...all, later]);',
        "void steps.openTicket({ title: 'a', body: 'b', labels: [] });",
        '[pod].forEach((one) => note(one.name));',
        'const loose = JSON.parse("{}");',
        'loose.anything();',
        'evidence().slice().sort();',
        'note(',
        '  (await contained).output.policy);',
      ]),
    ).toEqual([]);
  });

  test('also in plain JavaScript, whose types we otherwise ignore', () => {
    expect(
      saidOfBody([], {
        'other.js':
          "import { miner } from './playbooks/miner.ts';\nexport const untyped = (x) => x.y.z;\nexport async function late() {}\nlate();\nuntyped(miner);\n",
        'saying.ts': "import './other.js';\nexport const saying = (lease: string): string => lease;\n",
        'firebreak.pack.ts': `${acmeFiles['firebreak.pack.ts']}import './saying.ts';\n`,
      }),
    ).toEqual([['other.js:4', 'nothing waits for “late()”: an await is missing']]);
  });
});

test('wrong types are reported with the part that does not fit', () => {
  expect(saidOfBody(["await steps.quarantinePod({ pod, lease: '4 hours' });"])).toEqual([
    ["await steps.quarantinePod({ pod, lease: '4 hours' });", expect.stringMatching(/"4 hours".*Duration.*\(TS\d+\)$/)],
  ]);
});

test('a pack is read with the types of the Firebreak that runs it, whatever its folder has installed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-types-test-'));
  folders.push(folder);
  writePackFolder(folder, {
    ...acmeFiles,
    'node_modules/firebreak/package.json': '{ "name": "firebreak", "exports": { "./playbook": "./nothing.js" } }',
    'node_modules/firebreak/nothing.js': '',
  });
  expect(checkTypes(readPack({ folder }), folder)).toEqual({ faults: [] });
});

test('and never with a compiler that the pack contains, which would run with the rights of whoever looks at it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-types-test-'));
  folders.push(folder);
  writePackFolder(folder, {
    ...acmeFiles,
    'node_modules/typescript/package.json': '{ "name": "typescript", "version": "7.0.0" }',
    'node_modules/typescript/bin/tsc': `require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'ran'))}, '');\n`,
  });
  expect(checkTypes(readPack({ folder }), folder)).toEqual({ faults: [] });
  expect(existsSync(join(folder, 'ran'))).toBe(false);
});

test('shipped playbooks await everything that they start', () => {
  const folder = join(projectRoot(), 'playbooks');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      // A pack has no core next to its playbooks.
      const text = readFileSync(join(folder, file), 'utf8').replaceAll(/'(?:\.\.\/)+core\//g, `'${projectRoot()}/core/`);
      return [file, Buffer.from(text)] as const;
    });
  expect(faultsOf({ files: new Map(files), integrity: '', main: 'index.ts' })).toEqual([]);
});

test('an envelope without `requires` is told what to write', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-types-test-'));
  folders.push(folder);
  const playbook = acmeFiles['playbooks/miner.ts']?.replace(/,\s*requires: \[[^\]]*\]/, '') ?? '';
  expect(playbook).not.toContain('requires');
  const [first] = faultsOf(readPack({ folder: writePackFolder(folder, { ...acmeFiles, 'playbooks/miner.ts': playbook }) }));
  expect(`${first?.problem}. ${first?.remedy}`).toMatch(/Property 'requires' is missing.*Add requires: \['pod'\] to on/);
});

test('a name that firebreak/actions does not have leads to their list', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-types-test-'));
  folders.push(folder);
  const playbook = `import { cordonNodes } from 'firebreak/actions';\n${acmeFiles['playbooks/miner.ts']}\nexport const other = cordonNodes;\n`;
  const [first] = faultsOf(readPack({ folder: writePackFolder(folder, { ...acmeFiles, 'playbooks/miner.ts': playbook }) }));
  expect(first?.line).toBe(1);
  expect(first?.remedy).toBe('Write it as `firebreak actions list` does.');
});
