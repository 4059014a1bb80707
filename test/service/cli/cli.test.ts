import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import type { Command } from 'commander';
import { signRecord } from '../../../core/audit/audit.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { createWholeProgram } from '../../../service/commands/program.ts';
import { firebreakHere, firebreakProcess } from '../../command-line.ts';
import { sampleBundle } from '../../suites/incident-bundle.ts';
import { newMaker, signNow } from '../../suites/signed-records.ts';

const configText = `cluster: lab
temporal: { address: '127.0.0.1:1', codecKeys: [{ id: k1, key: { env: CODEC_KEY } }] }
intake:
  tokens: [{ name: falco, token: { env: FALCO_TOKEN } }]
roster:
  people: [{ id: ada, name: Ada, keys: [ada.pem.pub] }, { id: grace, name: Grace, slack: [U02GRACE], keys: [grace.pem.pub] }]
  groups: { oncall: [ada], leads: [ada, grace] }
`;

let folder = '';
let config = '';
/** A process that asks a Temporal that is not there: it waits for as long as the product does, while the other tests run. */
let unanswered: ReturnType<typeof asProcess>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-cli-'));
  config = join(folder, 'firebreak.yaml');
  writeFileSync(config, configText);
  const [ada, grace] = [newMaker(), newMaker()];
  writeFileSync(join(folder, 'ada.pem.pub'), ada.publicKey);
  writeFileSync(join(folder, 'grace.pem.pub'), grace.publicKey);
  writeFileSync(join(folder, 'ada.pem'), ada.pem, { mode: 0o600 });
  mkdirSync(join(folder, 'taken'));
  unanswered = asProcess(['incidents', 'list', '--config', config]);
});
afterEach(() => void jest.restoreAllMocks());
afterAll(async () => {
  await unanswered;
  rmSync(folder, { recursive: true, force: true });
});

/** In this process, a Temporal that is not there is given up soon. */
function giveTemporalUpSoon(): void {
  const connect = Connection.connect.bind(Connection);
  jest.spyOn(Connection, 'connect').mockImplementation((options) => connect({ ...options, connectTimeout: 200 }));
}

const around = (env: Readonly<Record<string, string>> = {}) => ({
  folder,
  env: { CODEC_KEY: Buffer.alloc(32, 1).toString('base64'), ...env },
});
const firebreak = (args: readonly string[], env?: Readonly<Record<string, string>>) => firebreakHere(args, around(env));
const asProcess = (args: readonly string[], env?: Readonly<Record<string, string>>) => firebreakProcess(args, around(env));

/** Names of commands before they were merged. */
const earlierNames: readonly string[] = [
  ...['approve', 'deny', 'freeze', 'observe', 'break-glass', 'unfreeze', 'restraints'],
  ...['simulate', 'backtest', 'snapshot', 'database', 'backup', 'restore', 'keys', 'rbac'],
];

