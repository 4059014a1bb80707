import { describe, expect, test } from '@jest/globals';
import { type Installed, skewFindings } from '../../../service/skew/skew.ts';
import { fromIdentity, identityOf } from '../../../service/temporal/versions.ts';

const program = { version: '0.2.0', schema: 14, build: 'b'.repeat(16) };
const cell = { role: 'cell', version: '0.2.0', process: 'node-1/7', build: 'b'.repeat(16) } as const;
const desk = { role: 'desk', version: '0.2.0', process: 'node-2/7' } as const;
const temporal = { roles: [cell, desk], current: 'b'.repeat(16), open: new Map([['b'.repeat(16), 3]]) };
const found = (changes: Partial<Installed>) => skewFindings({ program, unasked: [], ...changes });

describe('what runs and is stored', () => {
  test('fits together if it is of one version, or was not asked', () => {
    expect(found({ database: { schema: 14, needs: 13 }, temporal })).toEqual([]);
    expect(found({})).toEqual([]);
  });

  test.each([
    [
      'a database that this program cannot work with',
      { database: { schema: 16, needs: 15 } },
      'broken',
      'needs programs that know schema 15',
    ],
    ['a newer database that it can', { database: { schema: 16, needs: 13 } }, 'passing', 'ignores what it does not know'],
    ['an older database', { database: { schema: 12, needs: 0 } }, 'passing', 'brings it to 14'],
    [
      'roles of two versions',
      { temporal: { ...temporal, roles: [cell, { ...desk, version: '0.1.0' }] } },
      'passing',
      '0.1.0 and 0.2.0',
    ],
    [
      'incidents of an older build',
      { temporal: { ...temporal, roles: [cell, { ...cell, build: 'a'.repeat(16) }], open: new Map([['a'.repeat(16), 1]]) } },
      'passing',
      '1 open workflow is on the build aaaaaaaaaaaaaaaa, an older one',
    ],
    [
      'incidents of a build that no cell runs',
      { temporal: { ...temporal, open: new Map([['a'.repeat(16), 2]]) } },
      'broken',
      'which no cell runs',
    ],
    [
      'two charts',
      {
        cluster: {
          resources: [],
          workloads: [
            { name: 'cell', image: 'i', chart: 'firebreak-0.1.0' },
            { name: 'desk', image: 'i', chart: 'firebreak-0.2.0' },
          ],
        },
      },
      'passing',
      'firebreak-0.1.0 and firebreak-0.2.0',
    ],
  ] as const)('names %s', (_, changes, kind, text) => {
    expect(found(changes)).toEqual([{ kind, text: expect.stringContaining(text) }]);
  });

  test('is identified by what a process calls itself, and by nothing else', () => {
    const said = identityOf({ version: '0.2.0-rc.1', host: 'cell-0', pid: 7 });
    expect(fromIdentity(said)).toEqual({ version: '0.2.0-rc.1', process: 'cell-0/7' });
    for (const role of ['cell/4f2a', 'secrets']) expect(fromIdentity(`${said}/${role}`)).toEqual(fromIdentity(said));
    expect(fromIdentity('somebody')).toEqual({ version: 'unknown', process: 'somebody' });
  });
});
