import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { onOneLine } from '../../../service/commands/alerts/alerts.ts';
import { Lines } from '../../../service/commands/lines.ts';

/** Accepts each write only when it is told to. */
class SlowReader extends Writable {
  readonly read: string[] = [];
  #taken: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
    this.read.push(chunk.toString());
    this.#taken = taken;
  }

  take(): void {
    this.#taken?.();
  }
}

describe('lines', () => {
  test('make the writer wait until they are read', async () => {
    const out = new SlowReader();
    const lines = new Lines({ out, error: new SlowReader() });
    expect(lines.add('out', 'one')).toBeUndefined();
    expect(lines.add('out', 'two')).toBeUndefined();
    expect(out.read).toEqual([]);
    let isRead = false;
    const wait = lines.flush()?.then(() => {
      isRead = true;
    });
    expect(out.read).toEqual(['one\ntwo\n']);
    await new Promise(setImmediate);
    expect(isRead).toBe(false);
    out.take();
    await wait;
    expect(isRead).toBe(true);
    expect(lines.flush()).toBeUndefined();
  });

  test('make the writer wait as soon as there is enough for a write', () => {
    const out = new SlowReader();
    const lines = new Lines({ out, error: new SlowReader() });
    const waits = Array.from({ length: 70 }, () => lines.add('out', 'x'.repeat(1_024)));
    expect(waits.filter((wait) => wait !== undefined)).toHaveLength(1);
    expect(out.read).toHaveLength(1);
  });

  test('of two streams keep their order', () => {
    const order: string[] = [];
    const stream = (name: string) =>
      new Writable({
        write(chunk: Buffer, _encoding, taken) {
          order.push(`${name} ${chunk.toString().trim()}`);
          taken();
        },
      });
    const lines = new Lines({ out: stream('out'), error: stream('error') });
    for (const [to, line] of [
      ['out', 'a'],
      ['error', 'b'],
      ['error', 'c'],
      ['out', 'd'],
    ] as const)
      lines.add(to, line);
    lines.flush();
    expect(order).toEqual(['out a', 'error b\nc', 'out d']);
  });

  test('do not wait for a reader that has gone', async () => {
    const out = new SlowReader();
    const lines = new Lines({ out, error: new SlowReader() });
    lines.add('out', 'one');
    const wait = lines.flush();
    out.destroy();
    await wait;
    lines.add('out', 'two');
    out.on('error', () => undefined);
    expect(lines.flush()).toBeUndefined();
  });
});

test.each([
  ['{"a": 1,\n\t"b" : [ 1 , 2 ]}', '{"a":1,"b":[1,2]}'],
  ['{"a b" : " c \\" d ", "e\\\\" : "\\\\\\" f"}', '{"a b":" c \\" d ","e\\\\":"\\\\\\" f"}'],
  ['  {"n": 1676925283242804701}  ', '{"n":1676925283242804701}'],
  ['"never closed ', '"never closed '],
  ['', ''],
])('%j without blanks between its parts is %j', (json, line) => expect(onOneLine(json)).toBe(line));
