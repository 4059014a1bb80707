import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { createWholeProgram } from '../../../service/commands/program.ts';
import { firebreakHere } from '../../command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-confirmation-'));
const who = ['--as', 'ada', '--key', 'ada.pem', '--reason', 'seen it'];
const id = '0123456789abcdef';
const digest = `sha256:${'0'.repeat(64)}`;

/**
 * Every command, and what confirmation it takes. Arguments: it destroys something or weakens the response, whatever the arguments are, so without a terminal it
 * does nothing without `--yes` and `--target`. `as it turns out`: depends on the chosen answer, or on what it finds (tested in test/platform). `nothing`: it
 * reads, contains, or keeps.
 */
const table: Readonly<Record<string, readonly string[] | 'as it turns out' | 'nothing'>> = {
  run: 'nothing',
  'incidents fork': 'nothing',
  'incidents export': 'nothing',
  'incidents list': 'nothing',
  'incidents show': 'nothing',
  'incidents watch': 'nothing',
  'incidents start': 'nothing',
  quarantine: 'nothing',
  answer: 'as it turns out',
  approve: 'as it turns out',
  deny: 'as it turns out',
  login: 'nothing',
  logout: 'nothing',
  'containment extend': 'nothing',
  'containment release': ['shop/Deployment/cart', ...who],
  'containment keep': 'nothing',
  'roster show': 'nothing',
  'suppress add': ['--rule', 'Shell', '--workload', 'shop/Deployment/debug', '--digest', digest, ...who],
  'suppress approve': [id, ...who],
  'suppress end': 'nothing',
  'suppress list': 'nothing',
  'suppress show': 'nothing',
  'hold freeze': who,
  'hold observe': who,
  'hold break-glass': ['--incident', 'shop/Deployment/cart', ...who],
  'hold end': [id, ...who],
  'hold list': 'nothing',
  'hold approve': [id, ...who],
  freeze: who,
  observe: ['--namespace', 'shop', ...who],
  'break-glass': ['--incident', 'shop/Deployment/cart', ...who],
  unfreeze: [id, ...who],
  'restraints list': 'nothing',
  'restraints approve': [id, ...who],
  'deadlines start': 'nothing',
  'deadlines sent': 'nothing',
  'deadlines measure': 'nothing',
  'deadlines stop': ['shop/Deployment/cart', '--regime', 'nis2', ...who],
  'deadlines list': 'nothing',
  tune: 'nothing',
  'report compliance': 'nothing',
  'report decisions': 'nothing',
  'report deliver': 'nothing',
  'report notification': 'nothing',
  'report would-have': 'nothing',
  release: 'as it turns out',
  why: 'nothing',
  complete: 'nothing',
  completion: 'nothing',
  explain: 'nothing',
  'incidents rerun': 'nothing',
  get: 'nothing',
  'try simulate': 'nothing',
  'try backtest': 'nothing',
  'try snapshot': 'nothing',
  'try fork': 'nothing',
  simulate: 'nothing',
  snapshot: 'nothing',
  assess: 'nothing',
  backtest: 'nothing',
  'builds list': 'nothing',
  docs: 'nothing',
  'pack approve': [id, ...who],
  'pack check': 'nothing',
  'pack histories': 'nothing',
  'pack integrity': 'nothing',
  'pack new': 'nothing',
  'pack observed': 'nothing',
  'pack promote': ['acme@1.0.0', ...who],
  'pack promotions': 'nothing',
  'pack publish': 'nothing',
  'pack releases': 'nothing',
  'pack rollback': ['acme', ...who],
  'pack withdraw': [id, ...who],
  'playbooks graph': 'nothing',
  'playbooks list': 'nothing',
  'playbooks show': 'nothing',
  check: 'nothing',
  'playbooks check': 'nothing',
  'keys make': 'nothing',
  'keys manifests': 'nothing',
  'keys install': 'nothing',
  'playbooks coverage': 'nothing',
  'actions list': 'nothing',
  'actions show': 'nothing',
  'alerts parse': 'nothing',
  'alerts send': 'nothing',
  'alerts rejected list': 'nothing',
  'alerts rejected show': 'nothing',
  'alerts rejected replay': 'nothing',
  'alerts rejected drop': ['r1', '--reason', 'seen it'],
  'alerts refused list': 'nothing',
  'alerts refused show': 'nothing',
  'alerts refused replay': 'nothing',
  'alerts refused drop': ['--all', '--reason', 'seen it'],
  'alerts storm': 'nothing',
  'audit log': 'nothing',
  'audit verify': 'nothing',
  'audit witness': 'nothing',
  'records hold add': 'nothing',
  'records hold end': [id, ...who],
  'records hold list': 'nothing',
  'records remove': ['desk/main', '--records', '3', ...who],
  // What it deletes was cut before, according to configuration and records.
  'records cut': 'nothing',
  'stream list': 'nothing',
  'stream test': 'nothing',
  'bundle verify': 'nothing',
  'bundle keys': 'nothing',
  'admin backup': 'nothing',
  'admin restore': 'as it turns out',
  'admin database show': 'nothing',
  'admin database migrate': 'nothing',
  'admin database rights': 'nothing',
  'admin database back': ['--to', '13'],
  'admin keys make': 'nothing',
  'admin keys manifests': 'nothing',
  'admin keys install': 'nothing',
  'admin rbac manifests': 'nothing',
  'admin rbac network': 'nothing',
  'admin rbac risks': 'nothing',
  'admin rbac check': 'nothing',
  backup: 'nothing',
  'database show': 'nothing',
  'database migrate': 'nothing',
  'database rights': 'nothing',
  'database back': ['--to', '13'],
  version: 'nothing',
  restore: 'as it turns out',
  'evidence list': 'nothing',
  'evidence show': 'nothing',
  'evidence get': 'nothing',
  'evidence verify': 'nothing',
  'evidence public-key': 'nothing',
  'evidence destroy': ['shop/Deployment/cart', ...who],
  'evidence hold': 'nothing',
  'evidence unhold': ['shop/Deployment/cart', ...who],
  'rbac manifests': 'nothing',
  'rbac network': 'nothing',
  'rbac risks': 'nothing',
  'rbac check': 'nothing',
  'config check': 'nothing',
  doctor: 'nothing',
  init: 'nothing',
  demo: 'nothing',
  'dev up': 'nothing',
  'dev status': 'nothing',
  'dev down': 'nothing',
  'dev parts': 'nothing',
};

