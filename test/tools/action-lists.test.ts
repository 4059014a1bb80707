import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { actionLists } from '../../tools/actions/lists.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-lists-'));
afterAll(() => rmSync(folder, { recursive: true }));

function treeWith(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, 'core', 'actions', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return root;
}
const declaration = 'export const pauseJob = declareAction<PauseJobInput, PauseJobOutput>()({});\n';
const schema = 'export const pauseJobInput = z.object({});\nexport const pauseJobOutput = z.object({});\n';

test('an action is in all lists as soon as its two files exist', () => {
  const root = treeWith('whole', {
    'workloads/pause-job.ts': declaration,
    'workloads/pause-job.schema.ts': schema,
    'workload.schema.ts': 'export const workloadInput = z.object({});\n',
    'in-container-rights.ts': 'export const inContainerRights = [];\n',
  });
  const [index, inputs, outputs] = actionLists(root);
  expect(index).toMatchObject({
    path: 'core/actions/index.ts',
    text: expect.stringContaining("import { pauseJob } from './workloads/pause-job.ts';"),
  });
  expect(index?.text).toContain('const all = [\n  pauseJob,\n] as const;');
  expect(inputs).toMatchObject({
    path: 'core/actions/inputs.schema.ts',
    text: expect.stringContaining('const all = {\n  pauseJob: pauseJobInput,\n}'),
  });
  expect(outputs).toMatchObject({
    path: 'core/actions/outputs.schema.ts',
    text: expect.stringContaining('const all = {\n  pauseJob: pauseJobOutput,\n}'),
  });
});

test('a declaration without its schema, or with a different name from its file, is refused by name', () => {
  expect(() => actionLists(treeWith('bare', { 'workloads/pause-job.ts': declaration }))).toThrow(
    'core/actions/workloads/pause-job.schema.ts must have `export const pauseJobInput = …`',
  );
  const other = { 'workloads/stop-job.ts': declaration, 'workloads/stop-job.schema.ts': schema };
  expect(() => actionLists(treeWith('other', other))).toThrow(
    'core/actions/workloads/stop-job.ts must have `export const stopJob = declareAction<…`',
  );
});
