import { describe, expect, test } from '@jest/globals';
import { callText, pathOf } from '../../../service/trial/path.ts';

function step(more: object = {}, activity = 'applyStep') {
  const call = {
    key: 'incident/run/acme/miner/pod/quarantinePod/1',
    action: 'quarantinePod',
    input: { pod: { namespace: 'shop', name: 'cart' } },
    incidentTitle: 'A miner in shop/cart',
    lease: { durationMs: 14_400_000, onExpiry: 'renew' },
    ...more,
  };
  return { activity, args: activity === 'undoStep' ? [{ call, reason: 'ordered' }] : [call] };
}

function ticket(title: string, labels: readonly string[]) {
  return step({ action: 'openTicket', input: { title, body: `${title}.`, labels } });
}

function post(more: object = {}) {
  const choices = [
    { id: 'release', label: 'Yes', plans: [{ action: 'quarantinePod', notes: ['partial'] }], quorum: 1 },
    { id: 'keep', label: 'No', plans: [], quorum: 1 },
  ];
  const question = { id: 'acme/miner/pod/1', text: 'Is it meant?', choices, levels: [{ group: 'oncall', withinMs: 900_000 }] };
  return { activity: 'postQuestion', args: [{ question: { ...question, ...more }, about: { kind: 'incident' } }] };
}

function records(...said: readonly (readonly [string, object])[]) {
  return { activity: 'recordAudit', args: [said.map(([kind, body], index) => ({ kind, number: index, body }))] };
}

describe('what decides no path', () => {
  test.each([
    ['the title of the incident', step(), step({ incidentTitle: 'Cut off a miner' })],
    ['the texts of a ticket', ticket('It mines', ['firebreak']), ticket('A miner', ['firebreak'])],
    ['the words of a question', post(), post({ text: 'May it mine?', onSilence: 'It stays' })],
    ['the time of a question', post({ until: '2026-01-01T10:00:00.000Z' }), post({ until: '2026-01-01T10:15:00.000Z' })],
    [
      'the version in a record',
      records(['playbook.started', { text: 'Cut off', version: '1.0.0' }]),
      records(['playbook.started', { text: 'Cut it off', version: '1.1.0' }]),
    ],
  ])('%s', (_, before, now) => {
    expect(pathOf(now)).toBe(pathOf(before));
  });
});

describe('what decides a path is named', () => {
  const shorter = { lease: { durationMs: 3_600_000, onExpiry: 'renew' } };
  test.each([
    ['another action', step(), ticket('It mines', []), 'the step openTicket'],
    ['another pod', step(), step({ input: { pod: { namespace: 'shop', name: 'db' } } }), 'the step quarantinePod (input '],
    ['another lease', step(), step(shorter), 'the step quarantinePod (lease {"durationMs":3600000'],
    ['another release', step({}, 'undoStep'), step(shorter, 'undoStep'), 'the release of quarantinePod (lease '],
    [
      'another label of a ticket',
      ticket('It mines', ['a']),
      ticket('It mines', ['b']),
      'the step openTicket (input {"labels":["b"]',
    ],
    [
      'other people',
      post(),
      post({ levels: [{ group: 'leads', withinMs: 900_000 }] }),
      'release, keep (levels [{"group":"leads"',
    ],
    ['another answer', post(), post({ choices: [{ id: 'keep', label: 'No', plans: [], quorum: 1 }] }), 'the answers keep'],
    [
      'another verdict',
      records(['incident.verdict', { verdict: 'benign' }]),
      records(['incident.verdict', { verdict: 'suspicious' }]),
      'a record of incident.verdict suspicious',
    ],
  ])('%s', (_, before, now, text) => {
    expect(pathOf(now)).not.toBe(pathOf(before));
    expect(callText(now, before)).toContain(text);
  });
});
