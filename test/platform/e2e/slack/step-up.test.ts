import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { controlState } from '../../../../service/incidents/session.ts';
import { people } from '../../../../tools/demo/settings.ts';
import { Browser } from '../../../fakes/oidc/browser.ts';
import { type IdentityProvider, startIdentityProvider } from '../../../fakes/oidc/provider.ts';
import { testPlatform } from '../../../platform.ts';
import { podOf, until, type Workload } from '../parts/cluster.ts';
import { containedAt } from '../parts/oracle.ts';
import { ana, ben, labels, Service } from '../parts/service.ts';

const clientId = 'firebreak';
const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
let service: Service;
let provider: IdentityProvider;
let asked: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  provider = await startIdentityProvider({ clientId, redirectUri: () => `${service.settings.deskUrl}/sign-in/callback` });
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    const { desk } = config as { readonly desk: { readonly listen: { readonly port: number } } };
    config.watch = { namespaces: [namespace] };
    config.roster = {
      people: people.map(({ id, name }) => ({ id, name, slack: [`U0${id.toUpperCase()}`], subject: `sub-${id}` })),
      groups: { oncall: people.map(({ id }) => id), leads: people.map(({ id }) => id) },
    };
    config.stepUp = {
      issuer: provider.issuer,
      clientId,
      publicUrl: `http://127.0.0.1:${desk.listen.port}`,
      // What the shipped playbook asks about reaches no further.
      reaches: ['pod', 'workload'],
      decisions: ['cluster-restraint', 'cluster-restraint-end'],
    };
  });
  await service.start();
  [asked] = (await service.workloads.deploy(namespace, ['asked'])) as [Workload];
  await service.alert(asked);
  await service.cardOf(asked);
  await containedAt(service, [asked]);
});

afterAll(async () => {
  await service?.stop();
  await provider?.stop();
});

test('a click leads to the identity provider, and only its confirmation together with the vote carries out the step', async () => {
  const card = await service.cardOf(asked);
  expect(JSON.stringify(card.blocks)).toContain('needs a sign-in');
  const heard = service.slack.ephemerals(ana).length;
  await service.slack.click({ user: ana, channel: card.channel, ts: card.ts, buttonText: labels.remove });
  const told = await until('the link', 120_000, () => service.slack.ephemerals(ana)[heard]);
  const [, link = ''] = /<(http[^|>]+)\|/.exec(JSON.stringify(told.blocks)) ?? [];
  const open = await service.state(asked);
  expect(open?.questions.every(({ votes }) => votes.length === 0)).toBe(true);

  provider.person = 'sub-grace';
  expect(await new Browser().go(link, 'POST')).toMatchObject({ status: 403 });
  provider.person = 'sub-ada';
  expect(await new Browser().go(link, 'POST')).toMatchObject({ status: 200, text: expect.stringContaining('Received') });

  await until('the end of the pod', 120_000, () => service.effects.of('delete', podOf(asked))[0]);
  const state = await service.state(asked);
  const accepted = state?.timeline.find(({ kind }) => kind === 'vote.accepted');
  expect(accepted).toMatchObject({ actor: 'person/ada' });
});

const channel = 'C0INCIDENTS';

/** The link that this person has been given since then. */
async function linkOf(user: string, since: number): Promise<string> {
  return until('the link', 120_000, () => {
    const shown = service.slack
      .ephemerals(user)
      .slice(since)
      .map(({ blocks }) => JSON.stringify(blocks ?? []));
    return shown.map((text) => /<(http[^|>]+)\|/.exec(text)?.[1]).find((link) => link !== undefined);
  });
}

test('a freeze of the whole cluster begins and ends only with the provider’s confirmation', async () => {
  const type = (user: string, text: string) => service.slack.command({ user, channel, command: '/firebreak', text });
  const status = async () => (await controlState(await service.session())).decisions[0]?.status.state;
  await type(ana, 'freeze');
  const view = await until('the dialog', 120_000, () => service.slack.world.openView(ana));
  const typed = { fb_scope: '1', fb_namespace: '', fb_hours: '2', fb_reason: 'maintenance of everything' };
  expect((await service.slack.submitView({ viewId: view.id, user: ana, typed })).result).toEqual({ outcome: 'closed' });
  const card = await until('the card', 120_000, () =>
    service.slack
      .channelMessages(channel)
      .find(({ blocks }) => JSON.stringify(blocks ?? []).includes('maintenance of everything')),
  );
  expect(JSON.stringify(card.blocks)).toContain('needs a sign-in');

  const heard = service.slack.ephemerals(ben).length;
  await service.slack.click({ user: ben, channel, ts: card.ts, buttonText: 'Yes: freeze', dialog: { fb_reason: 'agreed' } });
  const link = await linkOf(ben, heard);
  expect(await status()).toBe('proposed');
  provider.person = 'sub-grace';
  expect(await new Browser().go(link, 'POST')).toMatchObject({ status: 200, text: expect.stringContaining('Received') });
  await until('the freeze', 120_000, async () => (await status()) === 'active' || undefined);
  await until(
    'the cell to believe it',
    60_000,
    () => service.log.includes('freezes, observe modes or suppressions have changed') || undefined,
  );

  const { id } = (await controlState(await service.session())).decisions[0]?.proposal.order.terms ?? { id: '' };
  const before = service.slack.ephemerals(ana).length;
  await type(ana, `unfreeze ${id} all is done`);
  const ending = await linkOf(ana, before);
  provider.person = 'sub-grace';
  expect(await new Browser().go(ending, 'POST')).toMatchObject({ status: 403 });
  expect(await status()).toBe('active');
  provider.person = 'sub-ada';
  expect(await new Browser().go(ending, 'POST')).toMatchObject({
    status: 200,
    text: expect.stringContaining('Ended: freeze of the whole cluster'),
  });
  expect(await status()).toBe('ended');
});
