import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { projectRoot } from '../../../service/process/project-root.ts';
import { contractFaults, problemsOf } from '../../../tools/docs/contract.ts';

const before = readFileSync(join(projectRoot(), 'test', 'fixtures', 'releases', 'last.contract.d.ts'), 'utf8');

/** The contract with one type changed; the type must exist in it. */
function changed(contract: string, from: string, to: string): string {
  expect(contract).toContain(from);
  return contract.replace(from, to);
}

const step = 'interface StepCall {\n';
const head = 'interface ChainHead {\n    readonly chain: string;\n';
const batch = 'interface AlertBatch {\n';
const note = "interface IncidentNote {\n    readonly id: string;\n    readonly kind: 'alert.suppressed'";

describe('workflows of the last release meet a program that', () => {
  test('accepts and returns more, and expects nothing more: they keep running', () => {
    let now = changed(before, step, `${step}    readonly more?: string;\n`);
    now = changed(now, head, `${head}    readonly more: string;\n`);
    now = changed(now, batch, `${batch}    readonly more: string;\n`);
    now = changed(now, '    answerClick(', '    showMore(of: string): Promise<void>;\n    answerClick(');
    now = changed(
      now,
      "    'arguments of answerClick",
      "    'arguments of showMore (desk)': [string];\n    'arguments of answerClick",
    );
    expect(contractFaults({ before, now })).toEqual([]);
  });

  test('has changes that break them: each is named, with the field', () => {
    // An argument field that becomes required.
    let now = changed(before, 'interface ClickAnswer {\n', 'interface ClickAnswer {\n    readonly needed: string;\n');
    // A removed field of a result.
    now = changed(now, head, 'interface ChainHead {\n');
    // A result with a new variant that the last release does not know.
    now = changed(now, 'type VoteCheck = {\n', "type VoteCheck = {\n    readonly ok: 'later';\n} | {\n");
    // A removed field of a signal, and another with a new variant that the last release does not know.
    now = changed(now, `${batch}    readonly id: string;\n`, batch);
    now = changed(now, note, note.replace("'alert.suppressed'", "'alert.unheard' | 'alert.suppressed'"));
    // A field that the next run is passed, and needs.
    now = changed(now, 'interface ControlInput {\n', 'interface ControlInput {\n    readonly region: string;\n');
    // A removed activity.
    now = changed(now, '    endPage(', '    closePage(');
    now = changed(now, /.*'arguments of endPage.*\n/.exec(now)?.[0] ?? '-', '');
    now = changed(now, /.*'result of endPage.*\n/.exec(now)?.[0] ?? '-', '');
    const faults = contractFaults({ before, now });
    const of = (what: string): string | undefined => faults.find((fault) => fault.what === what)?.why;
    expect(faults.map(({ what }) => what).sort()).toEqual(
      [
        'arguments of answerClick (desk)',
        'arguments of endPage (desk)',
        'input of control',
        'result of recordAudit (desk)',
        'result of verifyRemark',
        'result of verifyVote',
        'signal alerts to incident',
        'signal note to incident',
      ].sort(),
    );
    expect(of('arguments of answerClick (desk)')).toMatch(/'needed' is missing/);
    expect(of('arguments of endPage (desk)')).toBe('it is gone');
    expect(of('input of control')).toMatch(/'region' is missing/);
    expect(of('result of recordAudit (desk)')).toMatch(/'chain' is missing/);
    expect(of('result of verifyVote')).toMatch(/later/);
    expect(of('signal alerts to incident')).toMatch(/'id' is missing/);
    expect(of('signal note to incident')).toMatch(/alert\.unheard/);
  });
});

describe('a change that breaks them', () => {
  const fault = { what: 'result of recordAudit (desk)', why: "Property 'chain' is missing" };

  test('is refused in one sentence, which says what to do', () => {
    expect(problemsOf([fault], [])).toEqual([
      expect.stringMatching(
        /^result of recordAudit \(desk\): .* Keep returning what they expect, or, .*accepted\.json: \{ "change": /,
      ),
    ]);
  });

  test('may be accepted deliberately, by name and with a reason', () => {
    expect(problemsOf([fault], [{ change: fault.what, because: 'no such incident was ever begun' }])).toEqual([]);
  });

  test('is not accepted once it no longer applies: the list has nothing that is not true', () => {
    expect(problemsOf([], [{ change: fault.what, because: 'no such incident was ever begun' }])).toEqual([
      'test/fixtures/releases/accepted.json: result of recordAudit (desk) is accepted, but is not a fault (any more): remove it',
    ]);
  });
});
