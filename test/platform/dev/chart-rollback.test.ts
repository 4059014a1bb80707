import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parseAllDocuments, stringify } from 'yaml';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { helmBinary } from '../../../tools/platform/helm-binary.ts';
import { kubernetesProgram } from '../../../tools/platform/kubernetes/kubelab-binary.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';

const platform = await testPlatform();
const namespace = await platform.freshNamespace();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-rollback-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const helm = await helmBinary(() => {});
const program = (await kubernetesProgram('kubectl', () => {})) ?? 'kubectl';
const kubectl = (...words: readonly string[]) =>
  runCommand({ command: program, args: ['--kubeconfig', platform.kubeconfig, '--namespace', namespace, ...words] });

const values = {
  profile: 'single',
  config: {
    cluster: 'prod-eu',
    intake: { tokens: [{ name: 'falco', token: { file: '/etc/firebreak/secrets/alerts/falco' } }] },
    roster: { people: [{ id: 'ada', name: 'Ada', keys: ['a key'] }], groups: { oncall: ['ada'] } },
  },
  temporal: { install: true },
  cell: { persistence: { enabled: false } },
  priorityClass: { create: false },
};

/** Applies the StatefulSets of the chart, with empty folders for claims: nothing provides volumes here. */
async function apply(more: object): Promise<void> {
  const file = join(folder, 'values.yaml');
  writeFileSync(file, stringify({ ...values, ...more }));
  const chart = join(projectRoot(), 'deploy', 'helm', 'firebreak');
  const args = ['template', 'firebreak', chart, '--namespace', namespace, '--values', file];
  const { code, stdout, stderr } = await runCommand({ command: helm ?? '', args });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const sets = parseAllDocuments(stdout)
    .map((document) => document.toJS())
    .filter((one) => one?.kind === 'StatefulSet');
  expect(sets).toHaveLength(2);
  for (const { spec } of sets) {
    const claimed = (spec.volumeClaimTemplates ?? []).map((claim: { readonly metadata: { readonly name: string } }) => ({
      name: claim.metadata.name,
      emptyDir: {},
    }));
    delete spec.volumeClaimTemplates;
    spec.template.spec.volumes = [...(spec.template.spec.volumes ?? []), ...claimed];
  }
  writeFileSync(join(folder, 'sets.yaml'), sets.map((set) => stringify(set)).join('---\n'));
  expect(await kubectl('apply', '--filename', join(folder, 'sets.yaml'))).toMatchObject({ code: 0, stderr: '' });
}

/** For each set: how many of its pods are ready with the last revision. */
async function ready(): Promise<string> {
  const path = '{range .items[*]}{.metadata.name}={.status.updatedReplicas}/{.status.readyReplicas} {end}';
  return (await kubectl('get', 'statefulsets', '--output', `jsonpath=${path}`)).stdout.trim();
}
const allReady = 'firebreak=1/1 firebreak-temporal=1/1';

(helm ? test : test.skip)('a rollback replaces pods of the chart that never became ready', async () => {
  expect(await kubectl('create', 'serviceaccount', 'firebreak-cell')).toMatchObject({ code: 0 });
  await apply({});
  await eventually('the first revision is ready', async () => (await ready()) === allReady);
  await apply({ nodeSelector: { 'no-node': 'has-this' } });
  await eventually('the upgrade is stuck', async () => /^firebreak=1\/0? firebreak-temporal=1\/0?$/.test(await ready()));
  await apply({});
  await eventually('the rollback is ready', async () => (await ready()) === allReady);
});

(helm ? test : test.skip)('the API server takes the job that checks the configuration', async () => {
  const file = join(folder, 'checked-values.yaml');
  writeFileSync(file, stringify(values));
  const chart = join(projectRoot(), 'deploy', 'helm', 'firebreak');
  const args = ['template', 'firebreak', chart, '--namespace', namespace, '--values', file];
  const { stdout } = await runCommand({ command: helm ?? '', args: [...args, '--show-only', 'templates/config-check.yaml'] });
  writeFileSync(join(folder, 'config-check.yaml'), stdout);
  const applied = await kubectl(
    'apply',
    '--dry-run=server',
    '--validate=strict',
    '--filename',
    join(folder, 'config-check.yaml'),
  );
  expect(applied).toMatchObject({ code: 0, stderr: '' });
  expect(applied.stdout.split('\n').filter((line) => line.includes('created'))).toHaveLength(4);
});
