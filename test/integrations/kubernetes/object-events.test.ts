import { expect, test } from '@jest/globals';
import type { ObjectEvent } from '../../../core/cluster/object-event.ts';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { errorOfStatus } from '../../../integrations/kubernetes/client-error.ts';
import { EventWriter } from '../../../integrations/kubernetes/object-events.ts';
import { eventually } from '../../eventually.ts';

const pauses = { firstMs: 0, againMs: [0, 0], reportMs: 3_600_000 };
const event = (name: string): ObjectEvent => ({
  name,
  regarding: { kind: 'Pod', apiVersion: 'v1', namespace: 'shop', name: `cart-${name}`, uid: 'u' },
  type: 'Warning',
  reason: 'Quarantined',
  action: 'quarantinePod',
  note: 'cut off',
});

/** Answers each call in turn with a status; the last one answers all later calls. */
function writerOn(answers: readonly number[] | (() => Promise<number>), turn?: () => Promise<void>) {
  const posted: string[] = [];
  const dropped: object[] = [];
  const json = async (call: KubernetesCall) => {
    const { metadata } = call.body as { readonly metadata: { readonly name: string } };
    posted.push(metadata.name);
    const status = typeof answers === 'function' ? await answers() : (answers[posted.length - 1] ?? answers.at(-1) ?? 201);
    if (status > 299) throw errorOfStatus({ status, text: '', what: call.what });
    return {};
  };
  const api = { json } as unknown as KubernetesApi;
  const said = (one: object) => dropped.push(one);
  const writer = new EventWriter({ api, reporter: 'cell', instance: 'host', dropped: said, pauses, ...(turn && { turn }) });
  return { writer, posted, dropped };
}

test('an Event that already exists counts as written, and one that the API server could not take is retried', async () => {
  const { writer, posted, dropped } = writerOn([409, 503, 201]);
  writer.write(() => [event('a'), event('b')]);
  await writer.idle();
  writer.stop();
  expect(posted).toEqual(['a', 'b', 'b']);
  expect(dropped).toEqual([]);
});

test('an Event that is refused or fails for good is dropped, counted and reported, and the next one is written', async () => {
  const { writer, posted, dropped } = writerOn([403, 503, 503, 503, 201]);
  writer.write(() => [event('a'), event('b'), event('c')]);
  await writer.idle();
  writer.stop();
  expect(posted).toEqual(['a', 'b', 'b', 'b', 'c']);
  expect(dropped).toEqual([
    { events: 1, reason: 'FB_ERR_API_REFUSED' },
    { events: 1, reason: 'FB_ERR_UNAVAILABLE' },
  ]);
});

test('while the API server hangs, no caller waits, and the queue is bounded', async () => {
  const answer = Promise.withResolvers<number>();
  const { writer, posted, dropped } = writerOn(() => answer.promise);
  for (let at = 0; at < 700; at += 1) writer.write(() => [event(`e${at}`)]);
  answer.resolve(201);
  await writer.idle();
  writer.stop();
  // One of them may have been in progress already.
  expect(posted.length).toBeGreaterThanOrEqual(500);
  expect(posted.length).toBeLessThanOrEqual(501);
  expect(dropped).toEqual([{ events: 700 - posted.length, reason: 'too many wait' }]);
});

test('Events that cannot be composed are dropped and reported, and the next ones are written', async () => {
  const { writer, posted, dropped } = writerOn([201]);
  writer.write(() => {
    throw new TypeError('a mistake');
  });
  writer.write(() => [event('a')]);
  await writer.idle();
  writer.stop();
  expect(posted).toEqual(['a']);
  expect(dropped).toEqual([{ events: 1, reason: 'they cannot be composed' }]);
});

test('after its end, nothing more is written', async () => {
  const { writer, posted } = writerOn([201]);
  writer.stop();
  writer.write(() => [event('a')]);
  await writer.idle();
  expect(posted).toEqual([]);
});

test('the same reason on the same object is reported once a minute, whatever the step: a head start and its incident use two keys', async () => {
  const { writer, posted } = writerOn([201]);
  const at = (second: number) => new Date(Date.parse('2026-11-27T16:00:00Z') + second * 1_000);
  const held = (name: string): ObjectEvent => ({ ...event('cart'), name });
  writer.write(() => [held('head-start')], at(0));
  writer.write(() => [held('incident')], at(2));
  writer.write(() => [{ ...held('given-back'), reason: 'Released' }], at(10));
  writer.write(() => [held('anew')], at(20));
  writer.write(() => [held('later')], at(90));
  await writer.idle();
  writer.stop();
  expect(posted).toEqual(['head-start', 'given-back', 'anew', 'later']);
});

test('Events are composed and written when it is their turn, and tell the time of what was done', async () => {
  const turns: (() => void)[] = [];
  const { writer, posted } = writerOn([201], () => new Promise((go) => turns.push(go)));
  const composed: [string, number][] = [];
  // However slow the machine is, it is not long ago.
  const at = new Date(Date.now() + 3_600_000);
  for (const name of ['a', 'b'])
    writer.write((told) => {
      composed.push([name, told.getTime()]);
      return [event(name)];
    }, at);
  for (const done of [[], ['a']]) {
    await eventually('a turn is asked for', () => turns.length > 0);
    expect([composed.map(([name]) => name), posted]).toEqual([done, done]);
    turns.shift()?.();
  }
  await writer.idle();
  writer.stop();
  expect(posted).toEqual(['a', 'b']);
  expect(composed).toEqual([
    ['a', at.getTime()],
    ['b', at.getTime()],
  ]);
});

test('an Event of what was done some seconds ago waits for no turn: containments may be under way for minutes', async () => {
  const { writer, posted } = writerOn([201], () => new Promise(() => undefined));
  const before = new Date(Date.now() - 4_000);
  for (const name of ['a', 'b', 'c']) writer.write(() => [event(name)], before);
  await writer.idle();
  writer.stop();
  expect(posted).toEqual(['a', 'b', 'c']);
});
