import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { resultsFolder } from '../../bench/report.ts';
import { benchmarks } from '../../bench/run/benchmarks.ts';
import { helpText, readOptions } from '../../bench/run/options.ts';
import { waitForRest } from '../../bench/run/rest.ts';
import { started } from '../../bench/run/started.ts';
import { projectRoot } from '../../service/process/project-root.ts';

const bench = join(projectRoot(), 'bench');

describe('npm run bench', () => {
  test('lists every benchmark in its help, a line each', () => {
    const lines = helpText().split('\n');
    for (const { file, measures } of benchmarks) {
      const name = file.split('/').at(-1) ?? '';
      expect(lines.filter((line) => line.trim().startsWith(`${name} `) && line.includes(measures))).toHaveLength(1);
    }
  });

  test('has each benchmark of the folder in its list', () => {
    const files = ['', 'playbooks/', 'records/'].flatMap((folder) =>
      readdirSync(join(bench, folder))
        .filter((name) => name.endsWith('.ts') && readFileSync(join(bench, folder, name), 'utf8').includes('writeResult({'))
        .map((name) => `${folder}${name.replace('.ts', '')}`),
    );
    for (const file of files) expect(benchmarks.map((one) => one.file)).toContain(file);
    for (const { file } of benchmarks) expect(existsSync(join(bench, `${file}.ts`))).toBe(true);
  });

  test('shortens each benchmark by sizes that its code reads', () => {
    const sources = new Map(benchmarks.map(({ file }) => [file, sourceOf(`${file}.ts`, new Set())]));
    for (const { file, short } of benchmarks)
      for (const name of Object.keys(short)) expect([file, sources.get(file)?.includes(`env.${name}`)]).toEqual([file, true]);
  });

  test('keeps the result of a short form out of the repository', () => {
    expect(resultsFolder({})).toBe(join(bench, 'results'));
    for (const { short } of benchmarks) expect(resultsFolder({ ...short, BENCH_SHORT: '1' })).not.toContain(bench);
  });

  test('reads names, the short form and how long to wait', () => {
    const chosen = readOptions(['--short', '--rest', '5', 'matcher', 'console:postgres']);
    expect(chosen).toMatchObject({
      does: 'measure',
      isShort: true,
      restSeconds: 5,
      chosen: [
        { benchmark: { file: 'matcher' }, on: undefined },
        { benchmark: { file: 'console' }, on: 'postgres' },
      ],
    });
    expect(readOptions([])).toMatchObject({ restSeconds: 60, isShort: false });
    expect(readOptions(['-h', 'no-such'])).toEqual({ does: 'help' });
  });

  test.each([
    [['no-such'], 'no-such'],
    [['--fast'], '--fast'],
    [['--rest', 'soon'], 'soon'],
  ])('refuses %j, and says why', (args, why) => {
    expect(readOptions(args)).toEqual({ does: 'refuse', why: expect.stringContaining(why) });
  });
});

describe('the wait for a quiet machine', () => {
  /** A machine whose cores are busy for this share of each second. */
  function machine(shares: readonly number[]) {
    const [said, at] = [[] as string[], { busy: 0, all: 0, second: 0 }];
    return {
      said,
      seconds: () => at.second,
      surroundings: {
        ticks: () => ({ busy: at.busy, all: at.all }),
        say: (line: string) => said.push(line),
        sleep: async () => {
          at.busy += 2_000 * (shares[at.second] ?? shares.at(-1) ?? 0);
          at.all += 2_000;
          at.second += 1;
        },
      },
    };
  }

  test('ends once other programs have left the cores alone for three seconds', async () => {
    const { surroundings, seconds, said } = machine([0.9, 0.05, 0.5, 0.05, 0.05, 0.05]);
    expect(await waitForRest(60, surroundings)).toBe('the machine was quiet before it');
    expect(seconds()).toBe(6);
    expect(said[0]).toContain('at most 60 s');
  });

  test('goes on after the stated time, and says so in the result', async () => {
    const { surroundings, seconds, said } = machine([0.8]);
    const result = await waitForRest(60, surroundings);
    expect(result).toBe('the machine was not quiet after 60 s: other programs used 80 % of the cores');
    expect(seconds()).toBe(60);
    expect(said.at(-1)).toContain(result);
  });
});

test('a benchmark that prints nothing is reported as at work', async () => {
  let text = '';
  const out = new Writable({
    write: (data, _, done) => {
      text += String(data);
      done();
    },
  });
  const program = "setTimeout(() => console.log('result'), 2_000)";
  const done = started({ name: 'slow', args: ['-e', program], env: process.env, out, silenceMs: { first: 1, later: 500 } });
  expect(await done).toBe(true);
  expect(text).toMatch(/^ {2}slow: still at work, 0 s so far\n(?:.*\n)*result\n$/);
  expect(await started({ name: 'bad', args: ['-e', 'process.exit(3)'], env: process.env, out })).toBe(false);
});

/** A file of the bench, with those of the bench that it imports. */
function sourceOf(file: string, seen: Set<string>): string {
  if (seen.has(file)) return '';
  seen.add(file);
  const text = readFileSync(join(bench, file), 'utf8');
  const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, path]) => join(file, '..', path ?? ''));
  return (
    text +
    imports
      .filter((path) => !path.startsWith('..'))
      .map((path) => sourceOf(path, seen))
      .join('')
  );
}
