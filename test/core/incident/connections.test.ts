import { describe, expect, test } from '@jest/globals';
import { type ConnectionCount, connectionsText, countedText } from '../../../core/incident/connections.ts';
import { type EffectLook, effectText, unknownText, withConnections } from '../../../core/incident/effect.ts';

const at = (over: Partial<Parameters<typeof countedText>[0]> = {}) => ({
  ...{ node: 'n1', open: 0, others: 0, neighbours: 0 },
  ...over,
});
const look: EffectLook = {
  outcome: 'no-alerts',
  at: '2026-11-24T22:00:00.000Z',
  since: '2026-11-24T21:50:00.000Z',
  alerts: { counts: {} },
  problems: [],
  pods: { there: 1, of: 1 },
  unknown: ['whether its neighbours answer with errors'],
};
const said = (counts: readonly ConnectionCount[], pods = 1) => {
  const found = withConnections(look, counts, pods);
  return [
    effectText(found).replace('No alert has come from it since. The quarantine is in force.', '').trim(),
    unknownText(found),
  ];
};

describe('what a node knows of the connections of a pod', () => {
  test.each([
    [{ open: 2 }, '2 established, according to the connection table of node n1'],
    [{ open: 1, others: 3 }, '1 established, 3 UDP, opening or closing, according to the connection table of node n1'],
    [{ neighbours: 7 }, 'none: the connection table of node n1 has 7 entries for other pods and none for this one'],
    [{ neighbours: 1 }, 'none: the connection table of node n1 has 1 entry for other pods and none for this one'],
    [{}, 'the connection table of node n1 has no entry for it or for other pods there, and this network may keep them elsewhere'],
  ])('%j is reported as it is', (counted, text) => {
    expect(countedText(at(counted))).toBe(text);
  });

  test.each([
    [{ open: 0, others: 0, pods: 1, of: 1 }, 'No connection of it is open.'],
    [{ open: 1, others: 0, pods: 1, of: 1 }, '1 connection of it is open.'],
    [{ open: 2, others: 1, pods: 1, of: 1 }, '2 connections of it are open, and 1 is UDP, opening or closing.'],
    [{ open: 0, others: 3, pods: 2, of: 2 }, 'No connection of its pods is established, and 3 are UDP, opening or closing.'],
    [{ open: 2, others: 0, pods: 4, of: 9 }, '2 connections of 4 of its 9 pods are open.'],
  ])('%j becomes one sentence', (connections, text) => {
    expect(connectionsText(connections)).toBe(text);
  });
});

describe('a check of a quarantine, with its connections', () => {
  const neighbours = 'Not known: whether its neighbours answer with errors.';

  test('says that nothing is open only if the node tracks its pods’ connections', () => {
    expect(said([{ found: at({ neighbours: 3 }) }])).toEqual(['No connection of it is open.', neighbours]);
    expect(said([{ found: at() }])).toEqual([
      '',
      'Not known: whether it has open connections: the connection table of node n1 has no entry for it or for other pods there, and this network may keep them elsewhere; whether its neighbours answer with errors.',
    ]);
  });

  test('adds up the open connections, and says for how many pods, and why not for the others', () => {
    const counts = [
      { found: at({ open: 2 }) },
      { found: at({ open: 1, others: 1 }) },
      { unknown: 'the node is away' },
      { unknown: 'the node is away' },
    ];
    expect(said(counts, 6)).toEqual([
      '3 connections of 2 of its 6 pods are open, and 1 is UDP, opening or closing.',
      'Not known: whether it has open connections: the node is away; whether its neighbours answer with errors.',
    ]);
  });

  test('does not mention connections if there was no pod to count for', () => {
    expect(said([])).toEqual(['', neighbours]);
  });
});
