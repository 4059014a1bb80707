import { afterEach, expect, jest, test } from '@jest/globals';
import { type PrintedIncident, printIncident } from '../../../service/commands/incidents/incident-text.ts';

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

function printed(state: PrintedIncident): readonly string[] {
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text).trimEnd()) > 0);
  const besides = { records: '1 of 1', warnings: [], deadlines: [], questions: [], tickets: [] };
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