describe('help', () => {
  test('shows no internal default values for any command', async () => {
    const helpsOf = (command: Command): readonly string[] => [command.helpInformation(), ...command.commands.flatMap(helpsOf)];
    const helps = helpsOf(await createWholeProgram({ version: 'test' }));
    expect(helps.join('\n')).toMatch(/\(default:\s+30d\)/);
    expect(helps.filter((help) => /\(default:\s+(?:\[\]|\{\}|false|\d{4,})\)/.test(help))).toEqual([]);
  });

  test('lists every command in six groups, on one screen, and no earlier name', async () => {
    const { status, stdout } = await asProcess(['--help']);
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    expect(lines.filter((line) => /^\S.*:$/.test(line))).toEqual([
      ...['Respond:', 'Look:', 'Hold back:', 'Playbooks:', 'Records:', 'Operate:'],
    ]);
    expect(lines.length).toBeLessThanOrEqual(50);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    const listed = lines.flatMap((line) => /^ {2}([\w-]+) /.exec(line)?.[1] ?? []);
    const whole = await createWholeProgram({ version: 'test' });
    const names = whole.commands.map((command) => command.name()).filter((name) => name !== 'complete');
    expect(listed.toSorted()).toEqual(names.filter((name) => !earlierNames.includes(name)).toSorted());
  });

  test.each([
    ['approve', 'answer an open question with a choice that makes changes'],
    ['deny', 'answer an open question with a choice that destroys nothing'],
    ['lease extend', 'Usage: firebreak containment extend'],
    ['freeze', 'firebreak hold freeze --reason'],
    ['observe', 'firebreak hold observe --reason'],
    ['break-glass', 'firebreak hold break-glass --incident'],
    ['unfreeze', 'firebreak hold end 0123456789abcdef'],
    ['restraints list', 'firebreak hold list'],
    ['simulate', 'firebreak try simulate'],
    ['backtest', 'firebreak try backtest'],
    ['snapshot', 'firebreak try snapshot'],
    ['incidents fork', 'firebreak try fork'],
    ['database show', 'database'],
    ['backup', 'firebreak admin backup'],
    ['restore', 'firebreak admin restore'],
    ['keys make', 'firebreak admin keys make'],
    ['rbac risks', 'firebreak admin rbac risks'],
  ])('of the earlier name %s names the present one', async (earlier, text) => {
    const { status, stdout } = await firebreak([...earlier.split(' '), '--help']);
    expect([status, stdout.replaceAll(/\s+/g, ' ')]).toEqual([0, expect.stringContaining(text)]);
  });

  test.each([
    'incidents list',
    'incidents show',
    'incidents watch',
    'incidents start',
    'quarantine',
    'answer',
    'approve',
    'deny',
    'containment extend',
    'containment release',
    'containment keep',
    'hold freeze',
    'hold break-glass',
    'hold end',
    'hold list',
    'playbooks list',
    'playbooks show',
    'playbooks check',
    'playbooks coverage',
    'playbooks graph',
    'try simulate',
    'try backtest',
    'try snapshot',
    'try fork',
    'actions list',
    'actions show',
    'alerts parse',
    'config check',
    'audit verify',
    'evidence list',
    'evidence show',
    'evidence get',
    'evidence verify',
    'evidence public-key',
    'admin rbac risks',
    'admin rbac check',
    'admin database show',
    'admin keys make',
    'dev up',
    'run',
    'demo',
    'release',
  ])('for %s has a usage line, --json and an example that begins with the command', async (command) => {
    const { status, stdout } = await firebreak([...command.split(' '), '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage: firebreak ${command} `);
    expect(stdout).toContain('--json');
    expect(stdout).toMatch(new RegExp(`\\$ .*firebreak ${command}`));
  });
});

describe('wrong usage exits with code 2 and says what is wrong', () => {
  test.each([
    [['bogus'], "unknown command 'bogus'"],
    [['incidents', 'lst'], 'Did you mean list?'],
    [['incidents', 'show'], 'missing <incident>'],
    [['incidents', 'list', '--limit', 'many'], 'whole number'],
    [['incidents', 'list', '--severity', 'awful'], 'Allowed choices are critical, high'],
    [['incidents', 'list', '--namespace', "x' OR '1'='1"], 'Expected the name of a namespace'],
    [['rbac', 'manifests', '--namespace', "x' || true || '"], 'Expected the name of a namespace'],
    [['rbac', 'risks', '--pool', 'all'], 'Expected one of cell, secrets'],
    [['evidence', 'get', 'shop/Deployment/cart', '--as', 'ada', '--key', 'k', '--reason', 'why'], 'missing --out <folder>'],
    [['quarantine', 'shop/cart-1', '--as', 'ada', '--key', 'k'], 'missing --reason <text>'],
    [['quarantine', 'shop', '--as', 'ada', '--key', 'k', '--reason', 'it mines'], 'use NAMESPACE/NAME'],
    [['quarantine', 'shop/cart-1', '--as', 'ada', '--key', 'k', '--reason', 'no'], 'Give a reason in a few words'],
    [['quarantine', 'shop/cart-1', '--reason', 'it mines', '--key', 'k'], 'missing --as <person> (or FIREBREAK_AS)'],
    [
      ['quarantine'],
      'error: missing <namespace/pod>, --as <person> (or FIREBREAK_AS), --key <file> (or FIREBREAK_KEY), --reason <text>\n' +
        '→ Usage: firebreak quarantine [options] <namespace/pod>; `firebreak quarantine --help` shows all options.\n',
    ],
    [['roster', 'list'], "unknown command 'list'\n→ `firebreak roster --help` lists its commands."],
    [['dev', 'up', '--nodes', '-1'], 'Expected a whole number, 0 or more'],
    [
      ['incidents', 'start', 'shop/cart-1', '--as', 'ada', '--key', 'k', '--reason', 'odd', '--severity', 'info'],
      'Allowed choices are critical, high, medium, low',
    ],
    [
      ['incidents', 'start', 'shop/cart-1', '--as', 'ada', '--key', 'k', '--reason', 'odd', '--link', 'javascript:alert(1)'],
      'Expected an address that begins with https://',
    ],
    [['approve', 'x', '--as', 'ada'], 'missing --key <file>'],
    [['deny', 'x', '--key', 'k'], 'missing --as <person>'],
    [['lease', 'extend', 'x'], 'missing --as <person>'],
    [['config', 'check', '--role', 'king'], 'Expected one or more of cell, desk'],
  ])('%j', async (args, message) => {
    const { status, stdout, stderr } = await firebreak(args);
    expect(stderr).toContain(message);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});

describe('completion', () => {
  /** The completions that a shell's script requests: one name per line. */
  const offered = async (...words: readonly string[]): Promise<readonly string[]> =>
    (await asProcess(['complete', '--', ...words])).stdout
      .split('\n')
      .flatMap((line) => (line === '' || line.startsWith(':') ? [] : [line.split('\t')[0] ?? '']));

  test('offers commands, their subcommands and their options', async () => {
    expect(await offered('inc')).toEqual(['incidents']);
    expect(await offered('lease', '')).toEqual(expect.arrayContaining(['extend', 'release', 'keep']));
    expect(await offered('incidents', 'list', '--n')).toEqual(['--namespace']);
  });

  test('leaves file names to the shell where one is expected', async () => {
    for (const words of [
      ['incidents', 'list', '--config', ''],
      ['incidents', 'list', '--config=fire'],
      ['alerts', 'parse', 'one.jsonl', ''],
    ])
      expect((await asProcess(['complete', '--', ...words])).stdout).toBe(':0\n');
    for (const words of [
      ['incidents', 'list', '--config', 'a.yaml', ''],
      ['incidents', 'show', ''],
    ])
      expect((await asProcess(['complete', '--', ...words])).stdout).toBe(':4\n');
  });

  test.each(['bash', 'zsh', 'fish'])('has a script for %s that asks for them', async (shell) => {
    const { status, stdout } = await asProcess(['completion', shell]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/firebreak complete --/);
  });
});

describe('who decides', () => {
  test('can be set once for all commands with FIREBREAK_AS and FIREBREAK_KEY', async () => {
    const call = ['lease', 'extend', 'shop/Deployment/cart'];
    const nobody = await firebreak(call);
    expect(nobody).toMatchObject({ status: 2, stderr: expect.stringContaining('--as <person>') });
    expect((await firebreak([...call, '--help'])).stdout).toMatch(/--as <person>.*FIREBREAK_AS.*--key <file>.*FIREBREAK_KEY/s);
    // It gets past what was missing, to Temporal, which is not there.
    giveTemporalUpSoon();
    const { stderr } = await firebreak(call, { FIREBREAK_AS: 'ada', FIREBREAK_KEY: 'ada.pem' });
    expect(stderr).toContain('127.0.0.1:1');
  });
});

test('bundle verify says how many records had their content removed', async () => {
  writeFileSync(join(folder, 'bundle.json'), canonicalJson(await sampleBundle()));
  const { status, stdout } = await firebreak(['bundle', 'verify', 'bundle.json']);
  expect(status).toBe(0);
  expect(stdout).toContain(
    'The content of these records was removed, by orders that two people signed: 11. Decisions that depend on them are not checked.\n',
  );
});

describe('errors', () => {
  test('about an unknown sample name the nearest one, and where to find all', async () => {
    const { status, stderr } = await firebreak(['alerts', 'send', '--sample', 'falc', '--pod', 'shop/cart']);
    expect(status).toBe(1);
    expect(stderr).toContain('there is no sample falc; did you mean falco?');
    expect(stderr).toContain('→ Name one that `firebreak alerts send --list` shows.');
  });

  test('have a code, a message and a remedy, exit with 1, and show no stack', async () => {
    const { status, stderr } = await asProcess(['incidents', 'list', '--config', 'none.yaml']);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^FB_ERR_CONFIG_INVALID: .*none\.yaml cannot be read \(ENOENT\)\n→ Name an existing file with --config FILE/,
    );
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  test('show the stack with FIREBREAK_DEBUG', async () => {
    expect((await asProcess(['incidents', 'list', '--config', 'none.yaml'], { FIREBREAK_DEBUG: '1' })).stderr).toMatch(
      /\n {4}at /,
    );
  });

  test('are one JSON object with --json', async () => {
    const { stderr } = await asProcess(['playbooks', 'show', 'none', '--json']);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'FB_ERR_UNKNOWN_ID', remedy: expect.stringContaining('list') },
    });
  });

  const inThreeLines: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'a missing kubeconfig',
      ['why', 'shop/cart', '--kubeconfig', 'none'],
      /the kubeconfig none cannot be read\n→ Name another kubeconfig/,
    ],
    [
      'an invalid kubeconfig',
      ['snapshot', 'x.json', '--kubeconfig', 'firebreak.yaml'],
      /no current context\n→ Correct the kubeconfig/,
    ],
    ['a pack', ['pack', 'check', 'none'], /there is no folder .*none\n→ Name the folder or the tarball of a pack/],
    ['rule files', ['playbooks', 'coverage', '--rules', 'none'], /there is no folder none\n→ Name the folder/],
    ['a key', ['bundle', 'keys', '--config', 'firebreak.yaml'], /the key file .* cannot be read\n→ Start `firebreak run` once/],
    ['the store', ['tune', '--config', 'firebreak.yaml'], /no audit store at .*\n→ Run this where the desk runs/],
    ['a folder for a pack', ['pack', 'new', 'taken'], /^FB_ERR_REFUSED: .*taken already exists: choose another name/],
  ];
  test.each(inThreeLines)('about %s say what happened and what to do, in at most three lines', async (_, args, said) => {
    const { status, stderr } = await firebreak(args);
    expect([status, stderr.trimEnd()]).toEqual([1, expect.stringMatching(said)]);
    expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(3);
  });

  test('about a folder that cannot be created say why, and exit', async () => {
    expect(await firebreakHere(['pack', 'new', 'nope'], { folder: '/proc' })).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^FB_ERR_INCOMPLETE: .*nope cannot be written: there is no such folder\n→/),
    });
  });

  test('about the default kubeconfig say how to name another one', async () => {
    const { status, stderr } = await firebreak(['why', 'shop/cart'], { KUBECONFIG: '/nowhere/config' });
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/kubeconfig \/nowhere\/config not found: name one with --kubeconfig or in KUBECONFIG/),
    ]);
  });

  test.each([
    ['that already exists', 'taken.json', /taken\.json already exists\n/],
    ['in a missing folder', 'none/cart.html', /none\/cart\.html cannot be written: there is no such folder\n/],
    ['in a folder that cannot be written to', '/proc/cart.html', /\/proc\/cart\.html cannot be written: /],
  ])('about a file %s come before an export reads anything', async (_, out, said) => {
    writeFileSync(join(folder, 'taken.json'), '');
    const who = ['--as', 'ada', '--key', 'none.pem', '--reason', 'asked for', '--config', 'none.yaml'];
    expect(await firebreak(['incidents', 'export', 'shop/Deployment/cart', ...who, '--out', out])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(said),
    });
  });

  test.each([
    [
      'nobody on the roster has',
      'adda',
      'FB_ERR_UNKNOWN_ID',
      /there is no person on the roster adda; did you mean ada\?\n→ Name one of: ada, grace/,
    ],
    [
      'somebody else has',
      'grace',
      'FB_ERR_KEY_FILE',
      /the key in ada\.pem is not one that the roster has for grace\n→ Use --key/,
    ],
  ])('about a key that %s come before an export reads anything, and blame no record', async (_, as, code, said) => {
    const who = ['--as', as, '--key', 'ada.pem', '--reason', 'asked for', '--config', config];
    const { status, stderr } = await firebreak(['incidents', 'export', 'shop/Deployment/cart', ...who, '--out', 'cart.html']);
    expect([status, stderr]).toEqual([1, expect.stringMatching(said)]);
    expect(stderr).toContain(code);
  });

  test('about an option that only a subcommand has name that subcommand', async () => {
    const { status, stderr } = await firebreak(['report', '--period', '2026-Q3', '--framework', 'nist-csf']);
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining("unknown option '--period'\n(Did you mean firebreak report compliance?)"),
    ]);
    expect((await firebreak(['report', '--nothing'])).stderr).not.toContain('Did you mean');
  });

  test('about a configuration list all its problems with remedies, and count them', async () => {
    const path = join(folder, 'wrong.yaml');
    writeFileSync(
      path,
      configText.replace('leads: [ada, grace]', 'leads: []').replace('oncall: [ada', 'oncall: [adda, ada').concat('clustr: x\n'),
    );
    const { stderr } = await firebreak(['incidents', 'list', '--config', path]);
    expect(stderr).toMatch(/^FB_ERR_CONFIG_INVALID: .*wrong\.yaml, 3 problems:\n/);
    expect(stderr).toMatch(/leads: it needs at least 1 entry\. /);
    expect(stderr).toMatch(/adda is not the id of anyone in people\. Did you mean ada\? Add them to roster\.people/);
    expect(stderr).toMatch(/clustr: unknown key\. Did you mean cluster\?\n→ Correct these\. `firebreak config check` also/);
  });

  test('about Temporal not answering name its address', async () => {
    const { status, stderr } = await unanswered;
    expect([status, stderr]).toEqual([1, expect.stringContaining('Temporal does not answer at 127.0.0.1:1')]);
  });
});

