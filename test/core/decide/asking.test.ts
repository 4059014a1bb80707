import { describe, expect, test } from '@jest/globals';
import { type Asking, type AskingPlaybook, groupsAskedBy, narrowerOf, widerOf } from '../../../core/decide/asking.ts';

const miner: AskingPlaybook = {
  id: 'acme/miner',
  on: { minSeverity: 'high' },
  uses: { quarantinePod: { name: 'quarantinePod' }, deletePod: { name: 'deletePod' } },
  levels: [{ group: 'oncall' }, { group: 'leads' }],
  sagaUndo: 'below-critical',
};
const other: AskingPlaybook = { id: 'acme/other', on: { minSeverity: 'low' }, uses: {} };
const groups = ['oncall', 'security'];

/** The next version: it deletes nothing and cuts connections, asks others, is for worse alerts, and releases nothing by itself. */
const { sagaUndo: _, ...kept } = miner;
const next: AskingPlaybook = {
  ...kept,
  on: { minSeverity: 'critical' },
  uses: { quarantinePod: { name: 'quarantinePod' }, cutConnections: { name: 'cutConnections' } },
  levels: [{ group: 'security' }, { group: 'leads' }],
};
const added: AskingPlaybook = { id: 'acme/new', on: { minSeverity: 'high' }, uses: {} };

const before: Asking = { playbooks: [miner, other], groups };
const after: Asking = { playbooks: [next, other, added], groups };
const namesOf = (asking: Asking, id: string) =>
  Object.values(asking.playbooks.find((one) => one.id === id)?.uses ?? {}).map(({ name }) => name);
const asked = (asking: Asking, playbook: string) => groupsAskedBy({ requester: `playbook/${playbook}` }, asking, [playbook]);

describe('an incident that may follow either of two versions', () => {
  test.each([
    ['the old one first', narrowerOf(before, after)],
    ['the new one first', narrowerOf(after, before)],
  ])('may do and ask only what both versions allow (%s)', (_order, both) => {
    expect(both.playbooks.map(({ id }) => id)).toEqual(['acme/miner', 'acme/other']);
    expect(namesOf(both, 'acme/miner')).toEqual(['quarantinePod']);
    expect(asked(both, 'acme/miner')).toEqual(['leads']);
    expect(both.playbooks[0]).toMatchObject({ on: { minSeverity: 'critical' } });
    expect(both.playbooks[0]).not.toHaveProperty('sagaUndo');
    expect(asked(both, 'acme/other')).toEqual(groups);
    expect(asked(both, 'acme/new')).toEqual([]);
  });

  test('asks the group that one version names if the other names none', () => {
    const { levels: __, ...unnamed } = miner;
    const both = narrowerOf({ playbooks: [unnamed], groups }, { playbooks: [next], groups });
    expect(asked(both, 'acme/miner')).toEqual(['security']);
  });
});

test('a pool that does not know the version, but has a cell’s word for each step, refuses only what neither allows', () => {
  const either = widerOf(before, after);
  expect(either.playbooks.map(({ id }) => id)).toEqual(['acme/miner', 'acme/other', 'acme/new']);
  expect(namesOf(either, 'acme/miner')).toEqual(['quarantinePod', 'deletePod', 'cutConnections']);
  expect(asked(either, 'acme/miner')).toEqual(['oncall', 'leads', 'security']);
  expect(either.playbooks[0]).toMatchObject({ on: { minSeverity: 'high' }, sagaUndo: 'below-critical' });
});
