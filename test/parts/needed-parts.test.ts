import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { projectRoot } from '../../service/process/project-root.ts';
import { suites, testFiles } from '../suites.mjs';
import { type NeededPart, neededParts, partsFor, prepareParts } from './needed-parts.ts';

const root = projectRoot();
const part = (name: string, more: Partial<NeededPart> = {}): NeededPart => ({
  name,
  seconds: 1,
  through: [],
  with: [],
  make: async () => {},
  ...more,
});
const later = Date.now() + 3_600_000;
const prepare = (parts: readonly { readonly part: NeededPart; readonly files: readonly string[] }[], more = {}) => {
  const said: string[] = [];
  const options = { parts, say: (line: string) => void said.push(line), until: later, signal: new AbortController().signal };
  return prepareParts({ ...options, ...more }).then((failures) => ({ failures: Object.fromEntries(failures), said }));
};

describe('the parts that a run needs', () => {
  const tree = mkdtempSync(join(tmpdir(), 'firebreak-needed-'));
  afterAll(() => rmSync(tree, { recursive: true, force: true }));
  const sources = {
    'test/core/direct.test.ts': "import { start } from '../../tools/broker.ts';",
    'test/core/indirect.test.ts': "import {\n  one,\n  two,\n} from '../helper.ts';",
    'test/core/late.test.ts': "const { start } = await import('../../tools/broker.ts');",
    'test/core/type.test.ts': "import type { Broker } from '../../tools/broker.ts';",
    'test/core/none.test.ts': "import { join } from 'node:path';",
    'test/helper.ts': "export { start } from '../tools/broker.ts';",
  };
  for (const [file, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), `${text}\n`);
  }
  const files = Object.keys(sources).filter((file) => file.endsWith('.test.ts'));
  const of = (parts: readonly NeededPart[], name = 'unit') =>
    partsFor({ root: tree, wanted: [{ suite: { name }, files }], parts });

  it('are those that its files import, also through other files, but not as a type', () => {
    const [broker] = of([part('broker', { through: ['tools/broker.ts'] })]);
    expect(broker?.files).toEqual(['test/core/direct.test.ts', 'test/core/indirect.test.ts', 'test/core/late.test.ts']);
  });

  it('are those of its suites, and no others, cheapest first', () => {
    const parts = [
      part('dear', { seconds: 9, suites: ['unit'] }),
      part('cheap', { suites: ['unit'] }),
      part('x', { suites: ['y'] }),
    ];
    expect(of(parts).map(({ part: { name } }) => name)).toEqual(['cheap', 'dear']);
    expect(of(parts, 'y').map(({ part: { name } }) => name)).toEqual(['x']);
  });

  it('include everything that anything builds or fetches for tests', () => {
    const through = new Set(neededParts.flatMap((one) => one.through));
    const makers = ['tools', 'test'].flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('node_modules'))
        .map((file) => join(room, file))
        .filter((file) => /\b(goProgram|pythonProgram|cachedPart)\(/.test(readFileSync(join(root, file), 'utf8'))),
    );
    expect(makers.filter((file) => !through.has(file)).sort()).toEqual([
      // Made from this checkout, in seconds.
      'test/package.ts',
      'test/tools/install-once.ts',
      'test/workflows/bundle.ts',
      // The layers of the image, which are fetched for the one file that uses them.
      'tools/image/base.ts',
      'tools/image/modules.ts',
      // Small programs without modules of others.
      'tools/image/tools-image.ts',
      // Only on request: FIREBREAK_TEST_ARGO_CD, FIREBREAK_TEST_FLUX.
      'tools/platform/gitops/argo-cd.ts',
      'tools/platform/gitops/flux-controller.ts',
      'tools/platform/go-program.ts',
      'tools/platform/nodes/program-image.ts',
      // Its programs belong to a suite, not to a file.
      'tools/platform/nodes/programs.ts',
    ]);
  });

  it('are each needed by a file that exists', () => {
    const wanted = suites.map((suite) => ({ suite, files: testFiles({ root, suite, filters: [] }) }));
    expect(partsFor({ root, wanted }).map((one) => one.part.name)).toEqual(
      neededParts.toSorted((a, b) => a.seconds - b.seconds).map(({ name }) => name),
    );
  });
});

describe('preparing parts', () => {
  it('builds one after the other', async () => {
    const order: string[] = [];
    const slow = (name: string) =>
      part(name, {
        make: async () => {
          order.push(`${name} begins`);
          await new Promise((resolve) => setImmediate(resolve));
          order.push(`${name} ends`);
        },
      });
    await prepare([slow('one'), slow('two')].map((one) => ({ part: one, files: [] })));
    expect(order).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
  });

  it('fails only the files whose part could not be had, and makes the others', async () => {
    const broken = part('Kafka', { make: () => Promise.reject(new Error('Maven did not deliver it')) });
    let made = false;
    const other = part('Helm', {
      make: async () => {
        made = true;
      },
    });
    const { failures } = await prepare([
      { part: broken, files: ['a.test.ts'] },
      { part: other, files: ['b.test.ts'] },
    ]);
    expect(failures).toEqual({ 'a.test.ts': 'Kafka could not be had: Maven did not deliver it' });
    expect(made).toBe(true);
  });

  it('leaves a part to its tests if this machine lacks what makes it', async () => {
    const make = () => Promise.reject(new Error('must not be tried'));
    const { failures, said } = await prepare([
      { part: part('Kafka', { with: ['no-such-program'], make }), files: ['a.test.ts'] },
    ]);
    expect(failures).toEqual({});
    expect(said).toEqual([expect.stringContaining('no-such-program is not on PATH')]);
  });

  it.each([
    ['the time is over', { until: 0 }, 'the time for the whole run was over'],
    ['the run is interrupted', { signal: AbortSignal.abort() }, 'the run was interrupted'],
  ])('does not wait for a build when %s', async (_, more, why) => {
    const endless = part('Prometheus', { make: () => new Promise(() => {}) });
    const { failures } = await prepare([{ part: endless, files: ['a.test.ts'] }], more);
    expect(failures).toEqual({ 'a.test.ts': `Prometheus could not be had: ${why}` });
  });
});