describe('config check', () => {
  const linesOf = (text: string): readonly string[] => text.trimEnd().split('\n');
  const written = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test('says in one line that the file is valid', async () => {
    const { status, stdout, stderr } = await firebreak(['config', 'check'], { FALCO_TOKEN: 'hunter2-token' });
    expect([status, stdout, stderr]).toEqual([0, '', 'firebreak.yaml is valid.\n']);
  });

  test('prints the effective configuration on request, without any secret, and finally that it is valid', async () => {
    const args = ['config', 'check', '--effective'];
    const { status, stdout, stderr } = await asProcess(args, { FALCO_TOKEN: 'hunter2-token' });
    expect([status, stderr]).toEqual([0, 'firebreak.yaml is valid.\n']);
    expect(stdout).toContain('clusterCap: 100');
    expect(stdout).toContain('hidden (environment FALCO_TOKEN: set)');
    expect(stdout).not.toContain('hunter2');
    expect(stdout).not.toContain(Buffer.alloc(32, 1).toString('base64'));
  });

  test('looks only for the secrets of the requested roles', async () => {
    expect((await firebreak(['config', 'check'])).stderr).toContain('FALCO_TOKEN is not set');
    expect((await firebreak(['config', 'check', '--role', 'desk'])).status).toBe(0);
  });

  test('reports all problems at once, whatever part they are in, and finally that it is not valid', async () => {
    const path = written(
      'bad.yaml',
      configText
        .replace('ada.pem.pub', 'ada.pem.pub, missing.pem.pub')
        .replace(/$/, 'guardrails: { clusterCap: 0, ownerShre: 1 }\nplaybooks: { enabled: [ask-about-shel] }\n'),
    );
    const { status, stdout, stderr } = await firebreak(['config', 'check', '--config', path]);
    const lines = linesOf(stderr);
    expect(lines).toEqual([
      expect.stringMatching(/^line 8, guardrails\.clusterCap: /),
      expect.stringMatching(/^line 8, guardrails\.ownerShre: .*Did you mean ownerShare\?/),
      expect.stringMatching(/^line 6, roster\.people\[0\]\.keys\[1\]: .*missing\.pem\.pub cannot be read/),
      expect.stringMatching(
        /^line 9, playbooks\.enabled\[0\]: there is no playbook ask-about-shel\. Did you mean firebreak\/ask-about-shell\?/,
      ),
      expect.stringMatching(/^intake\.tokens\[0\]\.token: the environment variable FALCO_TOKEN is not set/),
      `${path} is not valid: 5 problems, above.`,
    ]);
    expect([status, stdout]).toEqual([1, '']);
    const json = JSON.parse((await firebreak(['config', 'check', '--config', path, '--json'])).stdout);
    expect(json).toMatchObject({ ok: false, problems: { length: 5 } });
    expect(json.problems[0]).toMatchObject({ path: 'guardrails.clusterCap', line: 8, remedy: expect.stringContaining('from 1') });
  });

  test('reports a roster that can never answer a question as required as an error, although the response would start', async () => {
    const path = written('alone.yaml', configText.replace('leads: [ada, grace]', 'leads: [ada]'));
    const { status, stderr } = await firebreak(['config', 'check', '--config', path], { FALCO_TOKEN: 'f' });
    expect(stderr).toMatch(
      /^line 7, roster\.groups: only ada can answer in leads and oncall, but it takes 2 people .*about leases, by firebreak\/contain-dropped-binary/,
    );
    expect([status, linesOf(stderr).at(-1)]).toEqual([1, `${path} is not valid: one problem, above.`]);
    expect((await firebreak(['roster', 'show', '--config', path])).status).toBe(0);
  });

  test('tries what the file names with --connect: files, Temporal, the API server', async () => {
    giveTemporalUpSoon();
    const path = written('away.yaml', `${configText}kubernetes: { kubeconfig: none }\nkeys: { cellKeyFile: /none/cell.key }\n`);
    expect((await firebreak(['config', 'check', '--config', path], { FALCO_TOKEN: 'f' })).status).toBe(0);
    const { status, stderr } = await firebreak(['config', 'check', '--config', path, '--connect'], { FALCO_TOKEN: 'f' });
    expect(linesOf(stderr)).toEqual([
      expect.stringMatching(/^keys\.cellKeyFile: .*\/none\/cell\.key cannot be read/),
      expect.stringMatching(/^temporal: Temporal does not answer at 127\.0\.0\.1:1/),
      expect.stringMatching(/^kubernetes\.kubeconfig: .*none cannot be read/),
      `${path} is not valid: 3 problems, above.`,
    ]);
    expect(status).toBe(1);
    const desk = await firebreak(['config', 'check', '--config', path, '--connect', '--role', 'desk'], { FALCO_TOKEN: 'f' });
    expect(linesOf(desk.stderr)).toHaveLength(2);
    // A file needed to reach Temporal is missing: that is reported once, and nothing is tried without it.
    const tls = written('tls.yaml', configText.replace('temporal: {', 'temporal: { tls: { caFile: none.pem },'));
    const untried = await firebreak(['config', 'check', '--config', tls, '--connect', '--role', 'desk']);
    expect(linesOf(untried.stderr)).toEqual([
      expect.stringMatching(/^temporal\.tls\.caFile: .*none\.pem cannot be read/),
      `${tls} is not valid: one problem, above.`,
    ]);
  });
});

