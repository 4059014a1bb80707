import type { AuditRecord } from '../../../core/audit/audit.ts';
import { regimes, stages } from '../../../core/compliance/notification.ts';

/** Pseudo-random numbers that are the same each time. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const severities = ['low', 'medium', 'high', 'critical'];
const actionsDone = ['quarantinePod', 'blockEgress', 'collectLogs', 'openTicket', 'deletePod'];

/** Records of `count` incidents, one every three hours starting at `from`, as cells make them. */
export function recordsOfIncidents(count: number, from: number): readonly AuditRecord[] {
  const below = numbersFrom(7);
  const pick = (of: readonly string[]): string => of[below(of.length)] ?? '';
  const ofIncidents = Array.from({ length: count }, (_, index) => {
    // Some workloads have repeated incidents.
    const chain = `incident/c/shop/Deployment/app${index % 60}@run${index}`;
    let at = from + index * 3 * 3_600_000;
    let number = 0;
    const records: AuditRecord[] = [];
    const add = (kind: string, actor: string, body: AuditRecord['body'] = {}): void => {
      number += 1;
      at += 1_000 + below(90_000);
      records.push({
        chain,
        number,
        at: new Date(at).toISOString(),
        kind,
        actor,
        body: { text: `${kind} <b>${index}</b>`, ...body },
      });
    };
    const severity = pick(severities);
    add('incident.opened', 'sensor/falco', {
      alerts: [{ rule: '=SUM(1)', severity, mitre: ['T1059'], sensor: index % 4 === 0 ? 'kubernetes-audit' : 'falco' }],
      counts: [{ rule: 'r', severity, count: 2 }],
    });
    if (below(5) > 0) {
      const findings = ['privileged', 'root', 'writable-root'].filter(() => below(2) === 0).map((id) => ({ id }));
      add('posture.found', 'engine', { posture: { level: pick(['privileged', 'baseline', 'restricted']), findings } });
    } else add('posture.found', 'engine');
    add('playbook.started', 'playbook/firebreak/a');
    if (below(3) === 0)
      add('effect.checked', 'engine', below(4) === 0 ? {} : { effect: { outcome: pick(['no-alerts', 'alerts-continue']) } });
    for (let steps = below(4); steps > 0; steps -= 1) {
      const action = pick(actionsDone);
      const output = action === 'collectLogs' ? { evidence: { key: 'k' } } : null;
      add(below(5) === 0 ? 'step.failed' : 'step.applied', 'playbook/firebreak/a', {
        action,
        output,
        code: 'FB_ERR_UNAVAILABLE',
      });
    }
    for (let asked = below(3); asked > 0; asked -= 1) {
      const id = `q${asked}`;
      add('question.asked', 'playbook/firebreak/a', { question: { id } });
      if (below(3) === 0) add('question.expired', 'engine', { question: id });
      else {
        add('vote.accepted', `person/${pick(['ada', 'grace'])}`, {});
        add('question.decided', 'person/ada', { question: id, choice: 'remove' });
      }
    }
    if (below(4) > 0) add('incident.closed', 'engine', { verdict: pick(['benign', 'malicious', 'unknown']) });
    if (index % 3 === 0)
      add('step.applied', 'playbook/firebreak/b', {
        action: 'verifyImage',
        output: { signature: ['signed', 'unsigned', 'unknown'][(index / 3) % 3], images: [] },
      });
    return records;
  }).flat();
  return [...ofIncidents, ...recordsOfOrders(count, from)];
}

