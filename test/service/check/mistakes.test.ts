/** A playbook that is broken in each of the ways that we know of, and the check that must report it before it is live. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkPack } from '../../../service/check/check-pack.ts';
import type { CheckFinding } from '../../../service/check/finding.ts';
import { type Config, loadConfig } from '../../../service/config/load.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-mistakes-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Mistake {
  readonly mistake: string;
  /** Lines of the body; the finding is about the line with `here`. */
  readonly body: readonly string[];
  readonly on?: string;
  readonly more?: string;
  /** Code before the playbook, in its file. */
  readonly before?: string;
  readonly check: CheckFinding['check'];
  readonly severity?: CheckFinding['severity'];
  readonly says: RegExp;
}

const ask = (choices: string, plan: string) =>
  `const answer = await ask({ question: 'What is it?', choices: { ${choices} }, plan: { ${plan} }, onSilence: 'Nothing is done.' });`;
const done = "await steps.openTicket({ title: alert.title, body: 'Look.', labels: [] });";

const unreachable = 'a loop before all else';

const mistakes: readonly Mistake[] = [
  {
    mistake: 'undo of what cannot be undone',
    body: [
      ask("no: 'No', end: 'Yes'", 'end: await steps.deletePod.plan({ pod: alert.pod })'),
      "if (answer.choice === 'end') {",
      '  const ended = await steps.deletePod({ pod: alert.pod }, answer.approval);',
      '  await steps.deletePod.undo(ended, answer.approval); // here',
      '}',
    ],
    check: 'types',
    says: /deletePod cannot be undone: what it ends is gone/,
  },
  {
    mistake: 'a destructive step without approval',
    body: ['await steps.deletePod({ pod: alert.pod }); // here'],
    check: 'types',
    says: /deletePod takes an approval\. Offer its plan in ask\(\)/,
  },
  {
    mistake: 'the approval of another plan',
    body: [
      ask("no: 'No', turn: 'Yes'", 'turn: await steps.rotateSecret.plan({ suspect: alert.pod })'),
      "if (answer.choice === 'turn') await steps.deletePod({ pod: alert.pod }, answer.approval); // here",
    ],
    check: 'types',
    says: /not the approval of deletePod\. Offer its plan as the plan of this choice/,
  },
  {
    mistake: 'an unknown action',
    body: ['await steps.deletePods({ pod: alert.pod }); // here'],
    check: 'types',
    says: /'deletePods' does not exist.*Write deletePod, or add deletePods to uses/,
  },
  {
    mistake: 'an alert field that `requires` does not name',
    on: "{ match: { tag: 'container' }, minSeverity: 'low', requires: [] }",
    body: ['await steps.snapshotPodState({ pod: alert.pod }); // here'],
    check: 'types',
    says: /Add 'pod' to on\.requires/,
  },
  {
    mistake: 'a namespace-wide step without asking',
    body: ['await steps.isolateNamespace({ namespace: alert.pod.namespace }); // here'],
    check: 'types',
    says: /isolateNamespace takes an approval/,
  },
  {
    mistake: 'a forgotten await',
    body: ['steps.snapshotPodState({ pod: alert.pod }); // here', done],
    check: 'types',
    says: /nothing waits for “steps\.snapshotPodState.*an await is missing/,
  },
  {
    mistake: 'a duration in words',
    body: ["await steps.quarantinePod({ pod: alert.pod, lease: '4 hours' }); // here"],
    check: 'types',
    says: /"4 hours".*Duration.*Write a number and its unit/,
  },
  {
    mistake: 'a negative duration',
    body: ["await steps.quarantinePod({ pod: alert.pod, lease: '-4h' }); // here"],
    check: 'types',
    says: /"-4h".*Duration.*Write a number and its unit/,
  },
  {
    mistake: 'an action that `uses` does not list',
    body: ['await steps.cordonNode({ node: alert.pod.name }); // here'],
    check: 'types',
    says: /Property 'cordonNode' does not exist on type 'Steps<.{0,80}…' .*Add cordonNode to uses/,
  },
  {
    mistake: 'a plan that is not awaited',
    body: [
      'const cut = await steps.quarantinePod({ pod: alert.pod });',
      ask("no: 'No', end: 'Yes'", 'end: steps.quarantinePod.undo.plan(cut) /* here */'),
      "if (answer.choice === 'end') await steps.quarantinePod.undo(cut, answer.approval);",
    ],
    check: 'types',
    says: /Promise<Plan.*Write await before it/,
  },
  {
    mistake: 'a release that nobody has approved',
    body: ['const cut = await steps.quarantinePod({ pod: alert.pod });', 'await steps.quarantinePod.undo(cut); // here'],
    check: 'types',
    says: /quarantinePod\.undo takes an approval\. Offer what undo\.plan\(\) gives in ask\(\)/,
  },
  {
    mistake: unreachable,
    body: [
      'for (;;) await settle({});',
      `${ask("no: 'No'", '')} // here`,
      "if (answer.choice !== 'silence') note(answer.by.join());",
    ],
    check: 'types',
    says: /Unreachable code detected.*The code above never ends/,
  },
  {
    mistake: 'a throw',
    body: [done, "throw new Error('nobody has thought of this'); // here"],
    check: 'answers',
    says: /it stops: nobody has thought of this/,
  },
  {
    mistake: 'a thrown string',
    body: [done, "throw 'nobody has thought of this';"],
    check: 'answers',
    says: /it stops: something was thrown that is not an Error: “nobody has thought of this”\. Write throw new Error\('…'\)/,
  },
  {
    mistake: 'a throw of undefined',
    body: [done, 'throw undefined;'],
    check: 'answers',
    says: /it stops: something was thrown that is not an Error: undefined/,
  },
  {
    mistake: 'a question without choices',
    body: ["await ask({ question: 'What is it?', choices: {}, onSilence: 'Nothing is done.' });", done],
    check: 'answers',
    says: /it stops: nobody could answer: it has no choices/,
  },
  {
    mistake: 'a question without text',
    body: [ask("no: 'No', fine: 'Yes'", '').replace('What is it?', ' '), 'note(answer.choice);'],
    check: 'answers',
    says: /it stops: nobody could answer: its question is empty/,
  },
  {
    mistake: 'an unknown verdict',
    body: ["verdict('malicious' as 'benign', 'it looks bad');", done],
    check: 'answers',
    says: /it stops: “malicious” is not a verdict/,
  },
  {
    mistake: 'a playbook called by its name',
    body: [done, "await runPlaybook('ask-about-shell' as never);"],
    check: 'answers',
    says: /it stops: runPlaybook takes a playbook made by definePlaybook, not a text/,
  },
  {
    mistake: 'an undo of another step’s result',
    body: [
      'const cut = await steps.quarantinePod({ pod: alert.pod });',
      'const kept = await steps.snapshotPodState({ pod: alert.pod });',
      ask("no: 'No', end: 'Yes'", 'end: await steps.quarantinePod.undo.plan(cut)'),
      "if (answer.choice === 'end') await steps.quarantinePod.undo(kept as never, answer.approval);",
    ],
    check: 'answers',
    says: /it stops: quarantinePod\.undo received the result of snapshotPodState/,
  },
  {
    mistake: 'an undo plan for another step’s result',
    body: [
      'const kept = await steps.snapshotPodState({ pod: alert.pod });',
      ask("no: 'No', end: 'Yes'", 'end: await steps.quarantinePod.undo.plan(kept as never)'),
      'note(answer.choice);',
    ],
    check: 'answers',
    says: /it stops: quarantinePod\.undo received the result of snapshotPodState/,
  },
  {
    mistake: 'a loop that never ends',
    body: [done, 'for (let index = 0; index < 10; ) alert.tags.at(index); // here'],
    check: 'answers',
    says: /goes on without waiting for anything/,
  },
  {
    mistake: 'a loop that waits for nothing',
    body: [done, 'for (;;) await settle({}); // here'],
    check: 'answers',
    says: /goes on without waiting for anything/,
  },
  {
    mistake: 'the plan of another object',
    body: [
      ask("no: 'No', end: 'Yes'", 'end: await steps.deletePod.plan({ pod: alert.pod })'),
      "if (answer.choice === 'end') await steps.deletePod({ pod: { ...alert.pod, name: 'other', uid: 'other' } }, answer.approval);",
    ],
    check: 'answers',
    says: /people were not shown deletePod of pod\/.*\/other with “end”: ask\(\) must offer its plan with that choice/,
  },
  {
    mistake: 'a loop of steps',
    body: [done.replace('await ', 'for (;;) await ')],
    check: 'answers',
    says: /it stops: it has begun more than 1500 steps.*it is in a loop/,
  },
  {
    mistake: 'state kept from one incident to the next',
    before: 'let seen = 0;\n',
    body: ['seen += 1;', "note('alert number '.concat(String(seen)));"],
    check: 'replay',
    says: /behaves differently when it is replayed: “playbook\.note: alert number \d+” the first time, “.*alert number \d+”/,
  },
  {
    mistake: 'a pod that stays quarantined without anybody being asked',
    body: ['await steps.quarantinePod({ pod: alert.pod });', done],
    check: 'answers',
    says: /quarantinePod on pod\/shop\/.* stays in force, and nobody is asked/,
  },
  {
    mistake: 'a choice whose plan is not carried out',
    body: [ask("no: 'No', end: 'Yes'", 'end: await steps.deletePod.plan({ pod: alert.pod })'), 'note(answer.choice);'],
    check: 'answers',
    says: /“end” of “What is it\?” shows the plan of deletePod, which is not carried out/,
  },
  {
    mistake: 'a step that the guardrails always refuse',
    on: "{ match: { namespace: 'kube-system' }, minSeverity: 'low', requires: ['pod'] }",
    body: ['await settle({ cut: steps.quarantinePod({ pod: alert.pod }) }); // here', done],
    check: 'guardrails',
    says: /quarantinePod would be refused each time: .*kube-system/,
  },
  {
    mistake: 'a rule that no rule set has',
    on: "{ match: { rule: 'Terminal shell in contaner' }, minSeverity: 'low', requires: ['pod'] } /* here */",
    body: [done],
    check: 'rules',
    severity: 'warning',
    says: /no rule set .* has “Terminal shell in contaner”: unless it is a rule of your own, it never matches\. Did you mean “Terminal shell in container”\?$/,
  },
  {
    mistake: 'a group that the roster does not have',
    more: "levels: [{ group: 'oncal', within: '15m' }], // here\n",
    body: [done],
    check: 'groups',
    says: /asks the group oncal, which the roster does not have/,
  },
  {
    mistake: 'a parameter whose default is a group that the roster does not have',
    more: "params: { group: param.group('nobodies') },\n",
    body: [done],
    check: 'groups',
    says: /asks the group nobodies \(its parameter group\)/,
  },
  {
    mistake: 'an action that is off',
    body: ['await settle({ cut: steps.cutConnections({ pod: alert.pod } as never) });', done],
    check: 'configuration',
    says: /uses cutConnections, which is off/,
  },
];