describe('audit verify', () => {
  test('says what no checkpoint covers yet, and exits with 1 if a record was changed', async () => {
    const state = join(folder, 'firebreak-state');
    const database = join(state, 'audit.db');
    mkdirSync(join(state, 'keys'), { recursive: true });
    const [notary, cell] = await Promise.all(
      ['notary', 'cell', 'vote'].map((name) => openSigner({ file: join(state, 'keys', `${name}.pem`), create: true })),
    );
    if (!notary || !cell) throw new Error('no keys');
    const opened = await openDatabase({ url: `sqlite:${database}` });
    const record = {
      chain: 'incident/lab/node/n1@1',
      number: 1,
      at: '2026-01-01T00:00:00Z',
      kind: 'incident.opened',
      actor: 'engine',
      body: { a: 1 },
    };
    const store = createAuditStore(opened);
    const unsigned = await firebreak(['audit', 'verify']);
    expect([unsigned.status, unsigned.stdout]).toEqual([1, expect.stringContaining('checkpoint-stale: there is no checkpoint')]);
    await signNow({ store, signer: notary });
    await store.append([await signRecord(record, cell)]);
    await opened.close();
    const intact = await firebreak(['audit', 'verify']);
    expect([intact.status, intact.stdout]).toEqual([0, expect.stringMatching(/intact[\s\S]*n1@1 record 1/)]);
    const log = await firebreak(['audit', 'log']);
    expect([log.status, log.stdout]).toEqual([
      0,
      expect.stringMatching(/: 0 checkpoints in .*\nKey: firebreak\/\S+\+[0-9a-f]{8}\+A/),
    ]);
    const [, seen = ''] = /the last one (1:[0-9a-f]{64}) of/.exec(intact.stdout) ?? [];
    expect((await firebreak(['audit', 'verify', '--at-least', seen])).status).toBe(0);
    const rolledBack = await firebreak(['audit', 'verify', '--at-least', '7']);
    expect([rolledBack.status, rolledBack.stdout]).toEqual([1, expect.stringContaining('the newest checkpoint is 1, but 7 was')]);
    for (const args of [
      ['--at-least', 'x'],
      ['--as-of', 'yesterday'],
      ['--retired-key', 'ada'],
    ])
      expect((await firebreak(['audit', 'verify', ...args])).status).not.toBe(0);
    const raw = new DatabaseSync(database);
    raw.exec(`UPDATE audit_records SET body = '{"a":2}'`);
    raw.close();
    const changed = await firebreak(['audit', 'verify', '--json']);
    expect([changed.status, JSON.parse(changed.stdout)]).toMatchObject([
      1,
      {
        ok: false,
        findings: [
          { kind: 'record-changed', chain: record.chain, number: 1 },
          { kind: 'record-forged', number: 1 },
        ],
      },
    ]);
  });

  test('does not create the store that it should check', async () => {
    const other = join(folder, 'other.yaml');
    writeFileSync(other, `${configText}stateDir: nowhere\n`);
    const { status, stderr } = await firebreak(['audit', 'verify', '--config', other]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^FB_ERR_FILE_MISSING: .*nowhere[\s\S]*\n→ Run this where the desk runs/),
    ]);
  });
});

