import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { people } from '../../../tools/demo/settings.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { containedAt, ended } from '../../platform/e2e/parts/oracle.ts';
import { ana, ben, labels, Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const image = 'registry.example.com/shop/worker:1.4.2';
const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let workloads: readonly Workload[];

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
    config.roster = {
      people: people.map(({ id, name }) => ({ id, name, slack: [`U0${id.toUpperCase()}`], accounts: [`${id}@example.com`] })),
      groups: { oncall: ['ada', 'grace'], leads: ['margaret'] },
    };
  });
  await service.start();
  workloads = await service.workloads.deploy(namespace, ['one', 'two', 'three', 'four', 'five']);
});

afterAll(() => service?.stop());

const cardsOf = (some: readonly Workload[]) => [...new Set(some.flatMap((workload) => service.cards(workload)))];
const wholeCard = () =>
  until('the card of all', 120_000, () => {
    const [card] = cardsOf(workloads);
    const text = JSON.stringify(card?.blocks ?? []);
    return workloads.every(({ pod }) => text.includes(pod)) && card;
  });
const told = (user: string): string =>
  service.slack
    .ephemerals(user)
    .map(({ text }) => text)
    .join('\n');
const decisionOf = async (workload: Workload) =>
  (await service.state(workload))?.questions.find(({ question: { id } }) => !id.startsWith('lease:'));

describe('five workloads of one image', () => {
  test('share one card, which is the same after a crash', async () => {
    await Promise.all(
      workloads.map((workload, place) =>
        service.alert(workload, 'binary', { image, ...(place === 2 && { user: 'ada@example.com' }) }),
      ),
    );
    await wholeCard();
    await containedAt(service, workloads);
    await service.kill();
    await service.start();
    expect(cardsOf(workloads)).toHaveLength(1);
  });

  test('are decided by one answer, which is a separate vote in each, except where its person is the actor', async () => {
    const { channel, ts } = await wholeCard();
    const sent = await service.slack.click({ user: ana, channel, ts, buttonText: `${labels.remove} (all 5)` });
    expect(sent.dialog?.result).toEqual({ outcome: 'closed' });
    // In one message if they come within a moment of each other.
    const decided = () => [...told(ana).matchAll(/(\d+) × Decided/g)].reduce((sum, [, count]) => sum + Number(count), 0);
    await until('the answer', 120_000, () => told(ana).includes('names you as the actor') && decided() === 4).catch((error) => {
      throw new Error(`${String(error)}: ${told(ana)}`);
    });
    const others = workloads.filter((_, place) => place !== 2);
    await until('the deletions', 120_000, () => others.every((one) => service.effects.of('delete', podOf(one)).length === 1));
    const digests = new Set<string>();
    for (const workload of others) {
      const { timeline } = await service.stateWhen('the decision', workload, 120_000, (state) =>
        state.timeline.some(({ kind }) => kind === 'question.decided'),
      );
      expect(timeline.filter(({ kind }) => kind === 'question.decided')).toMatchObject([{ actor: 'person/ada' }]);
      digests.add((await decisionOf(workload))?.digest ?? '');
    }
    expect(digests.size).toBe(4);
    const [own] = workloads.filter((_, place) => place === 2) as [Workload];
    expect(await decisionOf(own)).toMatchObject({ status: { state: 'open' }, votes: [] });
    expect(service.effects.of('delete', podOf(own))).toEqual([]);
  });

  test('leave the last one to be decided by somebody else on the same card', async () => {
    const { channel, ts } = await wholeCard();
    const buttonText = `${labels.remove} (the last one)`;
    await until('the edit', 120_000, () => JSON.stringify(cardsOf(workloads)[0]?.blocks).includes('(the last one)'));
    await service.slack.click({ user: ben, channel, ts, buttonText });
    await until('the deletion', 120_000, () => workloads.every((one) => service.effects.of('delete', podOf(one)).length === 1));
    await ended(service, workloads);
    const over = 'all settled';
    await until('the last edit', 120_000, () => JSON.stringify(cardsOf(workloads)[0]?.blocks).includes(over));
    expect(cardsOf(workloads)).toHaveLength(1);
  });
});