const idOf = (index: number): string => `mistake-${index}`;

function fileOf({ on, more = '', before = '', body }: Mistake, index: number): string {
  return `import { cutConnections, deletePod, isolateNamespace, openTicket, quarantinePod, rotateSecret, snapshotPodState } from 'firebreak/actions';
import { definePlaybook, param } from 'firebreak/playbook';
${before}
export const parameter = param;
export const playbook = definePlaybook(
  {
    id: '${idOf(index)}',
    title: 'Broken',
    on: ${on ?? `{ match: { tag: 'container' }, minSeverity: 'low', requires: ['pod'] }`},
    ${more}uses: { deletePod, isolateNamespace, openTicket, quarantinePod, rotateSecret, snapshotPodState${body.join().includes('cutConnections') ? ', cutConnections' : ''} },
  },
  async ({ alert, steps, ask, settle, note, verdict, runPlaybook }) => {
    note(\`\${typeof ask}\${typeof settle}\${typeof verdict}\${typeof runPlaybook}\${typeof cutConnections}\`.slice(0, 0) || 'begins');
${body.map((line) => `    ${line}`).join('\n')}
  },
);
`;
}

let config: Config;
let findings: readonly CheckFinding[];
beforeAll(async () => {
  const path = join(folder, 'firebreak.yaml');
  writeFileSync(
    path,
    `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01] }, { id: bob, name: Bob, slack: [U02] }], groups: { oncall: [ada, bob], leads: [ada, bob] } }
`,
  );
  config = loadConfig({ path, env: {} });
  const pack = writePackFolder(join(folder, 'broken'), {
    'firebreak.pack.ts': `import { definePack } from 'firebreak/playbook';
${mistakes.map((_, index) => `import { playbook as playbook${index} } from './playbooks/${index}.ts';`).join('\n')}
export default definePack({ name: 'broken', version: '1.0.0', playbooks: [${mistakes.map((_, index) => `playbook${index}`).join(', ')}] });
`,
    ...Object.fromEntries(mistakes.map((one, index) => [`playbooks/${index}.ts`, fileOf(one, index)])),
  });
  ({ findings } = await checkPack(
    { files: readPack({ folder: pack }), folder: pack, named: '--pack .', alerts: [] },
    { config },
  ));
});