describe('playbooks', () => {
  test('show which custom rules nothing answers, and write a layer', async () => {
    const rules = mkdtempSync(join(folder, 'rules-'));
    const falco = (name: string) =>
      `- rule: ${name}\n  condition: x\n  output: x\n  priority: CRITICAL\n  tags: [container, T1499]\n`;
    writeFileSync(join(rules, 'own.yaml'), falco('Drop and execute new binary in container') + falco('Our own rule'));
    const { status, stdout } = await firebreak(['playbooks', 'coverage', '--rules', rules, '--layer', join(rules, 'layer.json')]);
    expect([status, stdout]).toEqual([0, expect.stringContaining('50 % of 2 rules')]);
    expect(stdout).toMatch(/Our own rule +critical +rest +firebreak\/ask-about-unanswered/);
    expect(stdout).not.toContain('Drop and execute');
    expect(JSON.parse(readFileSync(join(rules, 'layer.json'), 'utf8'))).toMatchObject({
      versions: { attack: '19' },
      techniques: [{ techniqueID: 'T1499', score: 50, comment: expect.stringMatching(/^2 rules; playbooks: /) }],
    });
  });

  test('are listed and shown with their actions', async () => {
    expect((await firebreak(['playbooks', 'list'])).stdout).toContain('firebreak/contain-dropped-binary');
    const shown: unknown = JSON.parse(
      (await firebreak(['playbooks', 'show', 'firebreak/contain-dropped-binary', '--json'])).stdout,
    );
    expect(shown).toMatchObject({ id: 'firebreak/contain-dropped-binary', on: { minSeverity: 'critical' }, per: 'pod' });
    expect(shown).toMatchObject({ levels: [{ group: 'oncall', within: '15m', page: true }, { group: 'leads' }] });
    expect((await firebreak(['playbooks', 'show', 'firebreak/contain-dropped-binary'])).stdout).toMatch(
      /asks +oncall \(15m, called\), then leads \(1h, called\)/,
    );
  });

  test('are listed with their next run if they are scheduled and have a target', async () => {
    const file = join(folder, 'scheduled.yaml');
    const params = { 'firebreak/remind-of-rotation': { namespace: 'shop', secret: 'db' } };
    writeFileSync(file, `${configText}playbooks: ${JSON.stringify({ params })}\n`);
    const { stdout } = await firebreak(['playbooks', 'list', '--config', file]);
    expect(stdout).toMatch(/^SCHEDULED +RUNS +NEXT *$/m);
    expect(stdout).toMatch(/^firebreak\/remind-of-rotation .* \d{4}-\d\d-\d\d \d\d:\d\d UTC *$/m);
    expect(stdout).toMatch(/^firebreak\/drill-quarantine .* never: not enabled, or playbooks\.params names no target *$/m);
  });

  test('are not coloured in a pipe', async () => {
    expect((await asProcess(['playbooks', 'list'])).stdout).not.toContain(String.fromCharCode(27));
  });
});

