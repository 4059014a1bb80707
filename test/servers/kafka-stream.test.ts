import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { Admin } from '@platformatic/kafka';
import type { Receiver, StreamEvent } from '../../core/streams/stream.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createStreamFeed } from '../../integrations/database/outbound/stream-feed.ts';
import { createKafkaReceiver, type KafkaReceiverOptions } from '../../integrations/streams/kafka-receiver.ts';
import { StreamRunner } from '../../service/streams/stream-runner.ts';
import { type KafkaBroker, type KafkaRecord, startKafkaBroker } from '../../tools/platform/kafka-broker.ts';
import { eventMaker, ocsfProblems } from '../core/streams/events.ts';
import { eventually } from '../eventually.ts';
import { startedOrWhyNot } from '../started-or-why-not.ts';
import { run } from '../suites/audit-store.ts';
import { makersTrust } from '../suites/signed-records.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-kafka-'));
const started = await startedOrWhyNot(() => startKafkaBroker({ stateDir }));
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

if (typeof started === 'string') describe.skip(`a stream into Kafka (skipped: ${started})`, () => test('is not tried', () => {}));
else intoKafka(started);

function intoKafka(broker: KafkaBroker): void {
  const running = new AbortController().signal;
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [`${broker.host}:${broker.ports.plain}`], retries: 20 });
  afterAll(() => admin.close());
  const chains = ['cart', 'shop', 'pay', 'mail'].map((name) => `incident/c/shop/Deployment/${name}@r1`);
  const event = (number: number, chain = chains[0] ?? '', text = 'a line\tand another ü'): StreamEvent => ({
    id: `id-${number}`,
    chain,
    at: '2026-11-27T10:00:00.000Z',
    kind: 'step.applied',
    json: JSON.stringify({ number, text }),
  });
  const receiverAt = (door: keyof KafkaBroker['ports'], over: Partial<KafkaReceiverOptions>): Receiver =>
    createKafkaReceiver({
      brokers: [{ host: broker.host, port: broker.ports[door] }],
      topic: 'events',
      format: 'ocsf',
      isPlaintext: door === 'plain',
      gzip: true,
      timeoutMs: 60_000,
      access: () => ({ tls: {} }),
      ...over,
    });
  const { username, password } = broker.account;
  const { ca, cert, key } = broker.tls;

  async function made(topic: string, partitions: number): Promise<string> {
    await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
    return topic;
  }

  /** Everything in the topic, as read by Apache's own consumer. */
  async function contents(topic: string, partitions: number): Promise<readonly KafkaRecord[]> {
    const ends = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }));
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions: ends }] });
    const count = (found?.partitions ?? []).reduce((sum, { offset }) => sum + Number(offset), 0);
    return broker.read(topic, count);
  }

  describe('a receiver in Kafka', () => {
    test('connects by an account over TLS and by a certificate, and gets each event under its incident, with its id', async () => {
      const topic = await made('doors', 3);
      const doors = [
        receiverAt('scram', { topic, mechanism: 'scram-sha-512', access: () => ({ username, password, tls: { ca } }) }),
        receiverAt('scram', { topic, mechanism: 'scram-sha-256', access: () => ({ username, password, tls: { ca } }) }),
        receiverAt('mutual', { topic, format: 'cloudevents', access: () => ({ tls: { ca, cert, key } }) }),
      ];
      for (const [index, receiver] of doors.entries()) {
        const events = [event(index, chains[0]), event(index + 10, chains[1])];
        expect(await receiver.deliver(events, running)).toEqual({ state: 'delivered', answer: 'all of it in doors' });
        await receiver.close();
      }
      const records = await contents(topic, 3);
      const ofCart = records.filter((one) => one.key === chains[0]);
      expect(ofCart.map(({ value }) => JSON.parse(value).number)).toEqual([0, 1, 2]);
      expect(new Set(ofCart.map(({ partition }) => partition)).size).toBe(1);
      expect(ofCart.map(({ headers }) => headers)).toEqual([
        'content-type:application/json,id:id-0',
        'content-type:application/json,id:id-1',
        'content-type:application/cloudevents+json; charset=UTF-8,id:id-2',
      ]);
      expect(records).toHaveLength(6);
    });

    test.each<[string, () => Receiver, string]>([
      [
        'a wrong password',
        () => receiverAt('scram', { mechanism: 'scram-sha-512', access: () => ({ username, password: 'no', tls: { ca } }) }),
        'SASL_AUTHENTICATION_FAILED',
      ],
      [
        'an authority that it does not know',
        () => receiverAt('mutual', { access: () => ({ tls: { cert, key } }) }),
        'DEPTH_ZERO_SELF_SIGNED_CERT',
      ],
      [
        'an invalid certificate',
        () => receiverAt('mutual', { access: () => ({ tls: { ca: 'none', cert, key: 'none' } }) }),
        'its certificates cannot be used',
      ],
      ['a topic that does not exist', () => receiverAt('plain', { topic: 'nowhere' }), 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['nobody at the address', () => receiverAt('plain', { brokers: [{ host: '127.0.0.1', port: 1 }] }), 'ECONNREFUSED'],
    ])('with %s waits, and says why', async (_, open, reason) => {
      const receiver = open();
      expect(await receiver.deliver([event(1)], running)).toEqual({ state: 'later', reason });
      await receiver.close();
    });

    test('rejects an event that is larger than the broker accepts, and accepts many small ones', async () => {
      const topic = await made('sizes', 1);
      const receiver = receiverAt('plain', { topic, gzip: false });
      const small = Array.from({ length: 40 }, (_, index) => event(index, chains[0], 'x'.repeat(60_000)));
      expect(await receiver.deliver(small, running)).toMatchObject({ state: 'delivered' });
      const large = event(99, chains[0], 'x'.repeat(2_000_000));
      expect(await receiver.deliver([large], running)).toEqual({ state: 'refused', reason: 'MESSAGE_TOO_LARGE' });
      expect(await receiver.deliver([event(100)], running)).toMatchObject({ state: 'delivered' });
      await receiver.close();
      const numbers = (await contents(topic, 1)).map(({ value }) => JSON.parse(value).number);
      expect(numbers).toEqual([...small.keys(), 100]);
    });
  });

  test('a stream into Kafka loses nothing and keeps the order of each incident when the broker is killed midway and throttles', async () => {
    const topic = await made('killed', 3);
    // The broker delays its answers if more than this arrives.
    const ops = [{ key: 'producer_byte_rate' as const, value: 20_000, remove: false as const }];
    await admin.alterClientQuotas({
      entries: [{ entities: [{ entityType: 'client-id', entityName: 'firebreak' }], ops }],
      validateOnly: false,
    });
    const database = await openDatabase({ url: `sqlite:${join(stateDir, 'audit.db')}` });
    const store = createAuditStore(database);
    for (const chain of chains) await store.append(run(chain, 1, 30));
    const feed = createStreamFeed(database);
    const receiver = receiverAt('plain', { topic });
    const failures: string[] = [];
    const problems: unknown[] = [];
    let deliveries = 0;
    let killed: Promise<void> | undefined;
    const runner = new StreamRunner({
      name: 'lake',
      feed,
      from: 'beginning',
      format: 'ocsf',
      maker: eventMaker,
      trust: makersTrust,
      receiver: {
        ...receiver,
        deliver: async (...given) => {
          const sent = receiver.deliver(...given);
          deliveries += 1;
          // While the third delivery is on its way.
          if (deliveries === 3) killed = broker.kill();
          return sent;
        },
      },
      holder: 'desk-a',
      observer: {
        delivered: () => undefined,
        failed: (kind, reason) => failures.push(`${kind}: ${reason}`),
        unproven: (row) => problems.push(row),
        broken: (error) => problems.push(error),
      },
      batch: 10,
      pace: { retryMs: 100, mostRetryMs: 500 },
    });
    runner.start();
    await eventually('a delivery that fails', () => failures.length > 0);
    await killed;
    await broker.start();
    await eventually('all of it in the topic', async () => (await feed.lag('lake')).records === 0);
    await runner.stop();
    await database.close();
    expect(problems).toEqual([]);
    expect(failures.every((one) => one.startsWith('later: '))).toBe(true);
    const records = await contents(topic, 3);
    expect(records.flatMap(({ value }) => ocsfProblems({ json: value }))).toEqual([]);
    for (const chain of chains) {
      const ofChain = records.filter((one) => one.key === chain);
      expect(new Set(ofChain.map(({ partition }) => partition)).size).toBe(1);
      // Duplicates from sending again are dropped by id, as a reader would do it.
      const seen = new Set<unknown>();
      const places = ofChain
        .map(({ value }) => JSON.parse(value))
        .filter(({ metadata }) => !seen.has(metadata.uid) && seen.add(metadata.uid))
        .map(({ unmapped }) => unmapped.record.place);
      expect(places).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    }
  });
}