/** A whole file, or a whole envelope, that is refused before anything in the pack is run. */
const refused: readonly (readonly [mistake: string, source: string, check: CheckFinding['check'], says: RegExp])[] = [
  ['a read of the clock', 'export const at = () => Date.now();', 'code', /Date\.now reads the clock.*Use alert\.time/],
  ['a random number', 'export const dice = () => Math.random();', 'code', /Math\.random.*alert\.id/],
  ['a network request', "export const call = () => fetch('http://x');", 'code', /fetch reaches the network.*use an action/],
  [
    'a read of the environment',
    'export const group = process.env.GROUP;',
    'code',
    /process depends on the machine.*is a parameter/,
  ],
  ['an import of a Node module', "import 'node:fs';", 'code', /'node:fs'.*Import only firebreak\/playbook/],
  [
    'a missing bracket',
    'export const a = 1;\nexport const b = String(1;\n',
    'code',
    /it cannot be read: .*a bracket, a comma or a quote/,
  ],
  ['an enum', 'export const a = 1;\nenum Colour { Red }\n', 'code', /it cannot be read: TypeScript enum.*no enum/],
  [
    'containment at once although evidence has to come first',
    envelope("contains: 'pod', evidenceFirst: '30s'"),
    'envelope',
    /contains: 'pod' contains the pod before evidence can be kept/,
  ],
  [
    'a default of the wrong kind',
    envelope("params: { lease: param.duration('4 hours' as '4h') }"),
    'envelope',
    /the default of parameter lease/,
  ],
];

