import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FirebreakError } from '../../../core/errors.ts';
import { type ConfigProblem, checkConfig, loadConfig } from '../../../service/config/load.ts';
import { missingSecrets, resolveSecrets } from '../../../service/config/secrets.ts';

const minimal = `cluster: lab
intake:
  tokens: [{ name: falco, token: { env: FALCO_TOKEN } }]
roster:
  people:
    - { id: ada, name: Ada, slack: [U01ADA] }
  groups: { oncall: [ada], leads: [ada] }
`;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(text: string, name = 'firebreak.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function problems(text: string): readonly ConfigProblem[] {
  const checked = checkConfig({ path: write(text), env: {} });
  return checked.ok ? [] : checked.problems;
}

describe('a minimal file', () => {
  test('gets every default, with the state directory next to it', () => {
    const config = loadConfig({ path: write(minimal), env: {} });
    expect(config.stateDir).toBe(join(folder, 'firebreak-state'));
    expect(config.audit.url).toBe(`sqlite:${join(folder, 'firebreak-state/audit.db')}`);
    expect(config.guardrails).toEqual({
      protectedNamespaces: ['kube-system', 'kube-public', 'kube-node-lease', 'firebreak'],
      ownerShare: 0.5,
      protectedNodes: [],
      namespaceCap: 20,
      namespaceReserve: 3,
      clusterCap: 100,
      capWindowMinutes: 60,
      cells: 1,
      longestLeaseHours: 72,
      changeWindows: [],
    });
    expect(config.evidence).toMatchObject({ store: { kind: 'folder' }, deadlineMinutes: 30 });
    expect(config.slack).toBeUndefined();
    expect(config.playbooks.enabled).toBe('all');
  });

  test('takes only what it does not set from the environment', () => {
    const env = { TEMPORAL_ADDRESS: 'temporal:7233', FIREBREAK_STATE_DIR: '/var/lib/firebreak' };
    expect(loadConfig({ path: write(minimal), env })).toMatchObject({
      stateDir: '/var/lib/firebreak',
      temporal: { address: 'temporal:7233' },
    });
    const own = `${minimal}stateDir: /srv/state\ntemporal: { address: 'own:1' }\n`;
    expect(loadConfig({ path: write(own), env })).toMatchObject({ stateDir: '/srv/state', temporal: { address: 'own:1' } });
  });
});

describe('tickets and paging', () => {
  const jira = "url: 'https://acme.atlassian.net', email: a@acme.com, token: { env: JIRA }, project: SEC";

  test('have their own secrets, for the desk only', () => {
    const text = `${minimal}tickets: { jira: { ${jira}, fields: { summary: '{{title}}', customfield_1: { value: '{{cluster}}' } } } }
paging: { pagerduty: { routingKey: { env: PD }, groups: { leads: { env: PD_LEADS } } } }
temporal: { codecKeys: [{ id: a, key: { env: CODEC } }] }
`;
    const config = loadConfig({ path: write(text), env: {} });
    const codec = Buffer.alloc(32, 7).toString('base64');
    const env = { CODEC: codec, FALCO_TOKEN: 'f', JIRA: 'j', PD: 'p', PD_LEADS: 'l' };
    expect(resolveSecrets({ config, env, roles: ['desk'] })).toMatchObject({
      tickets: { jira: { token: 'j' } },
      paging: { pagerduty: { routingKey: 'p', groups: { leads: 'l' } } },
    });
    const cell = resolveSecrets({ config, env: { CODEC: codec, FALCO_TOKEN: 'f' }, roles: ['cell'] });
    expect([cell.tickets, cell.paging]).toEqual([undefined, undefined]);
  });

  test('report a missing secret with its place, however deep; a field that only looks like a secret stays a field', () => {
    const text = `${minimal}tickets: { jira: { ${jira}, fields: { customfield_1: { file: notes.txt } }, inbound: { secrets: [{ file: hook }] } } }
paging: { pagerduty: { routingKey: { env: PD }, groups: { leads: { file: leads } } } }
temporal: { codecKeys: [{ id: a, key: { env: CODEC } }] }
`;
    const path = write(text);
    const config = loadConfig({ path, env: {} });
    expect(config.tickets.jira).toMatchObject({
      fields: { customfield_1: { file: 'notes.txt' } },
      inbound: { secrets: [{ file: join(folder, 'hook') }] },
    });
    const env = { CODEC: Buffer.alloc(32, 7).toString('base64'), JIRA: 'j', PD: 'p' };
    const missing = missingSecrets({ config, env, roles: ['desk'] }).map((one) => one.path);
    expect(missing).toEqual(['tickets.jira.inbound.secrets[0]', 'paging.pagerduty.groups.leads']);
  });

  test('accept only known placeholders', () => {
    const found = problems(`${minimal}tickets: { jira: { ${jira}, fields: { customfield_1: [{ value: '{{titel}}' }] } } }\n`);
    expect(found.map(({ path }) => path)).toEqual(['tickets.jira.fields.customfield_1']);
    expect(found[0]?.problem).toContain('{{title}}');
  });

  test('allow only one system each', () => {
    const webhook = "webhook: { url: 'https://x.example.com', secret: { env: W } }";
    expect(problems(`${minimal}tickets: { jira: { ${jira} }, ${webhook} }\n`)).toMatchObject([{ path: 'tickets' }]);
    expect(problems(`${minimal}paging: { pagerduty: { routingKey: { env: PD } }, ${webhook} }\n`)).toMatchObject([
      { path: 'paging' },
    ]);
  });
});

