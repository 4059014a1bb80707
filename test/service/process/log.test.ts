import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { projectRoot } from '../../../service/process/project-root.ts';

/** The lines that a separate process logs for these calls. */
function logged(format: 'json' | 'text', calls: string): readonly string[] {
  const program = `import { createLog } from ${JSON.stringify(join(projectRoot(), 'service/process/log.ts'))};
const log = createLog({ log: { level: 'info', format: '${format}' } });
${calls}`;
  const { stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program],
    {
      encoding: 'utf8',
    },
  );
  return stderr.split('\n').slice(0, -1);
}

const forged = String.raw`log.warn({ pod: 'cart\n12:00:00.000 info  all is well', reason: 'x admin=yes \u{1b}[2J\u{202e}\u{e0041}' }, 'refused\nsaid\u{9b}');
log.info({ incident: 'incident/lab/shop', count: 3 }, 'done');`;

test('a line of text is one line, and no part of it controls a terminal or passes for another field', () => {
  const [first, second, ...more] = logged('text', forged);
  expect(more).toEqual([]);
  expect(first).toMatch(/^[\x20-\x7e]+$/);
  expect(first).toContain(
    String.raw`refused\u{a}said\u{9b} pod="cart\n12:00:00.000 info  all is well" reason="x admin=yes \u001b[2J\u202e`,
  );
  expect(second).toMatch(/ info {2}done incident=incident\/lab\/shop count=3$/);
});

test('a line of JSON says the same, in characters that do not control a terminal', () => {
  const [first, second, ...more] = logged('json', forged);
  expect(more).toEqual([]);
  expect(first).toMatch(/^[\x20-\x7e]+$/);
  expect(JSON.parse(first ?? '')).toMatchObject({
    level: 'warn',
    reason: 'x admin=yes \u{1b}[2J\u{202e}\u{e0041}',
    msg: 'refused\nsaid\u{9b}',
  });
  expect(JSON.parse(second ?? '')).toMatchObject({ incident: 'incident/lab/shop', count: 3, msg: 'done' });
});

test.each(['json', 'text'] as const)('a field that can hold a secret is hidden at any depth, in %s', (format) => {
  const secrets = `log.info({ slack: { botToken: 'xoxb-1' }, call: { request: { headers: { a: 'bearer-2' } } }, password: 'three' }, 'sent');
log.info({ said: 'he wrote "token": and no more', count: { tokens: 4 } }, 'heard');`;
  const [first = '', second = '', ...more] = logged(format, secrets);
  expect(more).toEqual([]);
  expect(first).not.toMatch(/xoxb-1|bearer-2|three/);
  expect(first.match(/\[hidden\]/g)).toHaveLength(3);
  expect(first).toContain('sent');
  expect(second).toContain('"tokens":4');
  expect(second).toContain('and no more');
  expect(second).not.toContain('hidden');
});
