import type { AuditRecord } from '../../core/audit/audit.ts';
import { incidentRecords } from '../../test/service/desk/console/console-desk.ts';

const dayMs = 86_400_000;
const rules = ['Drop and execute new binary', 'Terminal shell in container', 'Read sensitive file', 'Outbound connection to C2'];
const namespaces = 40;

/** When an incident with this number, of `all`, began: over the last year, the last of them now. */
export function openedAt(nth: number, all: number, now: number): string {
  return new Date(now - Math.round(((all - 1 - nth) / all) * 365 * dayMs)).toISOString();
}

export function namespaceOf(nth: number): string {
  return `shop-${nth % namespaces}`;
}

/** One incident of a busy installation: every third was asked about and answered, and all but the last hundred and every fiftieth are closed. */
export function recordsOfIncident(nth: number, all: number, now: number): readonly AuditRecord[] {
  const at = openedAt(nth, all, now);
  const [first, ...others] = incidentRecords(namespaceOf(nth), `app-${nth}`, 'run-1', at);
  if (!first) throw new Error('an incident begins with a record');
  const rule = rules[nth % rules.length];
  const severity = nth % 5 === 0 ? 'critical' : 'medium';
  const counts = Array.isArray(first.body.counts) ? first.body.counts.map((count) => ({ ...count, rule, severity })) : [];
  const opened = { ...first, body: { ...first.body, text: `2 × ${rule}`, counts } };
  const question = `q-${nth}`;
  const vote = { person: 'ana', choice: 'expected', at, question };
  const asked = {
    id: question,
    text: 'Is the new binary expected?',
    requester: 'playbook/contain',
    incident: { id: first.chain.slice(0, first.chain.lastIndexOf('@')), run: 'run-1' },
    levels: [{ group: 'oncall', withinMs: 900_000 }],
    choices: [{ id: 'expected', label: 'Yes', plans: [], quorum: 1, harmless: true }],
    severity,
    onSilence: 'The pod stays quarantined.',
  };
  const further: readonly (readonly [string, string, AuditRecord['body']])[] = [
    ...(nth % 3 === 0
      ? ([
          ['question.asked', 'playbook/contain', { text: asked.text, question: asked }],
          ['vote.accepted', 'person/ana', { text: 'Yes', vote }],
          ['question.decided', 'engine', { text: 'Yes', question, choice: 'expected', by: ['ana'] }],
        ] as const)
      : []),
    ...(nth < all - 100 && nth % 50 !== 0
      ? ([['incident.closed', 'engine', { text: 'closed', verdict: 'benign', reached: 'contained', total: 2 }]] as const)
      : []),
  ];
  const more = further.map(([kind, actor, body]) => ({ chain: first.chain, at, kind, actor, body }));
  return [opened, ...others, ...more].map((record, index) => ({ ...record, number: index + 1 }));
}