/** What people order about incidents: one in ten has to be notified, and is; one in twenty is handed out. */
function recordsOfOrders(count: number, from: number): readonly AuditRecord[] {
  const hourMs = 3_600_000;
  const ofTwo = ['nis2', 'cra-incident'];
  const orders = Array.from({ length: Math.floor(count / 10) }, (_, index) => {
    const begun = from + index * 30 * hourMs;
    const at = (hours: number): string => new Date(begun + hours * hourMs).toISOString();
    const regime = ofTwo[index % 2] ?? '';
    const order = {
      ...{
        version: 1,
        person: 'ada',
        cluster: 'c',
        incident: `incident/c/shop/Deployment/app${(index * 10) % 60}`,
        run: `run${index * 10}`,
        regime,
      },
      at: at(1),
    };
    const signed = (draft: object) => ({ order: { order: { ...order, ...draft } } });
    const reason = 'customers are cut off';
    const sent = { kind: 'deadline.sent', sentAt: at(3), reference: 'CSIRT-1' };
    return [
      { kind: 'deadline.started', at: at(1), body: signed({ kind: 'deadline.start', awareAt: at(0), reason }) },
      { kind: 'deadline.sent', at: at(3), body: signed({ ...sent, stage: 'early-warning' }) },
      ...(index % 3 === 0 ? [{ kind: 'deadline.sent', at: at(4), body: signed({ ...sent, stage: 'notification' }) }] : []),
      ...(index % 2 === 0 ? [{ kind: 'incident.exported', at: at(5), body: {} }] : []),
    ];
  }).flat();
  return orders.map((record, index) => ({ chain: 'control/c@run', number: index + 1, actor: 'person/ada', ...record }));
}

const madeAt = '2026-07-01T00:00:00.000Z';

/** Each stage of each law in turn. */
function noticeOf(nth: number): { readonly regime: string; readonly stage: string } {
  return { regime: regimes[nth % regimes.length] ?? '', stage: stages[Math.floor(nth / regimes.length) % stages.length] ?? '' };
}

function orderOf(kind: string, draft: object): AuditRecord['body'] {
  const about = { version: 1, person: 'ada', cluster: 'c', incident: 'incident/c/shop/Deployment/app0', run: 'run0', at: madeAt };
  return { order: { order: { ...about, kind, ...draft } } };
}

/** Everything else that is counted, each kind now and then, along with records that are not counted. */
export function rarerRecords(count: number, from: number): readonly AuditRecord[] {
  const hourMs = 3_600_000;
  const verifications = ['verified', 'unverified', 'partial'];
  const kinds: readonly (readonly [kind: string, every: number, body?: (nth: number) => AuditRecord['body']])[] = [
    ['alert.joined', 1],
    ['alert.suppressed', 5],
    ['playbook.failed', 4, (nth) => ({ code: nth % 3 === 0 ? 'FB_ERR_UNAVAILABLE' : 'FB_ERR_REFUSED' })],
    ['step.checked', 2, (nth) => ({ verification: { state: verifications[nth % 3] } })],
    ['containment.changed', 6],
    ['containment.gone', 9],
    ['containment.whole', 3],
    ['evidence.read', 7],
    ['evidence.destroyed', 8],
    ['evidence.held', 8],
    ['vote.refused', 3],
    ['question.escalated', 4],
    ['page.sent', 4, (nth) => ({ group: nth % 8 === 0 ? 'oncall' : 'leads' })],
    ['lease.released', 2],
    ['lease.renewed', 2],
    ['console.exported', 10],
    ['deadline.called', 4, (nth) => noticeOf(nth / 4)],
    ['deadline.started', 4, (nth) => orderOf('deadline.start', { ...noticeOf(nth / 4), awareAt: madeAt, reason: 'why' })],
    ['deadline.sent', 4, (nth) => orderOf('deadline.sent', { ...noticeOf(nth / 4), sentAt: madeAt, reference: 'CSIRT-2' })],
    ['records.cut', 6, (nth) => ({ cut: { class: nth % 12 === 0 ? 'unanswered' : 'journals' } })],
    ...['click', 'command', 'door', 'message', 'order'].map((noun, index) => [`${noun}.refused`, 5 + index] as const),
    ...['restraint', 'suppression', 'promotion'].flatMap((noun) =>
      ['proposed', 'begun', 'rejected', 'ended', 'expired', 'lapsed', 'refused', 'restored'].map(
        (what, index) => [`${noun}.${what}`, 10 + index] as const,
      ),
    ),
  ];
  const records = Array.from({ length: count }, (_, nth) =>
    kinds.flatMap(([kind, every, body]) => {
      const at = new Date(from + nth * 3 * hourMs).toISOString();
      return nth % every === 0 ? [{ at, kind, actor: 'engine', body: { text: kind, ...body?.(nth) } }] : [];
    }),
  ).flat();
  return records.map((record, index) => ({ chain: 'control/c@rarer', number: index + 1, ...record }));
}