describe('rbac', () => {
  test('lists the valid names if one is wrong, and says so if a thief gains nothing', async () => {
    expect((await firebreak(['rbac', 'manifests', '--actions', 'evict-pods'])).stderr).toMatch(
      /there is no action evict-pods; did you mean evictPod\?\n→ Name one that `firebreak actions list` shows\./,
    );
    expect((await firebreak(['rbac', 'risks', '--playbooks', 'none'])).stderr).toMatch(
      /there is no playbook none\n→ Name one that `firebreak playbooks list` shows\./,
    );
    expect((await firebreak(['rbac', 'risks', '--pool', 'desk'])).stdout).toMatch(/^Nothing: /);
  });

  test('uses the namespace of the configuration, or the one that is given', async () => {
    const file = join(folder, 'elsewhere.yaml');
    writeFileSync(file, `${configText}kubernetes: { ownNamespace: security }\n`);
    const namespaces = async (...more: readonly string[]) => {
      const { stdout } = await firebreak(['rbac', 'manifests', '--pool', 'cell', ...more]);
      return new Set([...stdout.matchAll(/^ +(?:- )?namespace: (\S+)$/gm)].map(([, name]) => name));
    };
    expect(await namespaces('--config', file)).toEqual(new Set(['security']));
    expect(await namespaces('--config', file, '--namespace', 'other')).toEqual(new Set(['other']));
    expect(await namespaces()).toEqual(new Set(['firebreak']));
  });
});

