import { expect, test } from '@jest/globals';
import { logPlaybookLine } from '../../../service/temporal/runtime.ts';

function logged(meta: object) {
  const lines: unknown[] = [];
  const at = (level: string) => (about: object, message?: string) => lines.push([level, message, about]);
  const taken = logPlaybookLine(
    { info: at('info'), warn: at('warn') } as never,
    'the playbook stopped: no name, at playbooks/miner.ts:15',
    meta,
  );
  return { taken, lines };
}

test('that a playbook has stopped is a warning, with its file and line', () => {
  const meta = { workflowId: 'incident/a', firebreakPlaybook: { playbook: 'ours/miner', subject: 'pod:1', stopped: true } };
  expect(logged(meta)).toEqual({
    taken: true,
    lines: [
      [
        'warn',
        'the playbook stopped: no name, at playbooks/miner.ts:15',
        { incident: 'incident/a', playbook: 'ours/miner', subject: 'pod:1', fields: undefined, stopped: true },
      ],
    ],
  });
});

test('what a playbook says is information, whatever else the line pretends to be', () => {
  const meta = {
    workflowId: 'incident/a',
    level: 'error',
    firebreakPlaybook: { playbook: 'ours/miner', stopped: 'true', level: 50 },
  };
  expect(logged(meta).lines).toEqual([['info', expect.any(String), expect.not.objectContaining({ level: expect.anything() })]]);
  expect(logged({ workflowId: 'incident/a' })).toEqual({ taken: false, lines: [] });
});
