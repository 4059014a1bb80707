import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { people } from '../../../service/demo/settings.ts';
import { Browser } from '../../fakes/oidc/browser.ts';
import { type IdentityProvider, startIdentityProvider } from '../../fakes/oidc/provider.ts';
import { testPlatform } from '../../platform.ts';
import { podOf, until, type Workload } from './cluster.ts';
import { containedAt } from './oracle.ts';
import { ana, labels, Service } from './service.ts';

jest.setTimeout(120_000);

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
      // What the shipped playbook asks about is no wider.
      reaches: ['pod', 'workload'],
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

test('a click ends at the identity provider, and only its word, with the vote, does the step', async () => {
  const card = await service.cardOf(asked);
  expect(JSON.stringify(card.blocks)).toContain('needs a sign-in');
  const heard = service.slack.ephemerals(ana).length;
  await service.slack.click({ user: ana, channel: card.channel, ts: card.ts, buttonText: labels.remove });
  const told = await until('the link', 10_000, () => service.slack.ephemerals(ana)[heard]);
  const [, link = ''] = /<(http[^|>]+)\|/.exec(JSON.stringify(told.blocks)) ?? [];
  const open = await service.state(asked);
  expect(open?.questions.every(({ votes }) => votes.length === 0)).toBe(true);

  provider.person = 'sub-grace';
  expect(await new Browser().go(link, 'POST')).toMatchObject({ status: 403 });
  provider.person = 'sub-ada';
  expect(await new Browser().go(link, 'POST')).toMatchObject({ status: 200, text: expect.stringContaining('Taken') });

  await until('the end of the pod', 60_000, () => service.effects.of('delete', podOf(asked))[0]);
  const state = await service.state(asked);
  const accepted = state?.timeline.find(({ kind }) => kind === 'vote.accepted');
  expect(accepted).toMatchObject({ actor: 'person/ada' });
});