function leavesOf(
  command: Command,
  path: readonly string[] = [],
): readonly { readonly name: string; readonly command: Command }[] {
  if (command.commands.length === 0) return [{ name: path.join(' '), command }];
  return command.commands.flatMap((one) => leavesOf(one, [...path, one.name()]));
}

let leaves: ReturnType<typeof leavesOf> = [];
beforeAll(async () => {
  leaves = leavesOf(await createWholeProgram({ version: 'test' }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function withoutTerminal(name: string, args: readonly string[]) {
  return firebreakHere([...name.split(' '), ...args], { folder });
}

describe('a command that destroys something or weakens the response', () => {
  test('is listed in the table, as is every other command', () => {
    expect(leaves.map(({ name }) => name).toSorted()).toEqual(Object.keys(table).toSorted());
  });

  test('has --yes and --target, and no other command has', () => {
    const asking = leaves.filter(({ command }) => {
      const options = command.options.map(({ long }) => long);
      return options.includes('--target') && options.includes('--yes');
    });
    expect(asking.map(({ name }) => name)).toEqual(leaves.map(({ name }) => name).filter((name) => table[name] !== 'nothing'));
  });

  const always = Object.entries(table).flatMap(([name, args]) => (typeof args === 'string' ? [] : [{ name, args }]));
  test.each(always)('does not start without both if there is no terminal: $name', async ({ name, args }) => {
    // Before the configuration is read and before anything is connected to: neither exists.
    const { status, stdout, stderr } = await withoutTerminal(name, args);
    expect(stderr).toMatch(
      /^FB_ERR_INCOMPLETE: .*cannot ask for confirmation without a terminal: add --yes and --target with the (?:last 4 characters of|version in) /,
    );
    expect([status, stdout]).toEqual([2, '']);
    expect((await withoutTerminal(name, [...args, '--yes', '--target', 'cart'])).stderr).not.toContain('FB_ERR_INCOMPLETE');
  });

  test.each([
    ['containment release', 'the name of the pod, workload or account to release'],
    ['freeze', 'the cluster’s name'],
    ['observe', 'shop'],
    ['break-glass', 'cart'],
    ['unfreeze', 'the name under SCOPE in `firebreak hold list`, or of the cluster’s name'],
    ['restraints approve', 'the name under SCOPE in `firebreak hold list`, or of the cluster’s name'],
    ['suppress add', 'debug'],
    ['suppress approve', 'the workload’s name, as `firebreak suppress list` shows it'],
    ['pack approve', 'what is proposed, such as acme@1.2.0'],
    ['pack promote', 'acme@1.0.0'],
    ['pack rollback', 'acme'],
    ['pack withdraw', 'what is proposed, such as acme@1.2.0'],
    ['deadlines stop', 'cart'],
    ['evidence destroy', 'cart'],
    ['records hold end', id],
    ['records remove', 'main'],
    ['database back', 'the name of the cluster'],
    ['alerts rejected drop', 'the name of the cluster'],
    ['alerts refused drop', 'the name of the cluster'],
  ])('without a terminal: %s says which name it needs', async (name, ends) => {
    const args = table[name];
    if (args === undefined || typeof args === 'string') throw new Error('it decides nothing');
    expect((await withoutTerminal(name, args)).stderr).toContain(
      `with the ${ends.includes('@') ? 'version in' : 'last 4 characters of'} ${ends}\n`,
    );
  });

  test('says which of the two is missing if there is no terminal', async () => {
    const args = ['shop/Deployment/cart', ...who];
    expect((await withoutTerminal('containment release', [...args, '--yes'])).stderr).toMatch(
      /without a terminal: add --target with/,
    );
    expect((await withoutTerminal('containment release', [...args, '--target', 'cart'])).stderr).toMatch(
      /without a terminal: add --yes\n/,
    );
  });
});

describe('on a terminal', () => {
  /** `script` gives the program a terminal, and forwards what is typed; waits for `says` before each line of it. */
  async function typed(
    lines: readonly { readonly at: string; readonly type: string | undefined }[],
    decision: object,
    options: object,
    asks: 'confirm' | 'pick' = 'confirm',
  ) {
    const program = join(folder, 'confirm.mjs');
    const confirm = join(import.meta.dirname, '../../../service/commands/confirm.ts');
    writeFileSync(
      program,
      `import { ${asks} } from ${JSON.stringify(confirm)};
try {
  const reason = await ${asks}(${JSON.stringify(decision)}, ${JSON.stringify(options)});
  console.log('CONFIRMED', reason ?? '');
} catch (error) {
  console.log('REFUSED', error.code, error.detail);
}
process.exit();
`,
    );
    const child = spawn('script', ['-qec', `${process.execPath} ${program}`, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let shown = '';
    let next = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
      const line = lines[next];
      if (!line || !shown.includes(line.at)) return;
      next += 1;
      if (line.type === undefined) child.stdin.write('\u0004');
      else child.stdin.write(`${line.type}\n`);
    });
    await once(child, 'close');
    return shown;
  }
  const decision = { lines: ['Answer by ada: Delete the pod'], ends: 'pod/shop/cart-x2X8', isUnreasoned: true };
  const target = 'Last 4 characters of cart-x2X8:';

  test('the decision is shown first, then the end of the name, a reason and a yes are asked for', async () => {
    const shown = await typed(
      [
        { at: target, type: 'X2x8' },
        { at: 'Why?', type: 'not ours' },
        { at: '[y/N]', type: 'y' },
      ],
      decision,
      {},
    );
    expect(shown.indexOf('Answer by ada')).toBeLessThan(shown.indexOf(target));
    expect(shown).toContain('CONFIRMED not ours');
  });

  test.each([
    ['another name', [{ at: target, type: 'cart' }], 'these are not the last 4 characters of cart-x2X8'],
    [
      'anything but a yes',
      [
        { at: target, type: 'x2x8' },
        { at: 'Why?', type: 'not ours' },
        { at: '[y/N]', type: '' },
      ],
      'the answer was no',
    ],
    ['the end of the input', [{ at: target, type: undefined }], 'nobody answered'],
  ])('%s means no', async (_name, lines, reason) => {
    expect(await typed(lines, decision, {})).toContain(`REFUSED FB_ERR_NOT_CONFIRMED ${reason}`);
  });

  test('what was already given as an option is not asked for', async () => {
    const shown = await typed([], { ...decision, isUnreasoned: false }, { yes: true, target: 'x2x8' });
    expect(shown).toContain('CONFIRMED');
    expect(shown).not.toContain('characters of');
  });

  const choices = {
    lines: ['Is it yours?'],
    of: [
      { id: 'release', label: 'Yes' },
      { id: 'remove', label: 'No' },
    ],
  };

  test.each([['2'], ['remove']])('one of several answers has to be chosen, and %s chooses it', async (type) => {
    const shown = await typed([{ at: 'Which one? [1-2]', type }], choices, {}, 'pick');
    expect(shown).toContain('Is it yours?\r\n  1  Yes (release)\r\n  2  No (remove)\r\n');
    expect(shown).toContain('CONFIRMED remove');
  });

  test.each([[''], ['3']])('“%s” chooses none of them', async (type) =>
    expect(await typed([{ at: 'Which one?', type }], choices, {}, 'pick')).toContain(
      'REFUSED FB_ERR_NOT_CONFIRMED none of them was chosen',
    ),
  );

  test('there is no choice to make with a single answer, or with --yes', async () => {
    expect(await typed([], { ...choices, of: choices.of.slice(1) }, {}, 'pick')).toMatch(/^CONFIRMED\s*$/);
    expect(await typed([], choices, { yes: true }, 'pick')).toMatch(/^CONFIRMED\s*$/);
  });

  test('a decision that ends nothing asks for no name', async () => {
    const shown = await typed([{ at: '[y/N]', type: 'yes' }], { lines: ['Extend it'] }, {});
    expect(shown).toContain('CONFIRMED');
    expect(shown).not.toContain('characters of');
  });
});
