import { createContext, Script } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { packsPart } from '../../../service/temporal/bundle/bundle-stage.ts';
import { sourceMapOf } from '../../../service/temporal/bundle/loop-budget.ts';
import { withPacks } from '../../../service/temporal/bundle/packs-part.ts';

const main = 'firebreak.pack.ts';

function built(files: Readonly<Record<string, string>>, engine = '// the engine\n'): string {
  return withPacks(engine, [{ name: 'acme', main, files: new Map(Object.entries(files)) }]);
}

/** What an incident gets: each call is a different incident. */
function given(code: string): unknown {
  const context = createContext({ doors: { 'firebreak/playbook': { definePack: (pack: unknown) => pack } } });
  new Script(code).runInContext(context);
  return new Script(`JSON.stringify([${packsPart}(doors), ${packsPart}(doors)])`).runInContext(context);
}

describe('the packs of a build', () => {
  test('are created separately for each incident, with what their modules export to each other, even in a cycle', () => {
    const code = built({
      [main]: `import { definePack } from 'firebreak/playbook';
import { name } from './playbooks/names.ts';
import * as all from './playbooks/more.ts';
export default definePack({ name: name(), all: { ...all } });`,
      'playbooks/names.ts': `import { prefix } from './more.ts';
let calls = 0;
export const name = (): string => \`\${prefix}\${(calls += 1)}\`;`,
      'playbooks/more.ts': `import { name } from './names.ts';
export const prefix = 'miner-';
export const later = (): string => name();
export { name as renamed } from './names.ts';`,
    });
    const pack = { name: 'miner-1', all: { prefix: 'miner-' } };
    expect(given(code)).toBe(JSON.stringify([[pack], [pack]]));
  });

  test('keep the file and line of what their authors wrote, and the engine keeps its own', () => {
    const code = built({
      [main]: 'type A = {\n  readonly a: string;\n};\nexport default (): A => {\n  throw new Error();\n};\n',
    });
    const lines = code.split('\n');
    const at = lines.findIndex((line) => line.includes('throw new Error'));
    const entry = sourceMapOf(code)?.findEntry(at, (lines[at] ?? '').indexOf('throw'));
    expect(entry).toMatchObject({ originalSource: main, originalLine: 4 });
    // When it is built upon a build, the lines of the first one are still there.
    const twice = withPacks(code, []);
    expect(sourceMapOf(twice)?.findEntry(at, (lines[at] ?? '').indexOf('throw'))).toMatchObject({ originalSource: main });
  });

  test('count their turns', () => {
    const code = built({ [main]: 'export default () => {\n  for (;;) {\n  }\n};\n' });
    expect(code).toContain(`firebreakTurn?.("${main}:2", 1)`);
  });

  test.each([
    ['import fs from "node:fs";', `${main}:1: a playbook cannot import node:fs`],
    ["\nexport * from './gone.ts';", `${main}:2: a playbook cannot import ./gone.ts`],
    ['export default /^(\\w+\\s?)+$/i;', `${main}:1: /^(\\w+\\s?)+$/i may run forever`],
    ['export default (', `${main}: it cannot be read`],
  ])('are refused with %s', (source, words) => {
    expect(() => built({ [main]: source })).toThrow(words);
  });

  test('are the same when built from the same files', () => {
    const files = { [main]: 'export default 1;\n' };
    expect(built(files)).toBe(built(files));
    expect(built(files, 'other\n')).not.toBe(built(files));
  });
});
