import { expect, test } from '@jest/globals';
import { parse } from 'acorn';
import { packOf } from '../../../service/packs/pack-files.ts';
import { packFaults } from '../../../service/packs/pack-rules.ts';
import { freeNames } from '../../../service/packs/scopes.ts';
import { nameOf } from '../../../service/packs/syntax.ts';

const free = (code: string): readonly (string | undefined)[] =>
  [...freeNames(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }))].map(nameOf);

/** Code in which `it` is declared somewhere, and how often it is used where that does not count. */
test.each<[string, string, number]>([
  ['a parameter', 'function f(it) { it; } it;', 1],
  ['a parameter of an arrow function', 'const f = (it) => it; it;', 1],
  ['a parameter with a default', 'const f = (a = it, it = 1) => a; const g = (it = 1, a = it) => a;', 0],
  ['a default before the body’s own name', 'function f(a = it) { var it; return a; }', 1],
  ['a pattern', 'function f({ a: [it], ...rest }) { it; rest; } it;', 1],
  ['the default of a pattern', 'const { a = it } = {}; const [b = it] = [];', 2],
  ['the key of a pattern', 'const { [it]: a } = {}; const { it: b } = {};', 1],
  ['a shorthand', 'const a = { it };', 1],
  ['a shorthand pattern', 'const { it } = {}; it;', 0],
  ['a pattern that assigns', '({ a: it } = {}); [it] = [];', 2],
  ['let in a block', '{ let it; it; } it;', 1],
  ['const in a loop', 'for (const it of []) it; for (const it in {}) it; for (let it = 0; it; ) it; it;', 1],
  ['var in a block', 'function f() { it; if (1) { for (;;) { var it; } } } it;', 1],
  ['var in an inner function', 'function f() { function g() { var it; it; } it; }', 1],
  ['var at the end of the module', 'it; { var it; }', 0],
  ['a function in a block', '{ it(); function it() {} } it;', 1],
  ['the name of a function expression', 'const f = function it() { it; }; it;', 1],
  ['the name of a function', 'it; function it() {}', 0],
  ['the name of a class', '{ class it { a = it; } it; } it;', 1],
  ['the name of a class expression', 'const a = class it extends it { static { it; } }; it;', 1],
  ['a name in a static block', 'class A { static { var it; let b; it; b; } } it; b;', 1],
  ['what is caught', 'try { } catch (it) { it; } it;', 1],
  ['a pattern that is caught', 'try { } catch ({ message: it }) { it; } finally { it; }', 1],
  ['a case', 'switch (it) { case 1: let it; default: it; }', 0],
  ['a label', 'it: for (;;) { break it; continue it; }', 0],
  ['a property', 'const a = {}; a.it; a?.it; a[it]; ({ it: 1, it() {}, [it]: 2 }); class B { it = 1; it() {} static it; }', 2],
  ['a name of a type of operator', 'typeof it; delete a.it; void it; it?.a;', 3],
  ['an import', "import it, { it as one } from 'a'; import * as two from 'b'; it; one; two;", 0],
  ['an export', "const a = 1; export { a as it }; export { it as b } from 'c'; export * as c from 'd';", 0],
  ['a template', 'const a = `$' + '{it}`; a`$' + '{it}`;', 2],
  ['a private name', 'class A { #it = 1; a() { return this.#it; } }', 0],
])('%s frees a name only where it is declared', (_, code, uses) => {
  expect(free(code).filter((name) => name === 'it')).toHaveLength(uses);
});

test('a function that is no arrow has arguments, and a module does not', () => {
  expect(free('function f() { return () => arguments; } const g = () => arguments;')).toEqual(['arguments']);
});

const faults = (code: string): readonly string[] =>
  packFaults(packOf(new Map([['firebreak.pack.js', Buffer.from(code)]]), 'it')).map(({ problem }) => problem);

test.each([
  ['const f = (globalThis) => globalThis; f(1); globalThis.process;', /^globalThis reaches/],
  ['function f(a = globalThis) { var globalThis; return a; }', /^globalThis reaches/],
  ['{ let process; } process;', /^process depends/],
  ['const a = class Function {}; Function("x");', /^Function makes code/],
  ['const a = { globalThis };', /^globalThis reaches/],
  ['typeof globalThis;', /^globalThis reaches/],
  ['globalThis: for (;;) { break globalThis; } eval("1");', /^eval runs/],
  ['try { } catch (Date) { } Date.now();', /^Date\.now reads/],
  ['const f = (Date) => 1; new Date();', /^new Date\(\) reads/],
  ["Math['random']();", /^Math\.random is/],
  ['(() => {}).constructor("return this")();', /^constructor reaches/],
  ["(() => {})['constructor']('return this')();", /^constructor reaches/],
  ['const { constructor: F } = () => {};', /^constructor reaches/],
  ['({ "constructor": globalName.a } = () => {});', /^constructor reaches/],
  ['const a = ({}).__proto__;', /^__proto__ reaches/],
  ['global.process;', /^global is Node’s/],
  ['Buffer.from("");', /^Buffer is Node’s/],
  ['with (a) { globalThis; }', /^it cannot be read/],
])('a pack with %s is refused', (code, says) => {
  expect(faults(code)).toEqual([expect.stringMatching(says)]);
});

test.each([
  'const f = ({ process, fetch = 1 }) => process + fetch;',
  'function setTimeout(Date) { return Date.now() + new Date(); }',
  'class A { constructor() { this.process = 1; } fetch() { return this.process; } }',
  'const a = { process: 1, eval: 2 }; a.process; a.eval;',
  'import { process } from "firebreak/playbook"; process;',
  'eval: for (;;) break eval;'.replaceAll('eval', 'require'),
])('a pack with %s is the author’s own', (code) => {
  expect(faults(code)).toEqual([]);
});
