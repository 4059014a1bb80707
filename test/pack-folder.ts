import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ReleaseStatement } from '../core/playbook/release.ts';
import { declarationsIn, describePack } from '../service/packs/describe.ts';
import type { PackFiles } from '../service/packs/pack-files.ts';

/** A pack with one playbook, which quarantines a miner for as long as its parameter says. */
export const acmeFiles: Readonly<Record<string, string>> = {
  'package.json': '{ "name": "acme-playbooks", "version": "1.0.0", "type": "module" }\n',
  'firebreak.pack.ts': `import { definePack } from 'firebreak/playbook';
import { miner } from './playbooks/miner.ts';

export default definePack({ name: 'acme', version: '1.0.0', playbooks: [miner] });
`,
  'playbooks/miner.ts': `import { quarantinePod } from 'firebreak/actions';
import { definePlaybook, param } from 'firebreak/playbook';
import { saying } from '../saying.ts';

export const miner = definePlaybook(
  {
    id: 'miner',
    title: 'Cut off a pod that mines',
    on: { match: { rule: 'Detect crypto miners' }, minSeverity: 'high', requires: ['pod'] },
    params: { lease: param.duration('4h'), group: param.group('oncall') },
    uses: { quarantinePod },
  },
  async ({ alert, steps, note, params }) => {
    note(saying(params.lease));
    await steps.quarantinePod({ pod: alert.pod, lease: params.lease });
  },
);
`,
  'saying.ts': `export function saying(lease: string): string {
  return \`for \${lease}\`;
}
`,
  'test/miner.test.ts': '// no part of what is built\n',
};

/** Writes the files of a pack; skips undefined ones. */
export function writePackFolder(folder: string, files: Readonly<Record<string, string | undefined>> = acmeFiles): string {
  const [version] = /(?<=version: ')[^']+/.exec(files['firebreak.pack.ts'] ?? '') ?? [];
  for (const [file, written] of Object.entries(files)) {
    if (written === undefined) continue;
    // Tests change the pack's version alone.
    const text = file === 'package.json' && version ? written.replace(/(?<="version": ")1\.0\.0/, version) : written;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

/** Cached descriptions of packs: the same code always gives the same one, and the process that produces it takes a third of a second. */
const told = new Map<string, ReturnType<typeof describePack>>();

function described(pack: PackFiles): ReturnType<typeof describePack> {
  const known = told.get(pack.integrity) ?? describePack(pack);
  told.set(pack.integrity, known);
  return known;
}

/** What a publisher signs for a pack, except the build, which no test that uses this needs. */
export function statementOf(pack: PackFiles, changed: Partial<ReleaseStatement> = {}): ReleaseStatement {
  const { integrity, main } = pack;
  const { pack: said, raw } = described(pack);
  const { name, version } = said;
  const builtWith = { firebreak: '0.1.0', build: '0123456789abcdef' };
  return {
    format: 1,
    pack: name,
    version,
    integrity,
    main,
    builtWith,
    ...declarationsIn(raw),
    rights: [],
    replayed: { golden: 0, incidents: 0 },
    at: '2026-11-27T12:00:00.000Z',
    ...changed,
  };
}
