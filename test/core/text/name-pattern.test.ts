import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyNameInCel, matchesAnyName } from '../../../core/text/name-pattern.ts';

describe('patterns of names', () => {
  it.each<[string[], string, boolean]>([
    [['shop'], 'shop', true],
    [['shop'], 'shop-web', false],
    [['shop-*'], 'shop-web', true],
    [['shop-*'], 'my-shop-web', false],
    [['*-system'], 'kube-system', true],
    [['a*b*c'], 'a-b-c', true],
    [['node.1*'], 'node-10', false],
    [['*'], 'anything', true],
    [[], 'anything', false],
  ])('%j and %s', (patterns, name, expected) => {
    expect(matchesAnyName(patterns, name)).toBe(expected);
  });

  it('mean the same in CEL', () => {
    expect(anyNameInCel('request.namespace', ['a', 'kube-*', 'b', 'x.*'])).toBe(
      "request.namespace in ['a', 'b'] || request.namespace.matches('^(kube-.*|x[.].*)$')",
    );
    const part = fc.stringMatching(/^[a-c.*-]{1,6}$/);
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), fc.stringMatching(/^[a-c.-]{1,8}$/), (patterns, name) => {
        const cel = anyNameInCel('n', patterns);
        const listed = /in \[(.*?)\](?: \|\||$)/.exec(cel)?.[1]?.split(', ').includes(`'${name}'`) ?? false;
        const expression = /matches\('(.*)'\)/.exec(cel)?.[1];
        expect(listed || (expression !== undefined && new RegExp(expression).test(name))).toBe(matchesAnyName(patterns, name));
      }),
    );
  });
});
