import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { playbooks } from '../../../playbooks/index.ts';
import { packOf } from '../../../service/packs/pack-files.ts';
import { startPackProgram } from '../../../service/packs/pack-program.ts';
import { everyInTurns, LocalSimulations } from '../../../service/simulation/simulations.ts';
import { firebreakHere, firebreakProcess } from '../../command-line.ts';
import { writeConfiguration } from '../../suites/signed-records.ts';

const root = join(import.meta.dirname, '../../..');
const samples = join(root, 'integrations/sensors/samples');
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-simulate-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const firebreak = (args: readonly string[], input?: string) =>
  input === undefined ? firebreakHere(args, { folder }) : firebreakProcess(args, { folder, input });

describe('firebreak simulate', () => {
  test('says what would be done about each alert of a folder, and which ones nothing answers', async () => {
    const { status, stdout } = await firebreak(['simulate', samples]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^critical +Drop and execute new binary in container .*quarantinePod.*quarantinePod in force$/m);
    expect(stdout).toMatch(/^low +Terminal shell in container /m);
  });

  test('tells the story of one playbook with the given answers, without any file', async () => {
    const args = ['simulate', '--playbook', 'contain-dropped-binary', '--answer', 'remove', 'rotate', '--story'];
    const { status, stdout } = await firebreak(args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/question\.decided +Yes: rotate secrets, by oncall-1$/m);
    expect(stdout).toContain('It was true_positive.');
    const unknown = await firebreak(['simulate', '--playbook', 'contain-dropped-binary', '--answer', 'yes']);
    expect(unknown).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no question was asked that has the answer “yes”: use one of release, watch, remove/),
    });
  });

  test('does what the configuration lets it do, if there is one', async () => {
    const configured = mkdtempSync(join(tmpdir(), 'firebreak-simulate-configured-'));
    writeConfiguration(configured);
    const path = join(configured, 'firebreak.yaml');
    const scopes = '{ mode: observe, scopes: [{ namespaces: [none], mode: contain }] }';
    writeFileSync(path, `${readFileSync(path, 'utf8')}response: ${scopes}\n`);
    const args = ['simulate', '--playbook', 'contain-dropped-binary', '--story'];
    const { stdout } = await firebreakHere(args, { folder: configured });
    expect(stdout).toContain('in mode contain this would have been asked');
    expect(stdout).not.toMatch(/step\.applied +Quarantine the pod/);
    rmSync(configured, { recursive: true });
  });

  test('reads alerts from standard input, as a sensor sends them and as alerts parse prints them', async () => {
    const parsed = (await firebreak(['alerts', 'parse', join(samples, 'falco.json')])).stdout;
    const { stdout } = await firebreak(['simulate', '-', '--json', '--playbook', 'ask-about-shell'], parsed);
    const stories: readonly { alert: { rule: string }; story: { end: string } }[] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(stories.filter(({ story }) => story.end === 'done').map(({ alert }) => alert.rule)).toEqual([
      'Terminal shell in container',
      'Run shell untrusted',
    ]);
  });

  test('fails if a step that is made to fail stops a playbook, and if there is nothing to read', async () => {
    const { status, stdout } = await firebreak([
      'simulate',
      '--playbook',
      'ticket-sensitive-read',
      '--fail',
      'openTicket=FB_ERR_REFUSED',
    ]);
    expect({ status, stdout }).toMatchObject({ status: 1, stdout: expect.stringContaining('stops (FB_ERR_REFUSED)') });
    const broken = await firebreak(['simulate', '-'], '{"no": "alert"}');
    expect(broken.status).toBe(1);
    expect(broken.stderr).toContain('standard input, line 1: ');
    const alert = JSON.stringify(JSON.parse(readFileSync(join(samples, 'falco.json'), 'utf8'))[0], null, 2);
    const commented = await firebreak(['simulate', '-'], `// a.json\n${alert}\n\n// b.json\n${alert}\n`);
    const lines = alert.split('\n').length;
    expect(commented.stderr).toBe(`standard input, line 1: not JSON\nstandard input, line ${lines + 3}: not JSON\n`);
    expect(await firebreak(['simulate', 'none.json'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/FB_ERR_FILE_MISSING: .*none\.json: there is no such file/),
    });
    const empty = mkdtempSync(join(tmpdir(), 'firebreak-no-alerts-'));
    expect(await firebreak(['simulate', empty])).toMatchObject({
      status: 1,
      stderr: `${empty}: contains no .json, .jsonl, .ndjson or .log file\n`,
    });
    rmSync(empty, { recursive: true });
    const ordinary = { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items: [] };
    expect(await firebreak(['simulate', '-'], JSON.stringify(ordinary))).toMatchObject({
      status: 0,
      stdout: 'None of it is an alert.\n',
    });
    expect((await firebreak(['simulate', '--fail', 'openTicket=FB_ERR_NONE'])).status).toBe(2);
    const unknown = await firebreak(['simulate', '--playbook', 'none']);
    expect(unknown.stderr).toContain('FB_ERR_UNKNOWN_ID');
  });

  test('walks every answer of the playbooks of a pack, and fails if it finds a problem', async () => {
    const pack = join(folder, 'pack');
    mkdirSync(pack);
    writeFileSync(
      join(pack, 'firebreak.pack.ts'),
      `import { quarantinePod } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';
const cuts = definePlaybook(
  { id: 'cuts', title: 'Cuts', on: { match: { rule: 'Miner' }, minSeverity: 'critical', requires: ['pod'] }, uses: { quarantinePod } },
  async ({ alert, steps, note }) => {
    await steps.quarantinePod({ pod: alert.pod });
    note('cut off');
  },
);
export default definePack({ name: 'ours', version: '1.0.0', playbooks: [cuts] });
`,
    );
    const { status, stdout } = await firebreak(['simulate', '--pack', pack, '--every']);
    expect(status).toBe(1);
    expect(stdout).toContain('ours/cuts');
    expect(stdout).toContain('problem  quarantinePod on pod/shop/cart-1 stays in force, and nobody is asked about it');
    expect((await firebreak(['simulate', '--pack', folder])).stderr).toContain('FB_ERR_');
    const { stderr } = await firebreak(['simulate', '--pack', pack, '--playbook', 'cut']);
    expect(stderr).toMatch(/there is no playbook cut; did you mean ours\/cuts\?\n→ Name one of: ours\/cuts\./);
  });

  test('tries playbooks that count alerts or wait for one as if that had happened, and says so', async () => {
    const pack = join(folder, 'counting');
    mkdirSync(pack);
    writeFileSync(
      join(pack, 'firebreak.pack.ts'),
      `import { openTicket } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';
const uses = { openTicket };
const body = async ({ steps }) => {
  await steps.openTicket({ title: 'a', body: 'b', labels: [] });
};
const on = (match) => ({ match, minSeverity: 'low', requires: [] });
const burst = definePlaybook(
  { id: 'burst', title: 'Burst', on: on({ rule: 'Terminal shell in container', count: { times: 5, within: '10m' } }), uses }, body);
const lonely = definePlaybook(
  { id: 'lonely', title: 'Lonely', on: on({ rule: 'Backup began', absent: { of: { rule: 'Backup done' }, within: '1h' } }), uses }, body);
export default definePack({ name: 'ours', version: '1.0.0', playbooks: [burst, lonely] });
`,
    );
    const alert = join(folder, 'shell.json');
    const shell = JSON.parse(readFileSync(join(samples, 'falco.json'), 'utf8')).find(
      ({ rule }: { readonly rule: string }) => rule === 'Terminal shell in container',
    );
    writeFileSync(alert, JSON.stringify(shell));
    const tried = await firebreak(['simulate', alert, '--pack', pack, '--every']);
    expect(tried).toMatchObject({ status: 0, stderr: '' });
    expect(tried.stdout).toMatch(/^ours\/burst\n {2}as if it had happened: 5 times within 10m per workload\n/);
    expect(tried.stdout).not.toContain('ours/lonely');
    const made = await firebreak(['simulate', '--pack', pack, '--every', '--json']);
    expect(
      made.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).assumed),
    ).toEqual(['5 times within 10m per workload', 'nothing of rule “Backup done” within 1h after it per workload']);
    const once = await firebreak(['simulate', alert, '--pack', pack]);
    expect(once.stdout).toContain('nothing answers it; ours/burst would: 5 times within 10m per workload');
    expect(await firebreak(['simulate', alert, '--pack', pack, '--every', '--answer', 'yes'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("'--every' cannot be used with option '--answer"),
    });
  });

  test('names the place of a mistake in the author’s own file', async () => {
    const pack = join(folder, 'mistaken');
    mkdirSync(pack);
    writeFileSync(
      join(pack, 'firebreak.pack.ts'),
      `import { definePack, definePlaybook } from 'firebreak/playbook';
const broken = definePlaybook(
  { id: 'broken', title: 'Broken', on: { match: { rule: 'Miner' }, minSeverity: 'low', requires: [] }, uses: {} },
  async () => {
    throw new Error('not so');
  },
);
export default definePack({ name: 'ours', version: '1.0.0', playbooks: [broken] });
`,
    );
    const { status, stdout } = await firebreak(['simulate', '--pack', pack, '--every']);
    expect(status).toBe(1);
    expect(stdout).toMatch(/problem {2}it stops: not so, at \S+ \(firebreak\.pack\.ts:5:11\)$/m);
  });

  test('walks every answer of one playbook after another, and reports progress before each', async () => {
    const simulations = new LocalSimulations(playbooks.filter(({ id }) => /drill-quarantine|ticket-api-change/.test(id)));
    const alerts = (await simulations.examples({ only: undefined })).flatMap(({ alert }) => alert ?? []);
    const shares: number[] = [];
    const found: unknown[] = [];
    const told = (share: number): unknown => shares.push(share);
    for await (const one of everyInTurns(simulations, { alerts, only: undefined }, told)) found.push(one, shares.at(-1));
    const [first, second] = await simulations.every({ alerts, only: undefined });
    expect(found).toEqual([first, 0, second, 0.5]);
  });

  describe('of a pack written by somebody else', () => {
    const greedy = (body: string, head = ''): string => {
      const pack = mkdtempSync(join(folder, 'greedy-'));
      writeFileSync(
        join(pack, 'firebreak.pack.ts'),
        `import { openTicket } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';
${head}
const greedy = definePlaybook(
  { id: 'greedy', title: 'Greedy', on: { match: { rule: 'Miner' }, minSeverity: 'low', requires: [] }, uses: { openTicket } },
  async ({ steps, note }) => {
    ${body}
    await steps.openTicket({ title: 'a', body: 'b', labels: [] });
  },
);
export default definePack({ name: 'greedy', version: '1.0.0', playbooks: [greedy] });
`,
      );
      return pack;
    };

    test('reports what its code reaches for, and runs none of it', async () => {
      const { status, stderr } = await firebreak(['simulate', '--pack', greedy('', "import { readFileSync } from 'node:fs';")]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/FB_ERR_CONFIG_INVALID.*firebreak\.pack\.ts:3: .*node:fs/s);
    });

    test('does not allow code from strings, which could reach what its code may not name', async () => {
      const { status, stdout } = await firebreak([
        'simulate',
        '--pack',
        greedy("note['construct' + 'or']['construct' + 'or']('return this')();"),
        '--story',
      ]);
      expect(status).toBe(1);
      expect(stdout).toContain('Code generation from strings disallowed');
    });

    test('stops it if it never waits, with the place, as in production', async () => {
      const { status, stdout } = await firebreak(['simulate', '--pack', greedy('for (;;) await Promise.resolve();'), '--story']);
      expect(status).toBe(1);
      expect(stdout).toMatch(/it goes on without waiting for anything, at firebreak\.pack\.ts:7/);
    });

    test('gives it neither the environment nor files, whatever its code says', async () => {
      const key = join(folder, 'desk.pem');
      writeFileSync(key, 'the key of the desk');
      // Code that nobody has reviewed.
      const code = `let found = Object.keys(process.env).join();
try { found += (await import('node:fs')).readFileSync(${JSON.stringify(key)}, 'utf8'); } catch (error) { found += error.message; }
const on = { match: { rule: found }, minSeverity: 'low', requires: [] };
export default { name: 'ours', version: '1.0.0', playbooks: [{ id: 'ours/one', title: found, on, uses: {}, run: async () => {} }] };
`;
      const files = new Map([['firebreak.pack.js', Buffer.from(code)]]);
      const program = startPackProgram(packOf(files, 'ours'), 'service/simulation/sandbox-main');
      program.input.end(`${JSON.stringify({ call: 'graph', asked: { id: 'one' } })}\n`);
      const [said] = await once(program.output, 'data');
      expect(JSON.parse(String(said))).toMatchObject({
        value: { title: "the code of a pack may not import 'node:fs': access is restricted" },
      });
      await program.ended;
    });

    test('prints its output apart from the story, and reports what it throws', async () => {
      const printing = await firebreak(['simulate', '--pack', greedy("console.log('seen \\u001b[2J');"), '--json']);
      expect(printing.stderr).toMatch(/^seen .+$/m);
      expect(printing.stderr).not.toContain('\u001b');
      expect(JSON.parse(printing.stdout)).toMatchObject({ playbooks: ['greedy/greedy'], story: { end: 'done' } });
      const ended = await firebreak(['simulate', '--pack', greedy('', "throw new Error('not today');")]);
      expect(ended.status).toBe(1);
      expect(ended.stderr).toContain('the pack cannot be tried: firebreak.pack.ts:3: Error: not today');
      const dropped = await firebreak(['simulate', '--pack', greedy("void Promise.reject(new Error('lost'));"), '--json']);
      expect(dropped.stderr).toMatch(/^a promise that nothing awaits was rejected: lost$/m);
      expect(JSON.parse(dropped.stdout)).toMatchObject({ story: { end: 'done' } });
    });
  });
});

