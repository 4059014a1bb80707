import type { Plan } from '../../core/action/plan.ts';
import type { AuditRecord } from '../../core/audit/audit.ts';
import type { Question } from '../../core/decide/approval.ts';

const plan: Plan = {
  action: 'deletePod',
  effect: 'destructive',
  reach: 'pod',
  target: { name: 'pod/shop/cart-1', uid: 'u' },
  changes: [],
  blastRadius: ['pod/shop/cart-1'],
  notes: [],
  inputDigest: 'd',
};

/** What one question leaves on record. Seconds count from when it was asked. */
interface Announced {
  readonly id: string;
  readonly at: number;
  readonly playbook?: string;
  readonly escalatedAfter?: number;
  readonly votes?: readonly { readonly person: string; readonly choice: 'remove' | 'keep'; readonly after: number }[];
  readonly end?: 'decided' | 'expired' | 'void';
  readonly actors?: readonly string[];
}

/** The records of questions, each in its own incident, as workflows write them. */
export function recordsOf(told: readonly Announced[]): readonly AuditRecord[] {
  const records = told.flatMap(({ id, at, playbook = 'contain', escalatedAfter, votes = [], end, actors }) => {
    const chain = `incident/lab/shop/Deployment/${id}@run-1`;
    const question: Question = {
      id,
      incident: { id: chain.split('@')[0] ?? '', run: 'run-1' },
      severity: 'critical',
      text: 'Is it expected?',
      choices: [
        { id: 'keep', label: 'Yes', plans: [], quorum: 1 },
        { id: 'remove', label: 'No', plans: [plan], quorum: 1 },
      ],
      levels: [
        { group: 'oncall', withinMs: 900_000 },
        { group: 'leads', withinMs: 900_000 },
      ],
      requester: `playbook/${playbook}`,
      onSilence: 'It stays.',
      ...(actors && { actors }),
    };
    const time = (after: number): string => new Date(at + after * 1_000).toISOString();
    const line = (kind: string, after: number, body: AuditRecord['body']) => ({
      chain,
      at: time(after),
      kind,
      actor: 'engine',
      body,
    });
    const last = votes.at(-1)?.after ?? 1_800;
    return [
      line('question.asked', 0, { text: question.text, question, digest: 'd' }),
      ...(escalatedAfter === undefined ? [] : [line('question.escalated', escalatedAfter, { question: id, level: 1 })]),
      ...votes.map(({ person, choice, after }) =>
        line('vote.accepted', after + 1, { vote: { question: id, person, choice, at: time(after), via: 'slack' }, keyId: 'k' }),
      ),
      ...(end === undefined ? [] : [line(`question.${end}`, last + 1, { question: id })]),
    ].map((record, index) => ({ ...record, number: index + 1 }));
  });
  return records.sort((a, b) => a.at.localeCompare(b.at));
}
