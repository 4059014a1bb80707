import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type OwnRunner, type OwnStepRecord, ownAction } from '../../../activities/actions/own-action.ts';
import type { StepContext } from '../../../core/action/action.ts';
import { deciderOf } from '../../../core/action/guardrail.ts';
import type { OwnAction } from '../../../core/action/own-action.ts';
import { sha256Hex } from '../../../core/text/digest.ts';
import { Cloud, officeRule, openRule } from '../../../packs/cloud-security-group/test/cloud.ts';
import { checkConfig } from '../../../service/config/load.ts';
import { resolveSecrets } from '../../../service/config/secrets.ts';
import { describePack } from '../../../service/packs/describe.ts';
import { ActionHost } from '../../../service/packs/own/action-host.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { packFaults } from '../../../service/packs/pack-rules.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { enabledActions } from '../../../service/rbac/enabled.ts';
import { rbacManifests } from '../../../service/rbac/manifests.ts';
import { eventually } from '../../eventually.ts';
import { looking, packWith, patient } from './parts/looking.ts';

const example = readPack({ folder: join(projectRoot(), 'packs', 'cloud-security-group') });
const { actions, playbooks } = describePack(example).pack;
const [closePort] = actions as readonly [OwnAction];

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const hosts: ActionHost[] = [];
let cloud: Cloud;
beforeEach(async () => {
  cloud = await Cloud.start({ 'sg-1': [openRule, officeRule] });
});
afterEach(async () => {
  for (const host of hosts.splice(0)) host.close();
  await cloud.stop();
});

const pod = { namespace: 'shop', name: 'cart-1', uid: 'uid-1' };
const input = { group: 'sg-1', port: 8080, pod };
const lines: string[] = [];

function contextOf(key = 'incident/run/step/0'): StepContext {
  return {
    key,
    incident: 'incident',
    run: 'run',
    fast: false,
    signal: new AbortController().signal,
    taking: { severity: 'high', reach: 'workload', lease: { durationMs: 1_000, onExpiry: 'renew' } },
    progress: (text) => lines.push(text),
  };
}

/** Runs the example's action in a process of its own, with what its pool would have on its disk. */
function pool(stored = new Map<string, OwnStepRecord>(), token = cloud.token) {
  const host = new ActionHost({
    files: example,
    actions: patient(actions),
    secrets: () => ({ token, others: 'never given' }),
    settings: { endpoint: cloud.endpoint },
    log: () => undefined,
  });
  hosts.push(host);
  return { host, ...ownAction(closePort, { runner: host, steps: memory(stored) }) };
}

const memory = (stored: Map<string, OwnStepRecord>) => ({
  get: (key: string) => stored.get(key),
  store: async (key: string, value: OwnStepRecord) => {
    stored.set(key, value);
  },
});

/** What an action with this body reports when its pool undoes it within `applyMs`. */
function givingBack(body: string, applyMs = 300_000) {
  const files = packWith(
    `import { implementAction } from 'firebreak/actions';
import { look } from '../actions/look.ts';
let tries = 0;
export default implementAction(look, {
  plan: async () => ({ target: 'thing/one', changes: [{ target: 'thing/one', what: 'changes' }], state: null }),
  apply: async () => ({ seen: 'it' }),
  verify: async () => ({ state: 'applied', detail: 'seen' }),
  undo: async () => {
    tries += 1;
    ${body}
    return { state: 'undone', detail: \`at try \${tries}\` };
  },
});
`,
    {
      'actions/look.ts': `import { data, defineAction } from 'firebreak/actions';

export const look = defineAction({
  name: 'look', title: 'Look', effect: 'reversible', reach: 'pod', input: {}, output: { seen: data.text('What was seen') },
  implementation: 'look.ts', verifiedBy: 'Nothing.', undo: 'It changes nothing.', example: {}, sample: { seen: 'it' },
});
`,
      'playbooks/looks.ts': `import { definePlaybook } from 'firebreak/playbook';
import { look } from '../actions/look.ts';

export const looks = definePlaybook(
  { id: 'looks', title: 'Look', on: { match: { rule: 'Any' }, minSeverity: 'low', requires: [] }, uses: { look } },
  async () => {},
);
`,
    },
  );
  const [action] = describePack(files).pack.actions as readonly [OwnAction];
  const timed = { ...action, timeouts: { planMs: 300_000, applyMs, verifyMs: 300_000 } };
  const host = new ActionHost({ files, actions: [timed], secrets: () => ({}), settings: {}, log: () => undefined });
  hosts.push(host);
  return ownAction(timed, { runner: host, steps: memory(new Map()) }).implementation;
}

