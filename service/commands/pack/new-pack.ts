import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, posix, relative, resolve, sep } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { writeProblem } from '../../../core/system-error.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { projectRoot } from '../../process/project-root.ts';

export const runners = ['node', 'jest', 'vitest'] as const;

/** The test runner of a pack. */
export type Runner = (typeof runners)[number];

/**
 * Writes a working pack: one playbook, its test, and an alert of its rule. Returns the names of the files.
 * @throws FB_ERR_REFUSED if the folder exists, FB_ERR_INCOMPLETE if it cannot be written.
 */
export function newPack(options: { readonly name: string; readonly folder: string; readonly runner: Runner }): readonly string[] {
  const { name, folder, runner } = options;
  if (existsSync(folder))
    throw new FirebreakError('FB_ERR_REFUSED', `${folder} already exists: choose another name, or remove it`);
  const files = filesOf(name, runner, folder);
  try {
    for (const [file, text] of Object.entries(files)) {
      ensureFolderSync(dirname(join(folder, file)));
      writeFileSync(join(folder, file), text);
    }
  } catch (error) {
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${folder} cannot be written: ${writeProblem(error)}`);
  }
  return Object.keys(files);
}

function filesOf(name: string, runner: Runner, folder: string): Readonly<Record<string, string>> {
  return {
    'package.json': `${JSON.stringify(manifest(name, runner, folder), null, 2)}\n`,
    'tsconfig.json': `${JSON.stringify(compilerOptions, null, 2)}\n`,
    '.gitignore': 'node_modules/\n*.tgz\n',
    'firebreak.pack.ts': packFile(name),
    'playbooks/miner.ts': playbook,
    'test/miner.test.ts': testFile(runner),
    'alerts/miner.json': `${JSON.stringify(alert, null, 2)}\n`,
    ...(runner === 'jest' && { 'jest.config.mjs': jestConfig }),
  };
}

/** The extra packages that each runner needs, and how to start it. Node strips the types itself, also for what Jest loads with `import()`. */
const byRunner: Readonly<Record<Runner, { readonly test: string; readonly packages: Readonly<Record<string, string>> }>> = {
  node: { test: 'node --test "test/**/*.test.ts"', packages: {} },
  jest: {
    test: 'node --experimental-vm-modules node_modules/jest/bin/jest.js',
    packages: { '@swc/core': '^1.16.22', '@swc/jest': '^0.2.39', jest: '^30.5.2' },
  },
  vitest: { test: 'vitest run', packages: { vitest: '^5.0.0' } },
};

function manifest(name: string, runner: Runner, folder: string) {
  const { test, packages } = byRunner[runner];
  const own = ownPackage();
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    files: ['firebreak.pack.ts', 'playbooks', 'actions', 'implementations'],
    scripts: { test, check: 'tsc -p . && firebreak pack check' },
    devDependencies: {
      '@types/node': own.types,
      ...packages,
      firebreak: sourceOfFirebreak(folder) ?? own.version,
      typescript: own.typescript,
    },
  };
}

/** The versions that this Firebreak is built with. */
function ownPackage(): { readonly version: string; readonly types: string; readonly typescript: string } {
  const { version, devDependencies: { '@types/node': types = '*', typescript = '*' } = {} } = JSON.parse(
    readFileSync(join(projectRoot(), 'package.json'), 'utf8'),
  ) as { readonly version: string; readonly devDependencies?: Readonly<Record<string, string>> };
  return { version, types, typescript };
}

/**
 * Where this Firebreak came from, for the pack's `package.json`: the tarball or folder that it was installed from, or the folder that it runs in. Undefined if
 * it came from a registry, which has its version, or if the source is unknown.
 */
function sourceOfFirebreak(pack: string): string | undefined {
  const root = projectRoot();
  const modules = dirname(root);
  // Only for a checkout, not for an installed package.
  if (basename(modules) !== 'node_modules') return existsSync(join(root, 'tsconfig.json')) ? fileFrom(pack, root) : undefined;
  try {
    // What npm installed last, and from where: paths relative to the folder that contains `node_modules`.
    const { packages }: InstalledPackages = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
    const { resolved = '', link = false } = packages?.['node_modules/firebreak'] ?? {};
    if (!link && !resolved.startsWith('file:')) return undefined;
    return fileFrom(pack, resolve(dirname(modules), resolved.replace(/^file:/, '')));
  } catch {
    return undefined;
  }
}

interface InstalledPackages {
  readonly packages?: Readonly<Record<string, { readonly resolved?: string; readonly link?: boolean }>>;
}

function fileFrom(pack: string, path: string): string {
  return `file:${relative(pack, path).split(sep).join(posix.sep)}`;
}

const compilerOptions = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  },
  include: ['firebreak.pack.ts', 'playbooks', 'actions', 'implementations', 'test'],
};

const jestConfig = `/** Modules stay modules, and types are taken off. */
export default {
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\\\.ts$': '@swc/jest' },
};
`;

function packFile(name: string): string {
  return `import { definePack } from 'firebreak/playbook';
import { miner } from './playbooks/miner.ts';

export default definePack({ name: '${name}', version: '0.1.0', playbooks: [miner] });
`;
}

const playbook = `import { openTicket, quarantinePod, snapshotPodState } from 'firebreak/actions';
import { definePlaybook, param } from 'firebreak/playbook';

export const miner = definePlaybook(
  {
    id: 'miner',
    title: 'Cut off a pod that mines, and ask what it is',
    on: {
      match: { rule: 'Detect outbound connections to common miner pool ports' },
      minSeverity: 'low',
      requires: ['pod'],
    },
    // Whether the pod is cut off at once, Firebreak decides for each alert, and does it: see \`firebreak docs assessment\`.
    contains: 'pod',
    params: { lease: param.duration('4h', { about: 'How long a pod that people cut off stays so before they are asked again.' }) },
    uses: { quarantinePod, snapshotPodState, openTicket },
    levels: [{ group: 'oncall', within: '15m' }],
  },
  async ({ alert, containment, steps, ask, settle, verdict, params }) => {
    const { pod, title } = alert;
    const question = \`Is \${pod.name} meant to mine?\`;
    // Evidence is kept while the pod is being cut off: it may be gone in a minute. What is settled throws nothing, so people are asked
    // also where the pod could not be cut off.
    const { contained } = await settle({
      contained: containment ?? Promise.resolve(undefined),
      evidence: steps.snapshotPodState({ pod }),
    });
    let quarantine = contained.ok ? contained.value : undefined;
    if (!quarantine) {
      const answer = await ask({
        question,
        choices: { expected: 'Yes', quarantine: 'No, cut it off' },
        plan: { quarantine: await steps.quarantinePod.plan({ pod }) },
        harmless: ['expected'],
        onSilence: 'The pod goes on running. A ticket is opened.',
        // A worse alert may have the pod cut off meanwhile: then another question is the right one.
        untilContained: true,
      });
      if (answer.choice === 'expected') {
        verdict('benign', \`expected, said \${answer.by.join(' and ')}\`);
        return;
      }
      if (answer.choice === 'quarantine') {
        verdict('true_positive', \`not expected, said \${answer.by.join(' and ')}\`);
        await steps.quarantinePod({ pod, lease: params.lease }, answer.approval);
      }
      if (answer.choice === 'contained') quarantine = answer.containment;
    }
    if (quarantine) {
      const answer = await ask({
        question,
        choices: { release: 'Yes', keep: 'No, leave it cut off' },
        plan: { release: await steps.quarantinePod.undo.plan(quarantine) },
        onSilence: 'The pod stays quarantined. A ticket is opened.',
      });
      if (answer.choice === 'release') {
        await steps.quarantinePod.undo(quarantine, answer.approval);
        verdict('benign', \`expected, said \${answer.by.join(' and ')}\`);
        return;
      }
      if (answer.choice === 'keep') verdict('true_positive', \`not expected, said \${answer.by.join(' and ')}\`);
    }
    await steps.openTicket({ title: \`\${pod.name} mines\`, body: title, labels: ['firebreak'] });
  },
);
`;

const imports: Readonly<Record<Runner, string>> = {
  node: "import { test } from 'node:test';",
  jest: "import { test } from '@jest/globals';",
  vitest: "import { test } from 'vitest';",
};

function testFile(runner: Runner): string {
  return `import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
${imports[runner]}
import { decodeAlerts, sampleAlert } from 'firebreak/alerts';
import { everyAnswer, simulate } from 'firebreak/testing';
import { miner } from '../playbooks/miner.ts';

const alerts = decodeAlerts(readFileSync(new URL('../alerts/miner.json', import.meta.url), 'utf8'));

test('a pod that is cut off at once: whatever people answer, nothing is left open', async () => {
  for (const alert of alerts) {
    const { answers, problems } = await everyAnswer(miner, alert);
    assert.deepEqual(problems, []);
    assert.deepEqual(answers, [
      'release: quarantinePod, snapshotPodState, quarantinePod undone by oncall-1 and oncall-2; benign',
      'keep: quarantinePod, snapshotPodState, openTicket; true_positive; quarantinePod in force',
      'silence: quarantinePod, snapshotPodState, openTicket; quarantinePod in force',
    ]);
  }
});

test('a pod that is not cut off at once: people are asked first', async () => {
  for (const alert of alerts) {
    const { answers, problems } = await everyAnswer(miner, { ...alert, severity: 'medium' });
    assert.deepEqual(problems, []);
    assert.deepEqual(answers, [
      'expected: snapshotPodState; benign',
      'quarantine: snapshotPodState, quarantinePod by oncall-1, openTicket; true_positive; quarantinePod in force',
      'silence: snapshotPodState, openTicket',
    ]);
  }
});

test('cut off while people are asked: then they are asked what becomes of it', async () => {
  for (const alert of alerts) {
    const more = [{ after: '1m', alert: { ...alert, id: 'second' } }] as const;
    const { questions, steps } = await simulate(miner, { alert: { ...alert, severity: 'high' }, more, answer: () => undefined });
    assert.deepEqual(questions.map(({ answer }) => answer), ['void', 'silence']);
    assert.ok(steps.some(({ action }) => action === 'quarantinePod'));
  }
});

test('a shell is for another playbook', async () => {
  const { end } = await simulate(miner, { alert: sampleAlert('falco', 'Terminal shell in container', { severity: 'critical' }) });
  assert.equal(end, 'unmatched');
});
`;
}

/** In the format in which Falco sends it. */
const alert = {
  hostname: 'node-1',
  priority: 'Critical',
  rule: 'Detect outbound connections to common miner pool ports',
  source: 'syscall',
  tags: ['maturity_sandbox', 'host', 'container', 'network', 'mitre_impact', 'T1496'],
  time: '2026-06-01T10:00:00.000000001Z',
  output: '10:00:00.000000001: Critical Outbound connection to IP/Port flagged by cryptoioc.ch | port=3333 ip=203.0.113.9',
  output_fields: {
    'container.id': '46b9ca37a04f',
    'container.image.repository': 'registry.example.com/shop/cart',
    'container.name': 'cart',
    'fd.rip': '203.0.113.9',
    'fd.rport': 3333,
    'k8s.ns.name': 'shop',
    'k8s.pod.name': 'cart-5d4c9b7f6-x2x7k',
    'proc.cmdline': 'xmrig -o pool.example.net:3333',
    'proc.name': 'xmrig',
    'user.name': 'app',
  },
};