describe('actions', () => {
  test('are listed and shown from their declarations', async () => {
    expect((await firebreak(['actions', 'list'])).stdout).toMatch(
      /^quarantinePod +reversible +pod +cell +on +Quarantine the pod$/m,
    );
    const shown: unknown = JSON.parse((await firebreak(['actions', 'show', 'deletePod', '--json'])).stdout);
    expect(shown).toMatchObject({ effect: 'destructive', rights: [{ resource: 'pods', verbs: ['get', 'delete'] }] });
    expect((await firebreak(['actions', 'show', 'deletePod'])).stdout).toMatch(/^decided by +people, each time$/m);
    expect((await firebreak(['actions', 'show', 'none'])).stderr).toContain('FB_ERR_UNKNOWN_ID');
  });
});

describe('roster show', () => {
  test('says who is on call and why, as a table and as JSON', async () => {
    const scheduled = join(folder, 'scheduled.yaml');
    const schedules = `  schedules: { oncall: { timeZone: Europe/Berlin, rotations: [{ people: [ada], from: 2026-01-05T09:00 }] } }\n`;
    writeFileSync(scheduled, configText + schedules);
    const table = await firebreak(['roster', 'show', '--config', scheduled, '--at', '2026-01-06T12:00']);
    expect(table.stdout).toMatch(/oncall +ada +Ada +turn until 2026-01-12 09:00 Europe\/Berlin/);
    expect(table.stdout).toMatch(/leads +ada +Ada +member of the group/);
    const json = await firebreak(['roster', 'show', '--config', scheduled, '--at', '2026-01-05T08:59+01:00', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      at: '2026-01-05T07:59:00.000Z',
      groups: [{ group: 'oncall', onCall: [] }, {}],
    });
    expect((await firebreak(['roster', 'show', '--config', scheduled, '--at', 'now'])).status).not.toBe(0);
  });
});
