import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { playbooks } from '../../playbooks/index.ts';
import { describePack } from '../../service/packs/describe.ts';
import { readPack } from '../../service/packs/pack-files.ts';
import { workflowBuild } from '../../service/temporal/bundle/pack-build.ts';
import { runTrial } from '../../service/trial/trial.ts';
import type { SimulateOptions } from '../../testing/chooser.ts';
import { simulate } from '../../testing/simulate.ts';
import type { Story } from '../../testing/story.ts';
import { writePackFolder } from '../pack-folder.ts';
import { waysInto } from '../playbooks/shipped-alerts.ts';
import { bundlePath } from '../workflows/bundle.ts';
import '../workflows/temporal-error-log.ts';

type Options = Omit<SimulateOptions, 'alert'>;

async function told(name: string, options: Options): Promise<{ readonly simulated: Story; readonly tried: Story | undefined }> {
  const playbook = playbooks.find(({ id }) => id === `firebreak/${name}`);
  const [alert] = waysInto[name] ?? [];
  if (!playbook || !alert) throw new Error(`there is no ${name}`);
  const trial = await runTrial({ playbooks: [playbook], options: { ...options, alert }, bundle: await bundlePath() });
  return { simulated: await simulate(playbook, { ...options, alert }), tried: trial?.story };
}

/** Only a bundle has the places as in the author's files in their pack. */
const place = / \([\w./-]+:\d+\)|, at [\w./-]+:\d+/g;

/** Removes times, and the order in which parallel steps finish. */
function withoutTimes({ events, steps, plans, questions, left, notAwaited, error, ...story }: Story) {
  const sorted = <T>(all: readonly T[]): readonly string[] => all.map((one) => JSON.stringify(one)).toSorted();
  return {
    ...story,
    events: sorted(events.map(({ kind, text }) => `${kind}: ${text.replaceAll(place, '')}`)),
    notAwaited: notAwaited.map((what) => what.replaceAll(place, '')),
    steps: sorted(steps.map(({ at: _, ...step }) => step)),
    plans: sorted(plans),
    questions: questions.map(({ endedAt: _, ...question }) => question),
    left: left.map(({ until: _, ...lease }) => lease),
    ...(error && { error: error.code }),
  };
}

describe('a real Temporal tells the same story as the simulation', () => {
  const ways: readonly (readonly [playbook: string, way: string, options: Options])[] = [
    ['contain-container-escape', 'three answers, with their plans', { answer: ['remove', 'rotate', 'cordon'] }],
    ['contain-reverse-shell', 'two people who call it harmless', { answer: 'release' }],
    ['ask-about-shell', 'an answer of the second group', { answer: () => ({ choice: 'quarantine', level: 1 }) }],
    ['contain-cryptominer', 'containment that is refused', { failures: { quarantinePod: 'FB_ERR_REFUSED' } }],
  ];
  test.each(ways)('%s: %s', async (name, _way, options) => {
    const { simulated, tried } = await told(name, options);
    expect(tried && withoutTimes(tried)).toEqual(withoutTimes(simulated));
  });

  test('also of two alerts, one after another', async () => {
    const [alert] = waysInto['ask-about-shell'] ?? [];
    if (!alert) throw new Error('there is no alert');
    const { simulated, tried } = await told('ask-about-shell', {
      more: [{ after: '2h', alert: { ...alert, id: 'f'.repeat(32), severity: 'critical' } }],
      answer: 'expected',
    });
    expect(tried && withoutTimes(tried)).toEqual(withoutTimes(simulated));
  });
});

describe('an action of a pack', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-trial-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A pack whose playbook closes a port when people agree, and opens it when they agree again. */
  const files = {
    'package.json': '{ "name": "own", "version": "1.0.0", "type": "module" }\n',
    'firebreak.pack.ts': `import { data, defineAction } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';
const closePort = defineAction({
  name: 'closePort', title: 'Close a port', effect: 'reversible', reach: 'workload', input: { port: data.number('The port') },
  output: { removed: data.number('Rules') }, implementation: 'close-port.ts', verifiedBy: 'Read back.', undo: 'Opens it again.',
  example: { port: 80 }, sample: { removed: 1 },
});
const closes = definePlaybook(
  { id: 'closes', title: 'Close a port', on: { match: { rule: 'Terminal shell in container' }, minSeverity: 'low', requires: [] }, uses: { closePort } },
  async ({ steps, ask }) => {
    const input = { port: 80 };
    const first = await ask({ question: 'Close it?', choices: { yes: 'Yes' }, plan: { yes: await steps.closePort.plan(input) }, onSilence: 'It stays.' });
    if (first.choice !== 'yes') return;
    const done = await steps.closePort({ ...input, lease: '8h' }, first.approval);
    const then = await ask({ question: 'Open it?', choices: { yes: 'Yes' }, plan: { yes: await steps.closePort.undo.plan(done) }, onSilence: 'It stays.' });
    if (then.choice === 'yes') await steps.closePort.undo(done, then.approval);
  },
);
export default definePack({ name: 'own', version: '1.0.0', playbooks: [closes], actions: [closePort] });
`,
    'implementations/close-port.ts': 'export default {};\n',
  };

  async function closing(options: Options): Promise<Story | undefined> {
    const source = { folder: writePackFolder(join(folder, 'pack'), files) };
    const pack = readPack(source);
    const packs = [{ name: 'own', source, integrity: pack.integrity }];
    const build = await workflowBuild({ packs, stateDir: join(folder, 'state'), engine: await bundlePath() });
    const [alert] = waysInto['ask-about-shell'] ?? [];
    if (!alert) throw new Error('there is no alert');
    // The body comes from the bundle.
    const playbooks = describePack(pack).pack.playbooks.map((one) => ({ ...one, run: async () => undefined }));
    return (await runTrial({ playbooks, options: { ...options, alert }, bundle: build.path }))?.story;
  }

  test('is done and undone by its pool, with what the cell says of both', async () => {
    const story = await closing({ answer: ['yes', 'yes'] });
    expect(story?.steps.map(({ action, state, approvedBy }) => [action, state, approvedBy])).toEqual([
      ['own/closePort', 'done', ['oncall-1']],
      ['own/closePort', 'undone', ['oncall-1']],
    ]);
    expect(story).toMatchObject({ left: [], end: 'done' });
  });

  test('that cannot be undone is tried for a quarter of an hour, and then reported: it stays in force', async () => {
    const story = await closing({ answer: ['yes', 'yes'], failures: { 'own/closePort.undo': 'FB_ERR_UNAVAILABLE' } });
    expect(story).toMatchObject({ left: [{ action: 'own/closePort' }], end: 'failed', error: { code: 'FB_ERR_UNAVAILABLE' } });
    const refused = story?.events.find(({ kind }) => kind === 'lease.release-refused');
    expect(refused?.text).toMatch(/and could not be released: .*simulated/);
    const tries = story?.steps.filter(({ state }) => state === 'failed') ?? [];
    expect(tries.length).toBeGreaterThan(10);
    const [first, last] = [tries.at(0)?.at ?? 0, tries.at(-1)?.at ?? 0];
    expect(last - first).toBeGreaterThan(10 * 60_000);
    expect(last - first).toBeLessThan(16 * 60_000);
  });
});
