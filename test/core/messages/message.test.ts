import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  digestOfAsked,
  type Expected,
  type Message,
  type Received,
  readMessage,
  runBinding,
} from '../../../core/messages/message.ts';
import type { Sender } from '../../../core/messages/sender.ts';

const workflow = 'incident/lab/shop/Deployment/cart';
const cell: Sender = { role: 'cell', cluster: 'lab', keyId: 'k' };
const expected: Expected = { to: 'result:planStep', workflow, run: 'r', call: '7', asked: 'd', from: ['cell'] };
const message: Message = { to: 'result:planStep', workflow, run: 'r', call: '7', asked: 'd', value: 1 };
const received = (over: Partial<Received> = {}): Received => ({ from: cell, value: message, ...over });
const whyNot = (given: unknown, over: Partial<Expected> = {}): string | undefined => {
  const read = readMessage(given, { ...expected, ...over });
  return read.ok ? undefined : read.why;
};

describe('a message', () => {
  test('is read by its recipient, from a permitted sender', () => {
    expect(readMessage(received(), expected)).toEqual({ ok: true, message });
  });

  test.each(['to', 'workflow', 'run', 'call', 'asked'] as const)('that is bound to another %s is misdirected', (name) => {
    expect(whyNot(received({ value: { ...message, [name]: 'incident/lab/other' } }))).toBe('misdirected');
    expect(whyNot(received(), { [name]: 'incident/lab/other' })).toBe('misdirected');
    if (name !== 'to' && name !== 'workflow') expect(whyNot(received(), { [name]: undefined })).toBe('misdirected');
  });

  test('without a signature, or of another role or cluster, is refused unless anybody may send it', () => {
    expect(whyNot(received({ from: null }))).toBe('unsigned');
    expect(whyNot(received({ from: { role: 'desk', keyId: 'k' } }))).toBe('wrong-sender');
    expect(whyNot(received({ from: { ...cell, cluster: 'prod' } }))).toBe('wrong-sender');
    expect(whyNot(received({ from: null }), { from: 'anybody' })).toBeUndefined();
  });

  test('is refused if it is anything else, without an error', () => {
    expect(whyNot(received({ unreadable: 'unopenable', value: null }))).toBe('unopenable');
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(whyNot(value)).toBeDefined();
        expect(whyNot({ from: cell, value })).toBeDefined();
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(message)), fc.jsonValue(), (name, value) => {
        const changed = { ...message, [name]: value };
        const isSame = JSON.stringify(changed) === JSON.stringify(message) || name === 'value';
        expect(whyNot(received({ value: changed })) === undefined).toBe(isSame);
      }),
    );
  });
});

test('a reset run keeps its name, and the run after it has another', () => {
  expect(runBinding({ firstExecutionRunId: 'a' })).toBe('a');
  expect(runBinding({ firstExecutionRunId: 'a', continuedFromExecutionRunId: 'a' })).not.toBe('a');
});

describe('the digest of a request', () => {
  const record = {
    seq: 4,
    kind: 'step.applied',
    at: '2026-11-27T05:02:10.394Z',
    text: 'quarantined until 2026-11-27T09:02:10Z',
    until: 1_795_827_730_394,
  };

  test('ignores times: a workflow’s clock may be later when its history is replayed', () => {
    const later = {
      ...record,
      at: '2026-11-27T05:12:11.000Z',
      text: 'quarantined until 2026-11-27T09:12:11Z',
      until: 1_795_828_331_000,
    };
    expect(digestOfAsked([[later]])).toBe(digestOfAsked([[record]]));
  });

  test.each([{ seq: 5 }, { kind: 'step.failed' }, { text: 'released' }, { until: 40 }])('differs with %j', (other) => {
    expect(digestOfAsked([[{ ...record, ...other }]])).not.toBe(digestOfAsked([[record]]));
  });
});
