import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { drawingsBody } from '../../../../core/console/console.schema.ts';
import { PackDrawings } from '../../../../service/desk/console/pack-drawings.ts';
import { describePack } from '../../../../service/packs/describe.ts';
import { readPack } from '../../../../service/packs/pack-files.ts';
import { eventually } from '../../../eventually.ts';
import { writePackFolder } from '../../../pack-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'firebreak-drawings-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const head = `import { deletePod, quarantinePod, snapshotPodState } from 'firebreak/actions';
import { definePack, definePlaybook } from 'firebreak/playbook';
`;

/** A pack as in a configuration. */
function packOf(name: string, text: string) {
  const source = { folder: writePackFolder(join(root, name), { 'firebreak.pack.ts': `${head}${text}` }) };
  return { source, integrity: readPack(source).integrity, secrets: {}, settings: {}, files: readPack(source) };
}

const acme = packOf(
  'acme',
  `const miner = definePlaybook(
  { id: 'miner', title: 'Miner', on: { match: { rule: 'Miner' }, minSeverity: 'critical', requires: ['pod'] }, uses: { quarantinePod, snapshotPodState, deletePod } },
  async ({ alert, steps, ask }) => {
    const cut = await steps.quarantinePod({ pod: alert.pod });
    await steps.snapshotPodState({ pod: alert.pod });
    console.log('{"value":{"drawn":"by the body"}}');
    const release = await steps.quarantinePod.undo.plan(cut);
    const remove = await steps.deletePod.plan({ pod: alert.pod });
    const question = 'Is <script>it</script> ours?';
    const answer = await ask({ question, choices: { release: '', remove: '' }, plan: { release, remove }, onSilence: 'It stays.' });
    if (answer.choice === 'release') await steps.quarantinePod.undo(cut, answer.approval);
    if (answer.choice === 'remove') await steps.deletePod({ pod: alert.pod }, answer.approval);
  },
);
const odd = definePlaybook(
  { id: 'odd', title: 'Odd', on: { match: { rule: { regex: '^(a|b){3}[^c]+$' } }, minSeverity: 'low', requires: [] }, uses: {} },
  async ({ note }) => note('seen'),
);
export default definePack({ name: 'acme', version: '1.0.0', playbooks: [miner, odd] });
`,
);
const broken = packOf('broken', "throw new Error('not today');\n");

/** However slow the machine is. */
const patienceMs = 3_600_000;

describe('playbooks of packs', () => {
  const drawings = new PackDrawings(
    [
      { ...acme, ...describePack(acme.files).pack },
      // Like a pack that was described before and no longer runs.
      { ...broken, name: 'broken', version: '1.0.0', actions: [], playbooks: [{ id: 'broken/one' } as never] },
    ],
    patienceMs,
  );

  test('are drawn by our own code from the paths that a process without rights reports', async () => {
    const drawn = drawingsBody.parse(await drawings.of('acme/miner'));
    expect(drawn.why).toBeNull();
    const [drawing] = drawn.items;
    expect(drawing?.alert).toBe('Miner (critical)');
    expect(drawing?.boxes.map(({ kind, lines }) => `${kind}: ${lines.join(' ')}`)).toEqual(
      expect.arrayContaining([
        'step: Quarantine the pod Keep the pod’s state as evidence',
        'question: Is <script>it</script> ours?',
        'destructive: Delete the pod',
        'end: nobody has answered still quarantined',
      ]),
    );
    expect(drawing?.ways.flatMap(({ label }) => label?.lines ?? []).sort()).toEqual(['nobody answers', 'release', 'remove']);
  });

  test('say why if there is nothing to draw', async () => {
    expect(await drawings.of('acme/odd')).toEqual({ items: [], why: 'No alert could be made up for it.' });
    expect(await drawings.of('broken/one')).toEqual({
      items: [],
      why: 'Its paths could not be tried: firebreak.pack.ts:3: Error: not today',
    });
    for (const id of [undefined, 'acme/none', 'firebreak/ask-about-shell'])
      expect(await drawings.of(id)).toEqual({ items: [], why: null });
  });

  test('are tried once, with nobody kept waiting for long; code that differs from the pin is not tried', async () => {
    const pack = { ...acme, ...describePack(acme.files).pack };
    const impatient = new PackDrawings([pack], 0);
    expect(await impatient.of('acme/miner')).toEqual({ items: [], why: expect.stringContaining('It is being drawn') });
    await eventually('it is drawn', async () => (await impatient.of('acme/miner')).items.length === 1);
    const known = await drawings.of('acme/miner');
    appendFileSync(join(acme.source.folder, 'firebreak.pack.ts'), '// changed\n');
    expect(await drawings.of('acme/miner')).toBe(known);
    const late = new PackDrawings([pack], patienceMs);
    expect(await late.of('acme/miner')).toEqual({ items: [], why: 'The pack has changed since Firebreak was started.' });
  });
});