function envelope(more: string): string {
  return `import { quarantinePod } from 'firebreak/actions';
import { definePlaybook, param } from 'firebreak/playbook';
export const lease = param;
export const playbook = definePlaybook({ id: 'a', title: 'A', on: { match: {}, minSeverity: 'low', requires: ['pod'] }, uses: { quarantinePod }, ${more} }, async () => {});
`;
}

test('only a playbook that is not in the list of its pack gets a warning, with its place', async () => {
  const where = mkdtempSync(join(folder, 'unlisted-'));
  writePackFolder(where, {
    ...acmeFiles,
    'playbooks/other.ts': acmeFiles['playbooks/miner.ts']?.replace("id: 'miner'", "id: 'other'"),
  });
  const { findings: found } = await checkPack({ files: readPack({ folder: where }), named: '--pack .', alerts: [] }, {});
  const line = (acmeFiles['playbooks/miner.ts'] ?? '').split('\n').findIndex((one) => one.includes("id: 'miner'")) + 1;
  expect(found.filter(({ check }) => check === 'envelope')).toEqual([
    {
      severity: 'warning',
      check: 'envelope',
      file: 'playbooks/other.ts',
      line,
      problem: 'the playbook other is not in the list of the pack: it answers no alert',
      remedy: 'Import it in firebreak.pack.ts, and add it to playbooks: […].',
    },
  ]);
});

