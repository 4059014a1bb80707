import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { actions } from '../../core/actions/index.ts';
import { callKubernetes, readAccess } from '../../service/dev/kubernetes-api.ts';
import { observe } from '../platform/actions/observe.ts';
import { openCluster } from '../platform/kubernetes/cluster.ts';
import { folderEvidence } from '../platform/kubernetes/evidence.ts';
import { freshNamespace } from '../platform.ts';
import { containerTable } from './container-table.ts';
import { nodeLab } from './lab.ts';

const lab = await nodeLab();
const { kubeconfig } = lab;
const cluster = await openCluster(kubeconfig);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-container-actions-'));
const access = readAccess(kubeconfig);
let made: string[] = [];
afterEach(async () => {
  for (const name of made) await callKubernetes({ access, path: `/api/v1/namespaces/${name}`, method: 'DELETE' });
  made = [];
});
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true });
});
const world = {
  cluster,
  kubeconfig,
  folder,
  evidence: await folderEvidence(folder),
  async freshNamespace() {
    const name = await freshNamespace(access);
    made.push(name);
    return name;
  },
};
const table = containerTable(lab);

describe('every action inside of containers, on a real node', () => {
  test('is in the table', () => {
    expect(table.map(({ declaration }) => declaration.name).sort()).toEqual(
      actions
        .filter(({ pool }) => pool === 'forensics')
        .map(({ name }) => name)
        // These work beside containers, from pods of ours, and have files of their own.
        .filter((name) => name !== 'cutConnections' && name !== 'probeQuarantine' && name !== 'checkpointContainer')
        .sort(),
    );
    for (const { declaration, input } of table) expect(input.safeParse(declaration.example)).toMatchObject({ success: true });
  });

  test.each(table.map((row) => [row.declaration.name, row] as const))(
    '%s does what its plan says, once however often the process dies, with its rights and no less',
    async (_, row) => {
      const seen = await observe(row, world);
      expect(seen.changed).toEqual(seen.planned);
      expect(seen.changedAgain).toEqual([]);
      expect(seen.verification.state).toBe(row.verification);
      expect(seen.ended.length > 0).toBe(row.declaration.effect === 'destructive');
      for (const one of seen.killed) expect(one).toEqual({ at: one.at, changed: seen.calls });
      expect(seen.rights.enough).toBe('ok');
      for (const [right, refusal] of Object.entries(seen.rights.oneLess))
        expect([right, refusal]).toEqual([right, expect.stringContaining(`does not allow us to ${right}`)]);
      expect(Object.keys(seen.rights.oneLess)).toHaveLength(4);
    },
    180_000,
  );
});