describe('an undo of a pack’s action', () => {
  const done = async (body: string, applyMs?: number) => {
    const implementation = givingBack(body, applyMs);
    await implementation.plan({}, contextOf());
    await implementation.apply({}, contextOf());
    const undo = async () => implementation.undo?.({ input: {}, key: contextOf().key }, contextOf());
    return undo;
  };

  test('that throws is retried, and nothing counts as undone until it succeeds', async () => {
    const undo = await done("if (tries === 1) throw new Error('the cloud is away');");
    await expect(undo()).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringMatching(/^own\/look could not undo: implementations\/look\.ts:\d+: Error: the cloud is away$/),
    });
    expect(await undo()).toEqual({ state: 'undone', detail: 'at try 2' });
    expect(await undo()).toMatchObject({ state: 'already' });
  });

  test('with a bug in its code or an invalid result is not retried automatically, but can be ordered again', async () => {
    const mistaken = await done('if (tries === 1) undefined.seen;');
    await expect(mistaken()).rejects.toMatchObject({
      code: 'FB_ERR_ACTION_FAILED',
      detail: expect.stringMatching(/^own\/look could not undo: implementations\/look\.ts:\d+: TypeError: /),
    });
    expect(await mistaken()).toMatchObject({ state: 'undone' });
    for (const rubbish of ["'done'", 'undefined', "{ state: 'gone to lunch', detail: 'later' }", "{ state: 'undone' }"]) {
      const undo = await done(`if (tries === 1) return ${rubbish};`);
      await expect(undo()).rejects.toMatchObject({
        code: 'FB_ERR_ACTION_FAILED',
        detail: expect.stringContaining('what own/look returned after undo is invalid: '),
      });
      expect(await undo()).toMatchObject({ state: 'undone' });
    }
  });

  test('that hangs is given up after its time limit, along with its process, and that is reported', async () => {
    const undo = await done('await new Promise(() => setInterval(() => undefined, 1_000));', 3_000);
    await expect(undo()).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: 'own/look could not undo: it took longer than 3 s',
    });
  });
});

describe('the declaration of a pack’s action', () => {
  test('has its full name, also in the playbooks that use it, and does not include the implementation', () => {
    expect(closePort).toMatchObject({ name: 'cloud-security-group/closePort', pool: 'packs', effect: 'reversible' });
    expect(playbooks[0]?.uses).toMatchObject({
      closePort: { name: 'cloud-security-group/closePort' },
      openTicket: { pool: 'desk' },
    });
  });

  test('makes nothing automatic, whatever it claims', () => {
    expect(deciderOf({ ...closePort, reach: 'pod' })).toBe('people, each time');
  });

  test.each([
    [
      'a right on everything',
      "secrets: ['token'],",
      "rights: [{ apiGroup: '', resource: '*', verbs: ['get'] }],",
      /a right on everything/,
    ],
    [
      'a right to become somebody else',
      "secrets: ['token'],",
      "rights: [{ apiGroup: '', resource: 'users', verbs: ['impersonate'] }],",
      /cannot have the right to impersonate/,
    ],
    [
      'evidence of its own',
      "seen: data.text('What was seen') }",
      "evidence: data.text('What was seen') }",
      /cannot return “evidence”/,
    ],
    ['a file that is not there', "'look.ts'", "'other.ts'", /implemented by implementations\/other\.ts, which is missing/],
    [
      'an example that does not fit',
      'example: {}',
      "example: { a: 'b' } as never",
      /an example whose a is wrong: there is no such field/,
    ],
    ['a reach outside the rules', "reach: 'pod'", "reach: 'outside' as never", /cannot reach outside/],
  ])('is refused with %s', (_, from, to, words) => {
    const files = packWith('');
    const changed = files.files.get('actions/look.ts')?.toString('utf8').replace(from, to) ?? '';
    expect(() =>
      describePack(
        packWith('', {
          'actions/look.ts': changed.replace('sample: { seen', to.includes('evidence') ? 'sample: { evidence' : 'sample: { seen'),
        }),
      ),
    ).toThrow(words);
  });

  test('is refused if a playbook uses what its pack does not list', () => {
    const files = packWith('', {
      'firebreak.pack.ts': `import { definePack } from 'firebreak/playbook';
import { looks } from './playbooks/looks.ts';
export default definePack({ name: 'own', version: '1.0.0', playbooks: [looks], actions: [] });
`,
    });
    expect(() => describePack(files)).toThrow(
      'own/looks uses look, which the pack does not list: definePack({ actions: [look] })',
    );
  });
});

