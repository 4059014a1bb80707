import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isAbout, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { voteUntilAccepted } from '../../platform/e2e/parts/oracle.ts';
import { ana, labels, Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let workload: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    config.watch = { namespaces: [namespace] };
  });
  await service.start();
  [workload] = (await service.workloads.deploy(namespace, ['cart'])) as [Workload];
});

afterAll(() => service?.stop());

/** The texts of the workload's ticket: its body, then its comments. */
function ticket() {
  const found = service.github.store.all().find((issue) => isAbout(issue, workload));
  return { state: found?.state, texts: found ? [found.body, ...found.comments.map(({ body }) => body)] : [] };
}

/** Every address in the texts that links to a message in Slack. */
function linksIn(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => [...text.matchAll(/<(https:[^>]+\/archives\/[^>]+)>/g)].map(([, url = '']) => url));
}

test('the ticket and the thread link to each other once, even when the desk is killed in between', async () => {
  await service.alert(workload);
  await service.cardOf(workload);
  await until('the link', 120_000, () => linksIn(ticket().texts).length > 0);
  await service.kill();
  await service.start();
  await voteUntilAccepted(service, workload, ana, labels.remove);
  await until('the closed ticket', 90_000, () => ticket().state === 'closed');
  const links = linksIn(ticket().texts);
  expect(links).toHaveLength(1);
  const [, channel = '', ts = ''] = /\/archives\/(\w+)\/p(\d+)$/.exec(links[0] ?? '') ?? [];
  const thread = service.slack.world.messages.filter(
    (message) => message.channel === channel && (message.threadTs ?? message.ts).replace('.', '') === ts,
  );
  expect(thread.some(({ text }) => text.includes('Ticket: '))).toBe(true);
});
