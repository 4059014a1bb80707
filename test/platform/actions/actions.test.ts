import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { actions } from '../../../core/actions/index.ts';
import { testPlatform } from '../../platform.ts';
import { openCluster } from '../kubernetes/parts/cluster.ts';
import { folderEvidence } from '../kubernetes/parts/evidence.ts';
import { type Observations, observe, type World } from './observe.ts';
import { table } from './table.ts';

const platform = await testPlatform();
/** Number of actions tested at the same time, each in its own namespaces. */
const sideBySide = 3;

describe('every action, on the real API server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-actions-'));
  const seen = new Map<string, Promise<Observations>>();
  let cluster: Awaited<ReturnType<typeof openCluster>>;

  beforeAll(async () => {
    cluster = await openCluster(platform.kubeconfig);
    const { kubeconfig, freshNamespace } = platform;
    const world: World = { cluster, kubeconfig, folder, evidence: await folderEvidence(folder), freshNamespace };
    const lanes: Promise<unknown>[] = Array.from({ length: sideBySide }, () => Promise.resolve());
    for (const [at, row] of table.entries()) {
      const observed = (lanes[at % sideBySide] ?? Promise.resolve()).then(() => observe(row, world));
      lanes[at % sideBySide] = observed.catch(() => undefined);
      observed.catch(() => undefined);
      seen.set(row.declaration.name, observed);
    }
  });
  afterAll(async () => {
    await Promise.allSettled(seen.values());
    await cluster.close();
    rmSync(folder, { recursive: true });
  });
  const of = async (name: string): Promise<Observations> => {
    const observed = await seen.get(name);
    if (!observed) throw new Error(`${name} was not tried`);
    return observed;
  };
  const all = table.map((row) => [row.declaration.name, row] as const);
  const reversible = all.filter(([, { declaration, undoes }]) => declaration.effect === 'reversible' || undoes);
  /** Results of an undo under another key, other than a refusal, that change nothing. */
  const comesTo: Readonly<Record<string, string>> = {
    // There is nothing for it to restore.
    quarantineWorkload: 'already',
    // Bindings are cluster-wide: another test may have written an unreadable note on one.
    revokeServiceAccount: 'drifted elsewhere',
  };
  const declared = new Map(table.map(({ declaration }) => [declaration.name, declaration]));

  test('is in the table, except those that touch no cluster and those that need a real container (see test/node)', () => {
    expect(table.map(({ declaration }) => declaration.name).sort()).toEqual(
      actions
        .filter(({ pool }) => pool !== 'desk' && pool !== 'forensics')
        .map(({ name }) => name)
        .sort(),
    );
    for (const { declaration, input } of table) expect(input.safeParse(declaration.example)).toMatchObject({ success: true });
  });

  test.each(all)('%s changes what its plan says, and nothing more when applied again', async (name, row) => {
    const { planned, changed, planAgain, changedAgain, verification } = await of(name);
    expect(changed).toEqual(planned);
    expect(changedAgain).toEqual([]);
    if (row.declaration.effect === 'reversible') expect(planAgain).toEqual(planned);
    expect(verification.state).toBe(row.verification);
  });

  test.each(all)('%s is declared destructive if and only if it ends what runs', async (name) => {
    const { ended } = await of(name);
    expect(ended.length > 0).toBe(declared.get(name)?.effect === 'destructive');
  });

  test.each(reversible)('%s is undone byte for byte, once, unless somebody has changed it since', async (name) => {
    const { drift, robbed, undo, asFailed, unallowed, release, restored } = await of(name);
    // Anyone who claims under another key that the step failed releases nothing, and the release plan shown to people matches what it restores.
    expect(asFailed?.changed).toEqual([]);
    expect(['FB_ERR_APPROVAL_INVALID', comesTo[name]]).toContain(asFailed?.came);
    expect(unallowed?.changed).toEqual([]);
    expect(unallowed?.asked.map(({ terms }) => terms.severity)).toContain('critical');
    expect(release).toBeUndefined();
    expect(drift).toMatchObject({ result: { state: 'drifted' }, changed: [] });
    expect(drift?.result.state === 'drifted' && drift.result.difference).not.toEqual([]);
    // The cell does not know the step, and nothing records the before-state: people are asked.
    expect(robbed).toMatchObject({ result: { state: 'drifted' }, changed: [] });
    expect(undo).toMatchObject({ result: { state: 'undone' }, again: { state: 'already' } });
    for (const { before, after } of restored) expect(after).toEqual(before);
  });

  test.each(all)('%s takes effect once when the process dies before or after any of its calls', async (name) => {
    const { calls, killed } = await of(name);
    for (const one of killed) expect(one).toEqual({ at: one.at, changed: calls });
  });

  test.each(reversible)('%s is still undone when the process dies before or after any call of its undo', async (name) => {
    const { undoKilled } = await of(name);
    // The undo leaves what a step creates once and for all, such as the standing policy: it makes fewer calls.
    expect(undoKilled.filter(({ died }) => died).length).toBeGreaterThanOrEqual(2);
    for (const { at, state, before, after } of undoKilled)
      expect({ at, state, after }).toEqual({ at, state: expect.stringMatching(/^(undone|already)$/), after: before });
  });

  test.each(all)('%s works with exactly its rights, and fails with one less and names it', async (name) => {
    const { rights } = await of(name);
    expect(rights.enough).toBe('ok');
    for (const [right, refusal] of Object.entries(rights.oneLess))
      expect([right, refusal]).toEqual([right, expect.stringContaining(`does not allow us to ${right}`)]);
  });
});