describe('what an action does', () => {
  test('may import modules of Node that only compute and the pack’s own files, but no other, and no package that is not pinned', () => {
    expect(packFaults(example)).toEqual([]);
    expect(
      packFaults(
        packWith(
          "import { createHash } from 'node:crypto';\nimport axios from 'axios';\nimport { request } from 'node:https';\nvoid [createHash, axios, request];\n",
        ),
      ),
    ).toEqual([
      expect.objectContaining({
        file: 'implementations/look.ts',
        line: 2,
        problem: expect.stringContaining("may not import 'axios'"),
      }),
      expect.objectContaining({
        file: 'implementations/look.ts',
        line: 3,
        problem: expect.stringContaining("may not import 'node:https'"),
      }),
    ]);
  });

  test('is not imported by anything that becomes a playbook', () => {
    const faults = packFaults(
      packWith('', { 'playbooks/sly.ts': "import look from '../implementations/look.ts';\nvoid look;\n" }),
    );
    expect(faults).toEqual([
      expect.objectContaining({ file: 'playbooks/sly.ts', problem: expect.stringContaining('only its own process loads') }),
    ]);
  });

  test('is done through its plan, read back, and undone exactly', async () => {
    const { implementation } = pool();
    const plan = await implementation.plan(input, contextOf());
    expect(plan).toMatchObject({
      target: { name: 'security-group/sg-1' },
      evidenceOf: { name: 'pod/shop/cart-1', uid: 'uid-1' },
      changes: [{ what: 'removes the rule r-1: port 8080 from 0.0.0.0/0' }],
      blastRadius: ['security-group/sg-1'],
    });
    expect(await implementation.apply(input, contextOf())).toEqual({ removed: 1 });
    expect(cloud.rules('sg-1')).toEqual([officeRule]);
    expect(await implementation.verify({ removed: 1 }, contextOf())).toMatchObject({ state: 'applied' });
    const seen: unknown[] = [];
    const allow = async (notes: unknown) => void seen.push(notes);
    expect(await implementation.undo?.({ input, key: contextOf().key, allow }, contextOf())).toMatchObject({ state: 'undone' });
    expect(seen).toEqual([
      [expect.objectContaining({ object: 'security-group/sg-1', step: contextOf().key, incident: 'incident' })],
    ]);
    expect(new Set(cloud.rules('sg-1'))).toEqual(new Set([openRule, officeRule]));
    expect(await implementation.undo?.({ input, key: contextOf().key, allow }, contextOf())).toMatchObject({ state: 'already' });
  });

  test('continues from the state before it began if its pool was killed midway, and is not done twice', async () => {
    const stored = new Map<string, OwnStepRecord>();
    const first = pool(stored);
    await first.implementation.plan(input, contextOf());
    cloud.next('hang');
    const cut = first.implementation.apply(input, contextOf());
    await eventually('the change that hangs', () => cloud.hanging === 1);
    first.host.close();
    await expect(cut).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    const second = pool(stored);
    expect(await second.implementation.started(input, contextOf())).toBe(true);
    expect(await second.implementation.apply(input, contextOf())).toEqual({ removed: 1 });
    expect(cloud.changes).toBe(1);
    await second.implementation.undo?.({ input, key: contextOf().key }, contextOf());
    expect(new Set(cloud.rules('sg-1'))).toEqual(new Set([openRule, officeRule]));
  });

  test('is not undone if its pool does not know the state before, or for another input', async () => {
    const stored = new Map<string, OwnStepRecord>();
    const { implementation } = pool(stored);
    await implementation.plan(input, contextOf());
    await implementation.apply(input, contextOf());
    const other = { ...input, group: 'sg-2' };
    await expect(implementation.undo?.({ input: other, key: contextOf().key }, contextOf())).rejects.toThrow('another step');
    stored.clear();
    expect(await implementation.undo?.({ input, key: contextOf().key }, contextOf())).toMatchObject({ state: 'drifted' });
    expect(cloud.changes).toBe(1);
  });

  test('cannot plan a change if it is declared as only looking', async () => {
    const runner: OwnRunner = {
      run: async () => ({
        end: 'value',
        value: { target: 'thing/one', changes: [{ target: 'thing/one', what: 'breaks it' }], state: null },
      }),
    };
    const looks = ownAction({ ...closePort, effect: 'read' }, { runner, steps: memory(new Map()) });
    await expect(looks.implementation.plan(input, contextOf())).rejects.toThrow('only looks, by its declaration');
  });

  test('is retried if a service says so, but not if the action refuses', async () => {
    const { implementation } = pool();
    await implementation.plan(input, contextOf());
    cloud.next('limit');
    await expect(implementation.apply(input, contextOf())).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      retryAfterMs: 1_000,
    });
    cloud.next('somebody-was-first');
    await expect(implementation.apply(input, contextOf())).rejects.toMatchObject({ code: 'FB_ERR_ACTION_FAILED' });
    await expect(implementation.plan({ ...input, group: 'sg-9' }, contextOf('other'))).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
    });
  });
});

