import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { people } from '../../../tools/demo/settings.ts';
import { Browser } from '../../fakes/oidc/browser.ts';
import { type IdentityProvider, startIdentityProvider } from '../../fakes/oidc/provider.ts';
import { type PagerDutyFake, startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { podOf, until, type Workload } from '../../platform/e2e/parts/cluster.ts';
import { containedAt } from '../../platform/e2e/parts/oracle.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';

const clientId = 'firebreak';
const routingKey = 'a'.repeat(32);
const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-slack-down-'));
let service: Service;
let provider: IdentityProvider;
let pagerDuty: PagerDutyFake;
let workload: Workload;

beforeAll(async () => {
  const namespace = await freshNamespace();
  const key = join(folder, 'pagerduty-key');
  writeFileSync(key, routingKey, { mode: 0o600 });
  pagerDuty = await startPagerDutyFake({ routingKeys: [routingKey] });
  provider = await startIdentityProvider({ clientId, redirectUri: () => `${service.settings.deskUrl}/sign-in/callback` });
  service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
    const { desk } = config as { readonly desk: { readonly listen: { readonly port: number } } };
    config.watch = { namespaces: [namespace] };
    config.roster = {
      people: people.map(({ id, name }) => ({ id, name, subject: `sub-${id}` })),
      groups: { oncall: people.map(({ id }) => id), leads: people.map(({ id }) => id) },
    };
    config.stepUp = { issuer: provider.issuer, clientId, publicUrl: `http://127.0.0.1:${desk.listen.port}` };
    config.paging = { pagerduty: { routingKey: { file: key }, apiUrl: pagerDuty.url } };
  });
  await service.start();
  [workload] = (await service.workloads.deploy(namespace, ['cart'])) as [Workload];
});

afterAll(async () => {
  await service?.stop();
  await provider?.stop();
  await pagerDuty?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Fills in the page's form, signs in, and is told that the answer was accepted. */
async function answerOn(link: string, form: Readonly<Record<string, string>>): Promise<void> {
  // The question that the reader saw, from the page's own field.
  const asked = /name="asked" value="([^"]+)"/.exec(await (await fetch(link)).text())?.[1] ?? '';
  const next = await fetch(link, { method: 'POST', body: new URLSearchParams({ ...form, asked }), redirect: 'manual' });
  provider.person = `sub-${form.person}`;
  const page = await new Browser().go(next.headers.get('location') ?? '', 'POST');
  expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Received') });
}

test('while Slack is down the pod is contained, people are called, and one of them decides on the desk’s page', async () => {
  service.slack.fail('chat.postMessage', { status: 503, times: 1_000 });
  await service.alert(workload);
  await containedAt(service, [workload]);
  const link = await until(
    'the call',
    60_000,
    () => /http[^"]+\/sign-in\/answer\/[^"]+/.exec(JSON.stringify(pagerDuty.alerts))?.[0],
  );
  const shown = await (await fetch(link)).text();
  expect(shown).toContain(workload.pod);
  expect(shown).toMatch(/Remaining capacity.*\d of \d pods ready/s);

  const ofContainment = new URL(/href="(\/sign-in\/answer\/[^"]+)"/.exec(shown)?.[1] ?? '', link).href;
  expect(await (await fetch(ofContainment)).text()).toContain(
    `${workload.pod} quarantined: extend it, keep it for good, or end it?`,
  );
  await answerOn(ofContainment, { choice: 'extend', person: 'grace' });
  await service.stateWhen('the extension', workload, 120_000, ({ timeline }) =>
    timeline.some(({ kind, actor }) => kind === 'lease.extended' && actor === 'person/grace'),
  );

  await answerOn(link, { choice: 'remove', person: 'ada', reason: 'Nobody built this binary', target: workload.pod.slice(-4) });

  await until('the end of the pod', 120_000, () => service.effects.of('delete', podOf(workload))[0]);
  const state = await service.stateWhen('the decision', workload, 120_000, ({ questions }) =>
    questions.some(({ question, status }) => !question.id.startsWith('lease:') && status.state === 'decided'),
  );
  expect(state.timeline).toContainEqual(expect.objectContaining({ kind: 'vote.accepted', actor: 'person/ada' }));
  expect(await (await fetch(link)).text()).toContain('This is no longer asked');

  service.slack.calm();
  await until('one card that is decided', 120_000, () => {
    const cards = service.slack.world.messages.filter(({ text }) => text.includes(workload.pod) && /decided by/.test(text));
    return cards.length === 1 || undefined;
  });
  expect(pagerDuty.alerts).toHaveLength(1);
});
