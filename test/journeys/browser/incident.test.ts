import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { people } from '../../../tools/demo/settings.ts';
import { tabTo } from '../../browser/console/keyboard.ts';
import { eventually } from '../../eventually.ts';
import { type IdentityProvider, startIdentityProvider } from '../../fakes/oidc/provider.ts';
import type { Workload } from '../../platform/e2e/parts/cluster.ts';
import { Service } from '../../platform/e2e/parts/service.ts';
import { testPlatform } from '../../platform.ts';
import { findBrowser } from '../../suites.mjs';

const executablePath = findBrowser();
const inBrowser = executablePath === undefined ? describe.skip : describe;
const patience = 120_000;
const { temporalAddress, temporalNamespace, kubeconfig, auditLog, freshNamespace } = await testPlatform();

inBrowser('an incident in the console of a whole Firebreak', () => {
  let service: Service;
  let provider: IdentityProvider;
  let browser: Browser;
  let cart: Workload;
  const faults: string[] = [];
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    const clientId = 'firebreak';
    const namespace = await freshNamespace();
    provider = await startIdentityProvider({
      clientId,
      redirectUri: () => `${service.settings.deskUrl}/sign-in/callback`,
      claimsOf: () => ({ groups: ['security'] }),
    });
    service = await Service.create({ temporalAddress, temporalNamespace, kubeconfig, auditLog }, (config) => {
      const { desk } = config as { readonly desk: { readonly listen: { readonly port: number } } };
      config.watch = { namespaces: [namespace] };
      config.roster = {
        people: people.map(({ id, name, slack }) => ({ id, name, slack: [slack], subject: `sub-${id}` })),
        groups: { oncall: ['ada', 'grace'], leads: ['margaret'] },
      };
      config.stepUp = { issuer: provider.issuer, clientId, publicUrl: `http://127.0.0.1:${desk.listen.port}` };
      config.console = { roles: { admin: ['security'] } };
    });
    await service.start();
    [cart] = (await service.workloads.deploy(namespace, ['cart'])) as [Workload];
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    for (const context of contexts) await context.close();
    await browser?.close();
    await service?.stop();
    await provider?.stop();
  });

  /** A separate browser, at the sign-in of the console. */
  async function atTheDoor(person: string): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(patience);
    page.on('pageerror', (error) => faults.push(`${person}: ${error}`));
    provider.person = `sub-${person}`;
    await page.goto(`${service.settings.deskUrl}/console/`);
    return page;
  }

  test('is taken from alert to end by two people, one of them by keyboard alone', async () => {
    const ada = await atTheDoor('ada');
    await ada.getByRole('link', { name: 'Sign in' }).click();
    await ada.getByText('No open incidents').waitFor();
    await ada.getByText('Live', { exact: true }).waitFor();

    // Nobody reloads: it appears by itself.
    await service.alert(cart);
    await ada.getByRole('link', { name: new RegExp(`${cart.namespace}/${cart.name}`) }).click();
    await ada.getByRole('button', { name: 'Yes: release pod', exact: true }).click();
    const dialog = ada.getByRole('dialog');
    await dialog.getByText('This weakens the response. It needs 2 people').waitFor();
    await dialog.getByLabel('Why?').fill('Our own migration job');
    await dialog.getByRole('button', { name: 'Continue to sign-in' }).click();
    await ada.getByRole('button', { name: 'Sign in and decide' }).click();
    await ada.getByText('Ada Byron: Yes: release pod').waitFor();

    const grace = await atTheDoor('grace');
    const press = (name: string) => tabTo(grace, name);
    const enter = () => grace.keyboard.press('Enter');
    await press('Sign in');
    await enter();
    await grace.getByText('Live', { exact: true }).waitFor();
    await press('Questions');
    await enter();
    await grace.getByRole('heading', { name: 'Questions for me' }).waitFor();
    await grace.getByRole('button', { name: 'Yes: release pod', exact: true }).waitFor();
    await press('Yes: release pod');
    await enter();
    await press('Why?');
    await grace.keyboard.type('Checked with the team of cart');
    await press('Continue to sign-in');
    await enter();
    await grace.getByRole('button', { name: 'Sign in and decide' }).waitFor();
    await press('Sign in and decide');
    await enter();
    await grace.getByText('Decided', { exact: true }).waitFor();
    await press(cart.name);
    await enter();
    await grace.getByText('Closed: harmless').waitFor();

    // What was said and done is there for later readers, and it verifies itself.
    for (const text of ['Our own migration job', 'Checked with the team of cart', 'Containment released'])
      await grace.getByText(text).first().waitFor();
    await grace.getByText('Complete', { exact: true }).waitFor();
    await press('Show records and signatures');
    await enter();
    await grace.getByText('incident.closed').waitFor();

    // The state of sensors and intake comes from the cell, in a signal that it has signed.
    await press('Overview');
    await enter();
    const intake = grace.getByRole('region', { name: 'Intake' });
    await intake.waitFor();
    await eventually(
      'the cell has said how its intake stands',
      async () => {
        await grace.reload();
        await intake.waitFor();
        return (await intake.getByText(/^1 alert accepted since/).count()) === 1;
      },
      { everyMs: 5_000 },
    );
    expect(await grace.getByRole('region', { name: 'Sensors' }).getByText('Nodes not watched').count()).toBe(1);
    expect(faults).toEqual([]);
  });
});
