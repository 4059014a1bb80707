import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from '@jest/globals';
import type { StepContext } from '../../../../core/action/action.ts';
import type { OwnAction } from '../../../../core/action/own-action.ts';
import { describePack } from '../../../../service/packs/describe.ts';
import { ActionHost } from '../../../../service/packs/own/action-host.ts';
import { readPack } from '../../../../service/packs/pack-files.ts';
import { writePackFolder } from '../../../pack-folder.ts';

const folders: string[] = [];
const hosts: ActionHost[] = [];
afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** With limits that no machine reaches: the tests check what an action does, not how soon. */
export const patient = (declared: readonly OwnAction[]): readonly OwnAction[] =>
  declared.map((action) => ({ ...action, timeouts: { planMs: 300_000, applyMs: 300_000, verifyMs: 300_000 } }));

/** Writes a pack whose action is implemented by this code. */
export function packWith(implementation: string, changed: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-own-actions-'));
  folders.push(folder);
  writePackFolder(folder, {
    'firebreak.pack.ts': `import { definePack } from 'firebreak/playbook';
import { look } from './actions/look.ts';
import { looks } from './playbooks/looks.ts';

export default definePack({ name: 'own', version: '1.0.0', playbooks: [looks], actions: [look] });
`,
    'actions/look.ts': `import { data, defineAction } from 'firebreak/actions';

export const look = defineAction({
  name: 'look', title: 'Look', effect: 'read', reach: 'pod', input: {}, output: { seen: data.text('What was seen') },
  implementation: 'look.ts', secrets: ['token'], verifiedBy: 'Nothing.', undo: 'It changes nothing.', example: {}, sample: { seen: 'it' },
});
`,
    'playbooks/looks.ts': `import { definePlaybook } from 'firebreak/playbook';
import { look } from '../actions/look.ts';

export const looks = definePlaybook(
  { id: 'looks', title: 'Look', on: { match: { rule: 'Any' }, minSeverity: 'low', requires: [] }, uses: { look } },
  async ({ steps }) => {
    await steps.look({});
  },
);
`,
    'implementations/look.ts': implementation,
    ...changed,
  });
  return readPack({ folder });
}

/** A host for the action of `packWith`, with this body. */
export function hostOf(body: string, options: Partial<ConstructorParameters<typeof ActionHost>[0]> = {}, declared = '') {
  const look = packWith('').files.get('actions/look.ts')?.toString('utf8') ?? '';
  const files = packWith(
    `import { implementAction } from 'firebreak/actions';
import { look } from '../actions/look.ts';
const nothing = { target: 'thing/one', changes: [], state: null };
export default implementAction(look, {
  plan: async () => nothing,
  apply: async ({ secrets, settings, log, http }) => { ${body} },
  verify: async () => ({ state: 'applied', detail: 'seen' }),
});
`,
    { 'actions/look.ts': look.replace("secrets: ['token'],", `secrets: ['token'], ${declared}`) },
  );
  const host = new ActionHost({
    files,
    actions: patient(describePack(files).pack.actions),
    secrets: () => ({ token: 'tok-en-41"7' }),
    settings: {},
    log: () => undefined,
    ...options,
  });
  hosts.push(host);
  return host;
}

/** Has the host run its action once. */
export function looked(host: ActionHost, context: Partial<StepContext> = {}) {
  const signal = new AbortController().signal;
  return host.run({ action: 'look', does: 'apply', input: {}, key: 'k', state: null }, { signal, ...context });
}

/** Runs an action with this body once. */
export const looking = (body: string, context?: Partial<StepContext>) => looked(hostOf(body), context);