describe('firebreak playbooks graph', () => {
  test('draws steps, questions and ends, as Mermaid, as a picture and as data', async () => {
    const { stdout } = await firebreak(['playbooks', 'graph', 'ask-about-shell']);
    expect(stdout).toMatch(/^flowchart TD\n/);
    expect(stdout).toMatch(/-->\|"release"\| n\d+$/m);
    // Both: what the assessment says of the pod is not known.
    expect(stdout).toMatch(/-->\|"contained at once"\| n\d+$/m);
    expect(stdout).toMatch(/-->\|"not contained at once"\| n\d+$/m);
    expect(stdout).toMatch(/-->\|"expected"\| n\d+$/m);
    const svg = (await firebreak(['playbooks', 'graph', 'ask-about-shell', '--svg'])).stdout;
    expect(svg).toMatch(/^<svg [^>]*>\n<title>Ask whether an interactive shell in a container is expected<\/title>/);
    const { nodes } = JSON.parse((await firebreak(['playbooks', 'graph', 'ask-about-shell', '--json'])).stdout) as {
      readonly nodes: readonly { readonly kind: string }[];
    };
    expect(nodes.filter(({ kind }) => kind === 'end')).toHaveLength(7);
  });

  test('says so if the playbook does not answer the alert, or if there is no alert at all', async () => {
    const on = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return firebreak(['playbooks', 'graph', 'ask-about-shell', '--alert', name]);
    };
    const [alert] = JSON.parse(readFileSync(join(samples, 'falco.json'), 'utf8'));
    const other = await on('other.json', JSON.stringify({ ...alert, rule: 'Another' }));
    expect(other.stderr).toContain('firebreak/ask-about-shell answers no alert in other.json');
    expect(other.stderr).toContain('`firebreak simulate other.json` shows what answers it');
    expect((await on('none.json', '// nothing')).stderr).toContain(
      'FB_ERR_ALERT_INVALID: The alert cannot be read: none.json, line 1: not JSON',
    );
  });
});
