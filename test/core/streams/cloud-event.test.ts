import { describe, expect, test } from '@jest/globals';
import { originProblem, recordHash } from '../../../core/audit/audit.ts';
import { cloudEventOf } from '../../../core/streams/cloud-event.ts';
import { makersTrust } from '../../suites/signed-records.ts';
import { cloudEventProblems, eventMaker, streamed } from './events.ts';

const chain = 'incident/c/shop/Deployment/cart@r1';
const at = '2026-11-27T10:00:00.000Z';
const record = { chain, number: 3, at, kind: 'lease.released', actor: 'engine', body: { text: 'given back', lease: 'l' } };

describe('a record as a CloudEvent', () => {
  test('has every attribute that the specification requires, in the right form', () => {
    const { json, id } = cloudEventOf({ record: streamed(record, 4) }, { ...eventMaker, cluster: 'prod eu' });
    expect(cloudEventProblems({ json })).toEqual([]);
    expect(JSON.parse(json)).toMatchObject({
      specversion: '1.0',
      id,
      source: '/firebreak/prod%20eu',
      type: 'firebreak.lease.released',
      subject: chain,
      time: at,
      datacontenttype: 'application/json',
      partitionkey: chain,
      sequence: '0000000004',
    });
  });

  test('carries its signature and the link to the previous record, so that the receiver can check both', () => {
    const given = streamed(record, 4);
    const { data } = JSON.parse(cloudEventOf({ record: given }, eventMaker).json);
    const { record: told, keyId, follows, salt, signature, previous, hash } = data;
    expect(originProblem({ record: told, keyId, follows, salt, signature }, makersTrust)).toBeUndefined();
    expect(recordHash({ record: told, keyId, follows, salt, signature }, previous)).toBe(hash);
    expect(
      originProblem({ record: { ...told, actor: 'person/ada' }, keyId, follows, salt, signature }, makersTrust),
    ).toBeDefined();
  });

  test('gives only the place of an unproven row, not its content', () => {
    const event = cloudEventOf({ unproven: { chain, place: 7, problem: 'is not signed', foundAt: at } }, eventMaker);
    expect(JSON.parse(event.json)).toMatchObject({
      type: 'firebreak.record.unproven',
      data: { chain, place: 7, problem: 'is not signed' },
    });
  });
});
