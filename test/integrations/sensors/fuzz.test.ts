import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Alert } from '../../../core/alert/alert.ts';
import { type Decoded, withConfiguredSeverity } from '../../../core/alert/sensor.ts';
import { severities } from '../../../core/alert/severity.ts';
import { recognise, sensors } from '../../../integrations/sensors/index.ts';
import { parseAlerts } from '../../../service/intake/read/parse.ts';
import { cpuMsSince } from '../../cpu-time.ts';

const root = join(import.meta.dirname, '../../fixtures/alerts');
const texts = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json') && !file.includes('huge'))
  .map((file) => readFileSync(join(root, file), 'utf8'));
const values: readonly unknown[] = texts.map((text) => JSON.parse(text));

const odd = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom<unknown>(
    '<NA>',
    'host',
    '',
    null,
    {},
    [],
    -1,
    2 ** 63,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '\u202Egpj.exe',
    '\uD800',
  ),
  fc.constant('a'.repeat(100_000)),
  fc.constant(JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')),
);

/** The value with some of its parts replaced, removed, or wrapped. */
function mutate(value: unknown, choose: () => number, replacement: () => unknown): unknown {
  const roll = choose();
  if (roll < 4) return replacement();
  if (Array.isArray(value)) return value.map((item) => mutate(item, choose, replacement));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, field]): [string, unknown][] => {
    const fate = choose();
    if (fate === 99) return [];
    if (fate === 98)
      return [
        [key, field],
        ['__proto__', replacement()],
      ];
    return [[key, mutate(field, choose, replacement)]];
  });
  return Object.fromEntries(entries);
}

const mutated = fc
  .record({
    base: fc.constantFrom(...values),
    rolls: fc.array(fc.nat({ max: 99 }), { minLength: 16, maxLength: 64 }),
    replacements: fc.array(odd, { minLength: 1, maxLength: 6 }),
  })
  .map(({ base, rolls, replacements }) => {
    let at = 0;
    const next = <T>(list: readonly T[]): T => list[at++ % list.length] as T;
    return mutate(
      base,
      () => next(rolls),
      () => next(replacements),
    );
  });

function expectSound(decoded: readonly Decoded[]): void {
  // Once for all of them: a matcher for each takes a fifth of the processor time here.
  expect(decoded.flatMap((item) => faultsOf(item).map((fault) => ({ fault, item })))).toEqual([]);
}

function faultsOf(item: Decoded): readonly string[] {
  const text = JSON.stringify(item);
  const sound = {
    'well-formed': text.isWellFormed(),
    short: text.length < 64_000,
    ...(item.kind === 'alert' && soundAlert(item.alert, text)),
  };
  return Object.entries(sound).flatMap(([name, isSo]) => (isSo ? [] : [`not ${name}`]));
}

function soundAlert(alert: Alert, text: string) {
  return {
    'an id': /^[0-9a-f]{32}$/.test(alert.id),
    'a severity': severities.includes(alert.severity),
    'a time': !Number.isNaN(Date.parse(alert.time)),
    named: [alert.rule, alert.title, alert.sensor].every((field) => typeof field === 'string' && field !== ''),
    'of its cluster': alert.cluster === 'lab',
    'without empty fields': !/":(?:null|""|"<NA>"|\{\})/.test(text),
    'a pod’s name': alert.pod === undefined || /^[a-z0-9][a-z0-9.-]*$/.test(alert.pod.name),
    'few observables': alert.observables.length <= 32,
    'of the configured severity':
      withConfiguredSeverity(alert, { [alert.sensor]: { severities: { '*': 'low' } } }).severity === 'low',
  };
}

describe.each(sensors.map((sensor) => [sensor.name, sensor] as const))('%s', (_name, sensor) => {
  test('reads anything, or says why not, and pollutes no prototype', () => {
    fc.assert(
      fc.property(fc.oneof(mutated, odd), (value) => {
        sensor.detect(value);
        sensor.listIn?.(value);
        expectSound(sensor.decode(value, { cluster: 'lab' }));
        const found = recognise(value, sensor);
        if (found) expectSound(found.sensor.decode(found.value, { cluster: 'lab' }));
      }),
      { numRuns: 400 },
    );
    expect(({} as { polluted?: true }).polluted).toBeUndefined();
    expect(([] as { polluted?: true }).polluted).toBeUndefined();
  });
});

describe('a whole body', () => {
  test('of arbitrary bytes is read as fast as any other, item by item', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(fc.constantFrom(...texts), fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([text, place, bytes]) => {
        const body = Buffer.from(text);
        body.set(bytes.subarray(0, body.length), place % Math.max(1, body.length - bytes.length));
        return body;
      }),
      fc.array(mutated, { maxLength: 4 }).map((list) => Buffer.from(JSON.stringify(list))),
      mutated.map((value) => Buffer.from(JSON.stringify({ log: JSON.stringify(value) ?? '' }))),
    );
    let longest = { ms: 0, body: '' };
    let allMs = 0;
    fc.assert(
      fc.property(noise, (bytes) => {
        const started = process.cpuUsage();
        const parsed = parseAlerts(bytes, { cluster: 'lab' });
        if (parsed.ok) expectSound(parsed.items.map(({ raw: _raw, ...item }) => item));
        const ms = cpuMsSince(started);
        allMs += ms;
        if (ms > longest.ms) longest = { ms, body: Buffer.from(bytes).toString('base64') };
      }),
      { numRuns: 2_000 },
    );
    // One in two thousand; a body that takes more than linear time to read takes longer than all others together.
    expect({ ...longest, isLong: longest.ms > allMs / 4 }).toEqual({ ...longest, isLong: false });
  });

  test.each([
    ['slashes', '/'.repeat(900_000)],
    ['dots', 'a.'.repeat(450_000)],
    ['at signs', '@'.repeat(900_000)],
    ['spaces', ' '.repeat(900_000)],
    ['quotes', '\\"'.repeat(200_000)],
    ['digits', '1'.repeat(900_000)],
    ['schemes', 'a://'.repeat(200_000)],
    ['brackets', '['.repeat(900_000)],
  ])('with a text of nothing but %s is read in roughly linear time', (_what, nasty) => {
    for (const value of values) {
      const msFor = (part: string): number => {
        const text = JSON.stringify(value).replaceAll(/"(?:\/bin\/sleep 1|\/usr\/bin\/curl|execve clone|sh|strace|x)"/g, () =>
          JSON.stringify(part),
        );
        const started = process.cpuUsage();
        parseAlerts(Buffer.from(text), { cluster: 'lab' });
        return cpuMsSince(started);
      };
      const tenth = nasty.slice(0, nasty.length / 10);
      msFor(tenth);
      // Quadratic work takes a hundred times as long. Anything below a tenth of a millisecond cannot be measured.
      expect(msFor(nasty)).toBeLessThan(50 * Math.max(Math.min(msFor(tenth), msFor(tenth)), 10));
    }
  });
});