describe('an invalid file', () => {
  test('reports an unknown key with its path, its line and the nearest known name', () => {
    expect(problems(`${minimal}guardrails:\n  clusterCp: 5\n`)).toEqual([
      { path: 'guardrails.clusterCp', line: 9, problem: 'unknown key', remedy: 'Did you mean clusterCap?' },
    ]);
    expect(problems(`${minimal}guardrails:\n  automaticFrom: high\n`)).toEqual([
      {
        path: 'guardrails.automaticFrom',
        line: 9,
        problem: 'no longer read',
        remedy: expect.stringContaining('response.profile'),
      },
    ]);
  });

  test('reports all problems at once, in file order', () => {
    const found = problems(`${minimal}guardrails: { ownerShare: 3 }\naudit: { everySeconds: 90 }\nslack: { appId: x }\n`);
    expect(found.map(({ path, line }) => `${line} ${path}`)).toEqual([
      '8 guardrails.ownerShare',
      '9 audit.everySeconds',
      '10 slack.appId',
      '10 slack.teamId',
      '10 slack.channel',
      '10 slack.botToken',
    ]);
    for (const problem of found) expect(problem.remedy).not.toBe('');
  });

  test('says what the Slack mode still needs', () => {
    const slack = 'appId: A1, teamId: T1, channel: C1, botToken: { env: BOT }';
    const missing = (more: string) => problems(`${minimal}slack: { ${slack}${more} }\n`).map(({ path }) => path);
    expect(missing('')).toEqual(['slack.signingSecrets']);
    expect(missing(', mode: socket, signingSecrets: [{ env: SIGN }]')).toEqual(['slack.appToken']);
    expect(missing(', mode: socket, appToken: { env: APP }')).toEqual([]);
  });

  test('is refused if it contains a secret, which the message does not repeat', () => {
    const text = minimal.replace('{ env: FALCO_TOKEN }', 'hunter2');
    const [problem] = problems(`${text}audit: { url: 'postgres://u:hunter2@host/db' }\n`);
    expect(problem?.problem).toBe('a secret must not be written into this file');
    expect(JSON.stringify(problems(`${text}audit: { url: 'postgres://u:hunter2@host/db' }\n`))).not.toContain('hunter2');
  });

  test.each([
    ['two people with one id', 'slack: [U01ADA] }', 'slack: [U01ADA] }\n    - { id: ada, name: Bob }', 'roster.people[1].id'],
    [
      'two people with one Slack id',
      'slack: [U01ADA] }',
      'slack: [U01ADA] }\n    - { id: bob, name: Bob, slack: [U01ADA] }',
      'roster.people[1].slack[0]',
    ],
    ['a sender with Firebreak’s own name', 'name: falco', 'name: firebreak', 'intake.tokens[0].name'],
    ['a person with the same Slack id twice', 'slack: [U01ADA]', 'slack: [U01ADA, U01ADA]', 'roster.people[0].slack[1]'],
    ['a group with an unknown person', 'oncall: [ada]', 'oncall: [mallory]', 'roster.groups.oncall[0]'],
    ['a cluster name with a slash', 'cluster: lab', 'cluster: lab/x', 'cluster'],
    ['an intake without a token', '[{ name: falco, token: { env: FALCO_TOKEN } }]', '[]', 'intake.tokens'],
    ['a secret from two places', '{ env: FALCO_TOKEN }', '{ env: A, file: b }', 'intake.tokens[0].token'],
    ['a missing key file', 'slack: [U01ADA]', 'keys: [nope.pem]', 'roster.people[0].keys[0]'],
  ])('with %s is refused', (_name, from, to, path) => {
    expect(minimal).toContain(from);
    const found = problems(minimal.replace(from, to));
    expect(found.map((problem) => problem.path)).toEqual([path]);
    expect(found[0]?.line).toBeGreaterThan(0);
  });

  test.each([
    ['a duplicate key', `${minimal}cluster: other\n`],
    ['broken indentation', `${minimal}  x\n y: [`],
  ])('with a YAML error is refused with the line: %s', (_name, text) => {
    expect(problems(text)[0]).toMatchObject({ problem: expect.stringContaining('not valid YAML'), line: expect.any(Number) });
  });

  test('that does not exist is reported with how to name one', () => {
    expect(() => loadConfig({ path: join(folder, 'none.yaml'), env: {} })).toThrow(FirebreakError);
    expect(checkConfig({ path: join(folder, 'none.yaml'), env: {} })).toMatchObject({
      problems: [{ problem: expect.stringContaining('ENOENT'), remedy: expect.stringContaining('--config') }],
    });
  });

  test('with an alias bomb is refused', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n`;
    expect(problems(bomb)[0]?.problem).toContain('alias');
  });
});

describe('keys of the roster', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

  test('are read from a file next to the configuration, or given inline', () => {
    write(pem, 'ada.pem');
    const inline = `${minimal.replace('slack: [U01ADA]', 'keys: [ada.pem]')}    `;
    expect(loadConfig({ path: write(inline), env: {} }).roster.people[0]?.keys).toEqual([pem]);
    const written = minimal.replace('slack: [U01ADA]', `keys: [${JSON.stringify(pem)}]`);
    expect(loadConfig({ path: write(written), env: {} }).roster.people[0]?.keys).toEqual([pem]);
  });

  test('must not be private', () => {
    write(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'private.pem');
    expect(problems(minimal.replace('slack: [U01ADA]', 'keys: [private.pem]'))[0]).toMatchObject({
      path: 'roster.people[0].keys[0]',
      problem: 'not an Ed25519 public key in PEM',
    });
  });
});

describe('secrets', () => {
  const text = `${minimal}temporal: { codecKeys: [{ id: k1, key: { file: codec.key } }] }
slack: { appId: A1, teamId: T1, channel: C1, botToken: { env: BOT }, signingSecrets: [{ env: SIGN }] }
tickets: { github: { repository: acme/incidents, token: { env: GH } } }
`;

  test('are read only for the roles that need them', () => {
    write(`${Buffer.alloc(32, 7).toString('base64')}\n`, 'codec.key');
    const config = loadConfig({ path: write(text), env: {} });
    const cell = resolveSecrets({ config, env: { FALCO_TOKEN: 'alert-token' }, roles: ['cell'] });
    expect(cell.intakeTokens).toEqual([{ name: 'falco', token: 'alert-token' }]);
    expect(cell.slack).toBeUndefined();
    expect(cell.tickets?.github).toBeUndefined();
    const desk = resolveSecrets({ config, env: { BOT: 'b', SIGN: 's', GH: 'g' }, roles: ['desk'] });
    expect(desk).toMatchObject({
      slack: { botToken: 'b', signingSecrets: ['s'] },
      tickets: { github: { token: 'g' } },
      intakeTokens: [],
    });
    expect([...(resolveSecrets({ config, env: {}, roles: [] }).codecKeys[0]?.key ?? [])]).toEqual(Array(32).fill(7));
  });

  test('of a service that has never run include the key that its first start creates, which is not reported as lost', () => {
    const config = loadConfig({ path: write(`${minimal}stateDir: never-run\n`), env: {} });
    const asked = () => resolveSecrets({ config, env: {}, roles: [] });
    expect(asked).toThrow(/no service has run with the state directory \S+never-run yet: its first start creates \S+codec\.key/);
    // A key that was made and is gone is lost: the message does not suggest making another.
    mkdirSync(join(config.stateDir, 'keys'), { recursive: true });
    expect(asked).toThrow(/codec\.key cannot be read or is empty/);
    rmSync(config.stateDir, { recursive: true });
  });

  test('are all named together if several are missing', () => {
    write('c2hvcnQ=', 'codec.key');
    const config = loadConfig({ path: write(text), env: {} });
    expect(() => resolveSecrets({ config, env: { GH: 'ghp_value' }, roles: ['desk', 'cell'] })).toThrow(
      /codecKeys\[0\]\.key.*not 32 bytes[\s\S]*FALCO_TOKEN[\s\S]*BOT[\s\S]*SIGN/,
    );
  });
});