describe('the process that runs an action', () => {
  test('has no environment, no files but the pack’s own, and cannot start another', async () => {
    expect(await looking('return { seen: JSON.stringify(Object.keys(process.env)) };')).toMatchObject({ value: { seen: '[]' } });
    const reading = "const { readFileSync } = await import('node:fs'); return { seen: readFileSync('/etc/hostname', 'utf8') };";
    expect(await looking(reading)).toMatchObject({ end: 'failed', reason: expect.stringMatching(/restricted|permissions/) });
    const starting = "const { execSync } = await import('node:child_process'); return { seen: String(execSync('id')) };";
    expect(await looking(starting)).toMatchObject({ end: 'failed', reason: expect.stringMatching(/restricted|permissions/) });
  });

  test('outputs nothing with a secret in it', async () => {
    lines.length = 0;
    expect(await looking("log('with ' + secrets.token); return { seen: secrets.token };", contextOf())).toEqual({
      end: 'value',
      value: { seen: '[secret token]' },
    });
    expect(lines).toEqual(['with [secret token]']);
    expect(await looking("throw new Error('for ' + secrets.token);")).toMatchObject({
      reason: expect.stringMatching(/for \[secret token\]$/),
    });
  });

  test('is started again after it has ended, and a bug in the code is reported with its place', async () => {
    expect(await looking('process.exit(1);')).toEqual({ end: 'failed', reason: 'the process of the pack’s actions has exited' });
    expect(await looking('return undefined.seen;')).toEqual({
      end: 'refused',
      reason: expect.stringMatching(/^implementations\/look\.ts:6: TypeError: /),
    });
    const { host } = pool();
    const call = { action: 'closePort', does: 'plan', input, key: sha256Hex('k') } as const;
    expect(await host.run(call, contextOf())).toMatchObject({ end: 'value' });
    expect(await host.run(call, contextOf())).toMatchObject({ end: 'value' });
  });
});

describe('a configuration with a pack that has actions', () => {
  const folder = join(projectRoot(), 'packs', 'cloud-security-group');
  const given = { secrets: { token: { env: 'CLOUD_TOKEN' } }, settings: { endpoint: 'https://cloud.example' } };

  /** The check of a file with this pack. */
  function checked(pack: object) {
    const path = join(mkdtempSync(join(tmpdir(), 'firebreak-own-config-')), 'firebreak.yaml');
    folders.push(dirname(path));
    const roster = { people: [{ id: 'ada', name: 'Ada', slack: ['U1'] }], groups: { oncall: ['ada'], leads: ['ada'] } };
    const intake = { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] };
    writeFileSync(
      path,
      JSON.stringify({ cluster: 'lab', intake, roster, packs: [{ folder, integrity: example.integrity, ...pack }] }),
    );
    return checkConfig({ path, env: {} });
  }
  function configOf(pack: object) {
    const found = checked(pack);
    if (!found.ok) throw new Error(JSON.stringify(found.problems));
    return found.config;
  }

  test('names what they need but are not given, and what is given to none of them', () => {
    const found = checked({ secrets: { toked: { env: 'CLOUD_TOKEN' } } });
    expect(found.ok ? [] : found.problems.map(({ path, problem }) => `${path}: ${problem}`)).toEqual([
      'packs[0].secrets: cloud-security-group/closePort needs token, which is missing',
      'packs[0].secrets.toked: no action of cloud-security-group declares toked',
      'packs[0].settings: cloud-security-group/closePort needs endpoint, which is missing',
    ]);
  });

  test('lets only their pool read its secrets', () => {
    const config = configOf(given);
    const env = { CLOUD_TOKEN: 'of the cloud', FALCO_TOKEN: 'of falco' };
    const codec = { ...config, temporal: { ...config.temporal, codecKeys: [] } };
    const { packs } = resolveSecrets({ config: codec, env, roles: ['packs'] });
    expect(packs?.get('cloud-security-group')?.()).toEqual({ token: 'of the cloud' });
    expect(resolveSecrets({ config: codec, env, roles: ['cell', 'secrets', 'forensics'] }).packs).toBeUndefined();
  });

  test('trusts their pool, and gives its account what they declare and nothing else', () => {
    const config = configOf(given);
    expect(config.trust.packs).toEqual([expect.stringMatching(/keys\/packs\.pem\.pub$/)]);
    const manifest = (declared: readonly OwnAction[]) =>
      rbacManifests({ actions: declared, namespace: 'firebreak' }).get('packs.yaml') ?? '';
    expect(manifest(enabledActions(config).filter((one): one is OwnAction => one.pool === 'packs'))).toContain(
      'cloud-security-group/closePort: no rights in the cluster at all',
    );
    const withRights = { ...closePort, rights: [{ apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'patch'] }] };
    expect(manifest([withRights])).toMatch(
      /kind: ClusterRole\n[\s\S]*- apiGroups:\n +- apps\n +resources:\n +- deployments\n +verbs:\n +- get\n +- patch\n---/,
    );
  });
});
