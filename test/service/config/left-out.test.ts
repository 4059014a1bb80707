import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { playbooks } from '../../../playbooks/index.ts';
import { configToRun } from '../../../service/config/left-out.ts';
import { checkConfig } from '../../../service/config/load.ts';
import { roles } from '../../../service/config/secrets.ts';
import { openEvidenceStore, openShelf } from '../../../service/process/evidence.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-left-out-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'broken-pack'));

const roster = 'roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }';
const intake = 'intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }';
const env = { FALCO_TOKEN: 'f'.repeat(40) };
const path = join(folder, 'firebreak.yaml');

function written(more: string, base = `cluster: lab\n${intake}\n${roster}\n`) {
  writeFileSync(path, `${base}${more}\n`);
  return { path, env };
}
const leftOutOf = (more: string, base?: string) => [
  ...new Set(configToRun(written(more, base), roles).leftOut?.map(({ part }) => part)),
];

const jira = "url: 'https://acme.atlassian.net', email: a@acme.com, token: { env: JIRA }, project: SEC";
const anAction = { part: 'action cutConnections', action: 'cutConnections', path: 'actions.optIn[1]', line: 4 };

describe('the service runs without', () => {
  test('an action whose tools are not configured, and keeps the others and its own place in the file', () => {
    const source = written('actions: { optIn: [denyImage, cutConnections] }');
    expect(checkConfig(source).ok).toBe(false);
    const config = configToRun(source, roles);
    expect(config.actions.optIn).toEqual(['denyImage']);
    expect(config.leftOut).toEqual([expect.objectContaining({ ...anAction, remedy: expect.stringContaining('toolsImage') })]);
  });

  test.each([
    ['a ticket system that is described wrongly', 'tickets: { jira: { url: nowhere } }', ['tickets.jira']],
    ['a ticket system whose secret is missing', `tickets: { jira: { ${jira} } }`, ['tickets.jira']],
    ['a pager that does not exist', 'paging: { beeper: {} }', ['paging.beeper']],
    ['a pager whose secret is missing', 'paging: { pagerduty: { routingKey: { env: PD }, groups: {} } }', ['paging.pagerduty']],
    ['a stream to nowhere', "streams: [{ name: a, to: { http: { url: 'x' } } }]", ['streams[0]']],
    ['a Slack that lacks its parts', 'slack: { channel: C01 }', ['slack']],
    [
      'what depends on a part that is left out',
      'slack: { channel: C01 }\nreports: [{ name: iso, framework: iso-27001, to: { slack: {} } }]',
      ['slack', 'reports[0]'],
    ],
    ['a collector that is no address', 'telemetry: { otlp: { endpoint: 5 } }', ['telemetry.otlp']],
    [
      'a provider that isolates nodes, without its secret',
      "actions: { nodeIsolation: { webhook: { url: 'https://nodes.example.com', secret: { env: NODES } } } }",
      ['actions.nodeIsolation'],
    ],
    ['a pack that is not there', 'packs: [{ folder: not-there, integrity: sha512-x }]', ['packs[0]']],
    ['a playbook that does not exist', `playbooks: { enabled: [contain-it, ${playbooks[0]?.id}] }`, ['playbooks.enabled[0]']],
    [
      'a value for a playbook that does not exist',
      'playbooks: { params: { contain-it: { a: 1 } } }',
      ['playbooks.params.contain-it'],
    ],
  ])('%s', (_title, more, parts) => {
    expect(leftOutOf(more)).toEqual(parts);
  });

  test('several of them, each with all that is wrong with it', () => {
    const more = 'actions: { optIn: [cutConnections, denyImage, probeQuarantine] }\ntickets: { jira: { url: nowhere } }';
    const config = configToRun(written(more), roles);
    expect(config.actions.optIn).toEqual(['denyImage']);
    expect(config.tickets).not.toHaveProperty('jira');
    expect(new Set(config.leftOut?.map(({ part }) => part))).toEqual(
      new Set(['action cutConnections', 'action probeQuarantine', 'tickets.jira']),
    );
  });

  test('one of several tokens of sensors, but not the only one', () => {
    const two =
      'cluster: lab\nintake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }, { name: tracee, token: { env: T } }] }\n';
    const config = configToRun(written(roster, two), ['cell']);
    expect(config.intake.tokens.map(({ name }) => name)).toEqual(['falco']);
    expect(config.leftOut).toMatchObject([{ part: 'intake.tokens[1]', problem: expect.stringContaining('T is not set') }]);
    expect(() => configToRun({ ...written(''), env: {} }, ['cell'])).toThrow('FALCO_TOKEN is not set');
  });

  test('a playbook that asks a group which nobody is in, and runs all others', () => {
    const config = configToRun(
      written(
        '',
        `cluster: lab\n${intake}\n${roster.replace('leads: [ada]', 'bosses: [ada]')}\nincidents: { levels: [{ group: oncall, withinMinutes: 5 }] }\n`,
      ),
      roles,
    );
    expect(config.leftOut?.every(({ part }) => part.startsWith('playbook firebreak/'))).toBe(true);
    expect(config.playbooks.enabled).not.toHaveLength(0);
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a store of evidence that cannot work', () => {
  const locked = 'bucket: evidence, objectLock: compliance, accessKeyId: { env: ID }, secretAccessKey: { env: SECRET }';
  test.each([
    ['is described wrongly', 'evidence: { s3: {} }', 'evidence.s3'],
    ['lacks its secrets', `evidence: { s3: { ${locked} }, retention: { files: { atLeastDays: 30 } } }`, 'evidence.s3'],
    ['is no folder', 'evidence: { folder: 5 }', 'evidence.folder'],
  ])('and %s is replaced by none: steps that keep evidence fail and say why, the others go on', async (_title, more, part) => {
    const config = configToRun(written(more), roles);
    expect([...new Set(config.leftOut?.map((one) => one.part))]).toEqual([part]);
    const where = { config, secrets: {} };
    const [store, shelf] = [await openEvidenceStore(where), await openShelf(where)];
    const refused = {
      code: 'FB_ERR_CONFIG_INVALID',
      retryable: false,
      detail: expect.stringContaining(`no evidence is kept, as its store cannot work: ${part}`),
    };
    await expect(store.put(new Uint8Array(1), 'text/plain')).rejects.toMatchObject(refused);
    await expect(store.has('0'.repeat(64))).rejects.toMatchObject(refused);
    await expect(all(store.read('0'.repeat(64)))).rejects.toMatchObject(refused);
    await expect(shelf.add('keys/one', new Uint8Array(1))).rejects.toMatchObject(refused);
    await expect(all(shelf.names('keys'))).rejects.toMatchObject(refused);
  });
});

describe('the service does not start with a mistake', () => {
  test.each([
    ['about who decides', 'incidents: { levels: [{ group: all, withinMinutes: 5 }] }', 'incidents.levels[0].group'],
    ['about a rule above all playbooks', 'guardrails: { namespaceCap: many }', 'guardrails.namespaceCap'],
    ['in the name of a section', 'gaurdrails: {}', 'gaurdrails: unknown key'],
    ['about whose signatures count', 'images: { trust: 5 }', 'images.trust'],
    ['about sign-ins', 'stepUp: {}', 'stepUp'],
    ['about how long a step waits for evidence', 'evidence: { deadlineMinutes: soon }', 'evidence.deadlineMinutes'],
    ['about how long evidence is kept', 'evidence: { retention: { files: 5 } }', 'evidence.retention.files'],
    ['that leaves no playbook', 'playbooks: { enabled: [contain-it] }', 'there is no playbook contain-it'],
  ])('%s, whatever else could be left out', (_title, more, said) => {
    expect(() => configToRun(written(`${more}\ntickets: { jira: { url: nowhere } }`), roles)).toThrow(said);
  });

  test('and says all that it found', () => {
    const source = written('guardrails: { namespaceCap: many }\ntickets: { jira: { url: nowhere } }');
    expect(() => configToRun(source, roles)).toThrow(/guardrails\.namespaceCap[\s\S]*tickets\.jira\.url/);
  });
});

test('other versions of packs may leave out nothing that runs now', () => {
  const running = configToRun(written('tickets: { jira: { url: nowhere } }'), roles);
  expect(configToRun({ path, env }, roles, running).leftOut).toEqual(running.leftOut);
  const more = written('tickets: { jira: { url: nowhere } }\nactions: { optIn: [cutConnections] }');
  expect(() => configToRun(more, roles, running)).toThrow('cutConnections is turned on');
});

test('a value that might be a secret in the wrong place is repeated nowhere', () => {
  const { leftOut } = configToRun(written('actions: { optIn: [hunter2-hunter2] }\nstreams: [hunter2-hunter2]'), roles);
  expect(leftOut?.map(({ part }) => part)).toEqual(['actions.optIn[0]', 'streams[0]']);
  expect(JSON.stringify(leftOut)).not.toContain('hunter2');
});