test.each([
  ['no pack', 'export const pack = 1;\n', /firebreak\.pack\.ts: it exports no pack: write export default definePack/],
  [
    'no playbook',
    "import { definePack } from 'firebreak/playbook';\nexport default definePack({ name: 'acme', version: '1.0.0', playbooks: [] });\n",
    /its list of playbooks is empty: import one/,
  ],
  [
    'a promise of a pack',
    'export default Promise.resolve({});\n',
    /its default export is a promise: write export default definePack/,
  ],
  [
    'a name used before its definition',
    'const pack = later;\nconst later = {};\nexport default pack;\n',
    /before initialization\. .*If two files import each other/,
  ],
  [
    'two playbooks with one id',
    `import { definePack, definePlaybook } from 'firebreak/playbook';
const on = { match: { rule: 'Shell' }, minSeverity: 'critical', requires: [] } as const;
const one = definePlaybook({ id: 'one', title: 'One', on, uses: {} }, async () => {});
export default definePack({ name: 'acme', version: '1.0.0', playbooks: [one, one] });
`,
    /two playbooks one: give one of them another id/,
  ],
])('a pack file with %s in it gets a readable error', async (_, source, says) => {
  const where = mkdtempSync(join(folder, 'empty-'));
  writePackFolder(where, { 'firebreak.pack.ts': source });
  const { findings: found } = await checkPack({ files: readPack({ folder: where }), named: '--pack .', alerts: [] }, {});
  expect(found.map(({ file, problem }) => `${file}: ${problem}`)).toContainEqual(expect.stringMatching(says));
});

test('two exclusive playbooks for one alert, and one with more paths than are tried, get warnings', async () => {
  const where = mkdtempSync(join(folder, 'many-'));
  const on = `on: { match: { rule: 'Shell' }, minSeverity: 'critical', requires: [] }, uses: {}`;
  const questions = Array.from(
    { length: 6 },
    (_, n) => `await ask({ question: 'Question ${n}?', choices: { a: 'A', b: 'B' }, onSilence: 'Nothing.' });`,
  );
  writePackFolder(where, {
    'firebreak.pack.ts': `import { definePack, definePlaybook } from 'firebreak/playbook';
const first = definePlaybook({ id: 'first', title: 'First', ${on}, exclusive: true }, async () => {});
const second = definePlaybook({ id: 'second', title: 'Second', ${on}, exclusive: true }, async () => {});
const higher = definePlaybook({ id: 'asks', title: 'Asks', ${on}, priority: 5 }, async ({ ask }) => { ${questions.join(' ')} });
export default definePack({ name: 'acme', version: '1.0.0', playbooks: [first, second, higher] });
`,
  });
  const { findings: found } = await checkPack({ files: readPack({ folder: where }), named: '--pack .', alerts: [] }, {});
  expect(found.filter(({ severity, check }) => severity === 'warning' && check !== 'types' && check !== 'rules')).toMatchObject([
    { severity: 'warning', playbook: 'acme/second', problem: expect.stringContaining('it is exclusive and so is acme/first') },
    { severity: 'warning', playbook: 'acme/asks', problem: expect.stringContaining('more paths than are tried: only 300') },
  ]);
});

test('nothing else is reported after an endless loop', () => {
  const index = mistakes.findIndex(({ mistake }) => mistake === unreachable);
  expect(findings.filter(({ file, check }) => file === `playbooks/${index}.ts` && check === 'types')).toHaveLength(1);
});

