import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type PrintedIncident, printIncident, printRows } from '../../../service/commands/incidents/incident-text.ts';

const lines: string[] = [];

afterEach(() => {
  lines.length = 0;
  jest.restoreAllMocks();
});

/** An incident without any details. */
const bare: PrintedIncident = {
  incident: { id: 'incident/lab/shop/Deployment/web', run: 'run-1' },
  ...{ title: 'deployment/shop/web', severity: 'critical', open: true, openedAt: '2026-03-01T14:02:11.000Z' },
  ...{ reached: 'contained', verdict: 'unknown', counts: [], total: 0 },
  ...{ steps: [], leases: [], evidence: [], timeline: [] },
};

function printed(state: PrintedIncident, asked: readonly (readonly string[])[] = []): readonly string[] {
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text).trimEnd()) > 0);
  const besides = { records: '1 of 1', warnings: [], deadlines: [], asked, questions: [], tickets: [] };
  printIncident(state, { ...besides, names: { actor: (actor) => actor } });
  return lines.flatMap((line) => line.split('\n'));
}

test('the evidence of each pod is listed separately, with its manifest', () => {
  const artefact = { name: 'pod.yaml', sha256: 'a'.repeat(64), bytes: 12 };
  const kept = ['pod/shop/web-1', 'pod/shop/web-2'].map((name, index) => ({
    manifestSha256: String(index).repeat(64),
    target: { name },
    artefacts: [{ ...artefact, ...(index === 1 && { partial: 'too long' }) }],
  }));
  const shown = printed({ ...bare, evidence: kept });
  const at = shown.indexOf('Evidence');
  expect(shown.slice(at + 1, at + 4).map((line) => line.split(/ {2,}/))).toEqual([
    ['MANIFEST', 'TARGET', 'BYTES', 'ARTEFACT', 'SHA-256'],
    ['000000000000', 'pod/shop/web-1', '12', 'pod.yaml', artefact.sha256],
    ['111111111111', 'pod/shop/web-2', '12', 'pod.yaml (partial: too long)', artefact.sha256],
  ]);
  lines.length = 0;
  expect(printed(bare)).not.toContain('Evidence');
});

test('what ran and what is asked come first', () => {
  const ran = { rule: 'Drop and execute', sentence: 'xmrig ran in shop/web', commandLine: 'xmrig -o \u001b[2Jpool' };
  expect(printed({ ...bare, ran }, [['Is it expected?', '  the command']]).slice(0, 7)).toEqual([
    'critical  deployment/shop/web  open',
    'xmrig ran in shop/web',
    '  command line: xmrig -o \\u{1b}[2Jpool',
    '  rule: Drop and execute',
    '',
    'Is it expected?',
    '  the command',
  ]);
});

describe('the list', () => {
  const row = {
    ...{ incident: 'incident/lab/shop/Deployment/web', run: 'run-1', open: true, severity: 'critical', confirmed: true },
    ...{ openedAt: '2026-03-01T14:02:11.000Z', rules: ['Drop and execute'] },
  };
  const now = Date.parse('2026-03-01T17:02:11.000Z');
  const listed = (rows: Parameters<typeof printRows>[0]['rows'], options: Parameters<typeof printRows>[1] = {}) => {
    lines.length = 0;
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text).trimEnd()) > 0);
    printRows({ rows, notes: [] }, options, { cluster: 'lab', now });
    return lines.map((line) => line.split(/ {2,}/));
  };
  const stand = { contained: 'not proven', waitsFor: 'oncall', deadline: '2026-03-01T17:14:30.000Z' } as const;

  test('says whether it is contained, whom it waits for and until when', () => {
    const late = { ...stand, deadline: '2026-03-01T17:01:30.000Z' };
    expect(listed([{ ...row, stand }, { ...row, stand: late }, { ...row, stand: { contained: 'no' } }, row])).toEqual([
      ['SEVERITY', 'INCIDENT', 'CONTAINED', 'WAITS FOR', 'DEADLINE', 'AGE'],
      ['critical', 'shop/Deployment/web', 'not proven', 'oncall', 'in 12m', '3h'],
      ['critical', 'shop/Deployment/web', 'not proven', 'oncall', '41s ago', '3h'],
      ['critical', 'shop/Deployment/web', 'no', '-', '-', '3h'],
      ['critical', 'shop/Deployment/web', '?', '?', '?', '3h'],
    ]);
  });

  test('says what is closed or not confirmed only where that can be', () => {
    expect(listed([{ ...row, stand, open: false }], { all: true })[1]?.[2]).toBe('closed');
    expect(listed([{ ...row, confirmed: false }])[1]?.[2]).toBe('open, not confirmed');
    expect(listed([{ ...row, stand }], { output: 'wide' })[1]?.slice(-3)).toEqual([
      '2026-03-01 14:02:11',
      'run-1',
      'Drop and execute',
    ]);
  });
});