test('a loop of steps is not reported as too many paths, nor a wrong approval as a guardrail', () => {
  const of = (mistake: string) => {
    const index = mistakes.findIndex((one) => one.mistake === mistake);
    return findings.filter(({ playbook }) => playbook === `broken/${idOf(index)}`);
  };
  expect(of('a loop of steps').filter(({ problem }) => problem.includes('more paths than are tried'))).toEqual([]);
  expect(of('the plan of another object').filter(({ check }) => check === 'guardrails')).toEqual([]);
});

test('a loop is reported once, and not as a replay difference', () => {
  const index = mistakes.findIndex(({ mistake }) => mistake === 'a loop that never ends');
  const own = findings.filter(({ playbook }) => playbook === `broken/${idOf(index)}`);
  expect(own.filter(({ problem }) => problem.includes('goes on without waiting'))).toHaveLength(1);
  expect(own.filter(({ check }) => check === 'replay')).toEqual([]);
});

describe('playbooks check finds', () => {
  test.each(mistakes.map((one, index) => [one.mistake, one, index] as const))('%s', (_, one, index) => {
    const own = findings.filter(({ file, playbook }) => file === `playbooks/${index}.ts` || playbook === `broken/${idOf(index)}`);
    const said = own.map(({ check, severity, line, problem, remedy }) => ({
      check,
      severity,
      line,
      text: `${problem}. ${remedy}`,
    }));
    const place = fileOf(one, index)
      .split('\n')
      .findIndex((line) => /\bhere\b/.test(line));
    expect(said).toContainEqual({
      check: one.check,
      severity: one.severity ?? 'error',
      line: place === -1 ? expect.any(Number) : place + 1,
      text: expect.stringMatching(one.says),
    });
  });

  test.each(refused)('%s', async (_, source, check, says) => {
    const where = mkdtempSync(join(folder, 'refused-'));
    writePackFolder(where, {
      'firebreak.pack.ts': "import './playbooks/bad.ts';\n",
      'playbooks/bad.ts': source,
    });
    const brokenLine = source.startsWith('export const a = 1;') ? 2 : expect.any(Number);
    const { findings: found, pack } = await checkPack({ files: readPack({ folder: where }), named: '--pack .', alerts: [] }, {});
    expect(pack).toBeUndefined();
    const said = found.map((one) => ({
      check: one.check,
      severity: one.severity,
      file: one.file,
      line: one.line ?? 1,
      text: `${one.problem}. ${one.remedy}`,
    }));
    expect(said).toContainEqual({
      check,
      severity: 'error',
      file: 'playbooks/bad.ts',
      line: brokenLine,
      text: expect.stringMatching(says),
    });
  });
});

test('a playbook called by another one of its pack is not a mistake, nor is one that counts alerts', async () => {
  const where = writePackFolder(mkdtempSync(join(folder, 'calls-')), {
    'firebreak.pack.ts': `import { openTicket } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';
const of = (rule: string) => ({ match: { rule, count: { times: 3, within: '10m', per: 'pod' } }, minSeverity: 'low', requires: ['pod'] }) as const;
const second = definePlaybook({ id: 'second', title: 'Second', on: of('Two'), uses: { openTicket } }, async ({ steps }) => {
  await steps.openTicket({ title: 'a', body: 'b', labels: [] });
});
const first = definePlaybook({ id: 'first', title: 'First', on: of('One'), uses: {} }, async ({ runPlaybook, note }) => {
  note((await runPlaybook(second)).state);
});
export default definePack({ name: 'calls', version: '1.0.0', playbooks: [first, second] });
`,
  });
  const checked = await checkPack({ files: readPack({ folder: where }), named: '--pack .', alerts: [] }, {});
  expect(checked.findings.filter(({ severity, check }) => severity === 'error' || check === 'replay')).toEqual([]);
  expect(checked.findings.filter(({ problem }) => problem.includes('was not tried'))).toEqual([]);
});
