import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../eventually.ts';
import { findBrowser } from '../../suites.mjs';
import { broken } from '../axe.ts';
import { consoleInBrowser } from './in-browser.ts';
import { tabTo } from './keyboard.ts';
import * as sample from './sample.ts';
import { Fault } from './stand-in.ts';

const inBrowser = findBrowser() === undefined ? describe.skip : describe;

inBrowser('the console', () => {
  const shown = consoleInBrowser();
  const { faults, opened } = shown;

  test.each([
    ['incidents', '/incidents', 'shop/cart'],
    ['one incident', `/incidents/${sample.cart.key}`, 'What happened'],
    ['questions', '/questions', 'For others'],
    ['the overview', '/overview', 'Approvals per person'],
    ['the response', '/response?namespace=pay&rule=Drop', 'Ready for contain'],
    ['a playbook', '/playbooks/firebreak/contain-dropped-binary', 'Rules it answers'],
  ])('axe finds nothing on %s, in both schemes and at both widths', async (_, path, text) => {
    const page = await opened(path);
    await page.getByText(text).first().waitFor();
    // Folded content is checked, too.
    for (const one of await page.locator('summary').all()) await one.click();
    expect(await broken(page)).toEqual([]);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('says what would happen for what is typed into the form, keeps it in the address, and shows what to do if no rule has the name', async () => {
    const page = await opened('/response');
    await page.getByLabel('Namespace', { exact: true }).fill('pay');
    await page.getByLabel('Rule', { exact: true }).fill('Drop and execute new binary in container');
    await page.getByRole('button', { name: 'Explain' }).click();
    const form = page.getByRole('region', { name: 'What would happen now?' });
    await form.getByText('by scope payments').waitFor();
    await form.getByText('Would have contained the pod: mode ask asks people first (scope payments)').first().waitFor();
    expect(new URL(page.url()).searchParams.get('namespace')).toBe('pay');
    const asked = shown.desk.asked.findLast(({ name }) => name === 'explain');
    expect(new URL(asked?.url ?? '', 'http://desk').searchParams.toString()).toBe(
      'namespace=pay&rule=Drop+and+execute+new+binary+in+container',
    );
    shown.desk.answers.explain = new Fault(404, {
      code: 'FB_ERR_UNKNOWN_ID',
      message: 'No rule set has “Drop”; did you mean “Drop and execute new binary in container”?',
      help: 'For a rule of your own, fill in Sensor and Severity.',
    });
    await page.getByLabel('Rule', { exact: true }).fill('Drop');
    await page.getByRole('button', { name: 'Explain' }).click();
    await form.getByText('did you mean').waitFor();
    await page.close();
  });

  test('shows modes in the order in which scopes match, and says what is empty', async () => {
    shown.desk.answers.wouldHave = { ...sample.wouldHave, rows: [], decisions: [], snippet: null };
    const page = await opened('/response');
    const rows = page.getByRole('region', { name: 'Mode and scopes' }).getByRole('row');
    await rows.nth(3).waitFor();
    const texts = await rows.allTextContents();
    expect(texts.slice(1).map((text) => text.match(/shops|tier=payment|Everywhere else/)?.[0])).toEqual([
      'shops',
      'tier=payment',
      'Everywhere else',
    ]);
    await page.getByText('Nothing in this period').waitFor();
    await page.close();
  });

  test('axe finds nothing in the dialog of an answer, which shows the whole plan', async () => {
    const page = await opened('/questions');
    await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
    const dialog = page.getByRole('dialog');
    for (const text of [
      ...(sample.question.choices[1]?.notes ?? []),
      'This cannot be undone.',
      'Secret cart-db in shop: rotated',
    ])
      await dialog.getByText(text).waitFor();
    expect(await broken(page)).toEqual([]);
    await page.close();
  });

  test('can be used by keyboard alone, from the list to the sign-in for an answer', async () => {
    shown.desk.answers.answer = { signIn: `${shown.desk.url}/sign-in-for-this`, text: 'Sign in.' };
    const page = await opened('/incidents');
    await page.getByRole('link', { name: /shop\/cart/ }).waitFor();
    const press = (name: string) => tabTo(page, name);
    await press('shop/cart');
    await page.keyboard.press('Enter');
    await page.getByText('What happened').waitFor();
    await press('No: rotate secrets and delete pod');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await press('Last four characters');
    await page.keyboard.type('2x8k');
    await press('Why?');
    await page.keyboard.type('Nobody built this binary');
    await press('Continue to sign-in');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${shown.desk.url}/sign-in-for-this`);
    expect(shown.desk.asked.findLast(({ name }) => name === 'answer')?.body).toEqual({
      choice: 'remove',
      digest: sample.question.digest,
      reason: 'Nobody built this binary',
      target: '2x8k',
    });
    await page.close();
  });

  test('says in the dialog what was wrong, and keeps what was typed', async () => {
    shown.desk.answers.answer = new Fault(400, {
      code: 'FB_ERR_BAD_ARGUMENTS',
      message: 'The answer is not complete.',
      help: 'Correct it, and send it again.',
      fields: { target: 'These are not the last four characters.' },
    });
    const page = await opened('/questions');
    await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
    await page.getByLabel('Why?').fill('Nobody built this binary');
    await page.getByLabel(/^Last four/).fill('xxxx');
    await page.getByRole('button', { name: 'Continue to sign-in' }).click();
    await page.getByText('These are not the last four characters.').waitFor();
    expect(await page.getByLabel('Why?').inputValue()).toBe('Nobody built this binary');
    await page.close();
  });

  test('shows a new incident, and announces it to screen readers', async () => {
    shown.desk.answers.incidents = { items: [], next: null };
    const page = await opened('/incidents');
    await page.getByText('No open incidents').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    shown.desk.answers.incidents = { items: [sample.cart], next: null };
    shown.desk.tell('incident', sample.cart);
    await page.getByRole('link', { name: /shop\/cart/ }).waitFor();
    await page.getByText('critical incident: Drop and execute new binary in container in shop/cart').waitFor();
    await page.close();
  });

  test('says when it is no longer live, keeps showing what it had, and reconnects on its own', async () => {
    const page = await opened('/incidents');
    await page.getByRole('link', { name: /shop\/cart/ }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.context().setOffline(true);
    shown.desk.cut();
    await page.getByText('The connection is lost.').waitFor();
    expect(await page.getByRole('link', { name: /shop\/cart/ }).count()).toBe(1);
    shown.desk.answers.incidents = { items: [sample.listed(9, { title: 'deployment/shop/later' })], next: null };
    await page.context().setOffline(false);
    await page.getByRole('link', { name: /shop\/later/ }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.close();
  });

  test('keeps its filters in the address, also when it is reopened', async () => {
    const page = await opened('/incidents');
    await page.getByLabel('Search').fill('cart');
    await page.getByLabel('Severity').selectOption('critical');
    await page.getByLabel('State').selectOption('all');
    await page.waitForURL('**/incidents?text=cart&severity=critical&state=all');
    await page.reload();
    expect(await page.getByLabel('Search').inputValue()).toBe('cart');
    await eventually('what is asked', () =>
      shown.desk.asked.findLast(({ name }) => name === 'incidents')?.url.endsWith('?severity=critical&text=cart'),
    );
    shown.desk.answers.incidents = { items: [], next: null };
    await page.getByLabel('Search').fill('carts');
    await page.getByText('No incidents match these filters').waitFor();
    await page.close();
  });

  test('shows open incidents when the address has an invalid filter', async () => {
    const page = await opened('/incidents?state=nonsense&opened=never');
    await page.getByRole('link', { name: /shop\/cart/ }).waitFor();
    const shownIn = (label: string) => page.getByLabel(label).locator('option:checked').textContent();
    expect([await shownIn('State'), await shownIn('Opened')]).toEqual(['Open', 'Any time']);
    expect(shown.desk.asked.findLast(({ name }) => name === 'incidents')?.url).toMatch(/\?(?:.*&)?state=open(?:&|$)/);
    await page.close();
  });

  test('asks once for what was typed, not on every letter', async () => {
    const page = await opened('/incidents');
    await page.getByRole('link', { name: /shop\/cart/ }).waitFor();
    // The page's own clock is stopped while somebody types, so a slow machine does not matter.
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60_000);
    const before = shown.desk.asked.length;
    await page.getByLabel('Search').pressSequentially('cart');
    await page.waitForURL('**/incidents?text=cart');
    await page.clock.runFor(1_000);
    await eventually('what is asked', () =>
      shown.desk.asked.findLast(({ name }) => name === 'incidents')?.url.endsWith('text=cart'),
    );
    expect(shown.desk.asked.slice(before).filter(({ name }) => name === 'incidents')).toHaveLength(1);
    await page.close();
  });

  test('shows further incidents once each', async () => {
    shown.desk.answers.incidents = { items: [sample.cart], next: 'cursor-2' };
    const page = await opened('/incidents');
    await page.getByRole('link', { name: /shop\/cart/ }).waitFor();
    shown.desk.answers.incidents = { items: [sample.cart, sample.listed(7)], next: null };
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByRole('link', { name: /shop\/cart-7/ }).waitFor();
    expect(await page.getByRole('main').getByRole('listitem').count()).toBe(2);
    expect(shown.desk.asked.findLast(({ name }) => name === 'incidents')?.url).toContain('cursor=cursor-2');
    await page.close();
  });

  test('opens with the incidents when no page is named', async () => {
    const page = await opened('/');
    await page.getByRole('link', { name: /shop\/cart/ }).waitFor();
    await page.close();
  });

  test('asks people to sign in, and brings them back to where they wanted to be', async () => {
    shown.desk.answers.session = new Fault(401, {
      code: 'FB_ERR_UNAUTHORIZED',
      message: 'You are not signed in.',
      help: 'Sign in with your identity provider.',
    });
    const page = await opened('/incidents?severity=high');
    const link = page.getByRole('link', { name: 'Sign in' });
    expect(await link.getAttribute('href')).toBe('/console/sign-in?to=%2Fconsole%2Fincidents%3Fseverity%3Dhigh');
    expect(shown.desk.asked.every(({ name }) => name === 'session')).toBe(true);
    await page.close();
  });

  test('names a ticket without an address, and links one that has one', async () => {
    shown.desk.answers.incident = {
      ...sample.shownIncident,
      tickets: [
        { id: 'SEC-1', url: null },
        { id: 'SEC-2', url: 'https://tickets.example/SEC-2' },
      ],
    };
    const page = await opened(`/incidents/${sample.cart.key}`);
    await page.getByRole('link', { name: 'Ticket SEC-2' }).waitFor();
    expect(await page.getByText('Ticket SEC-1').count()).toBe(1);
    expect(await page.getByRole('link', { name: 'Ticket SEC-1' }).count()).toBe(0);
    await page.close();
  });

  test('shows what roles allow, and no more', async () => {
    shown.desk.answers.session = { ...sample.session, roles: ['viewer'] };
    const page = await opened(`/incidents/${sample.cart.key}`);
    await page.getByText('What happened').waitFor();
    expect(await page.getByRole('link', { name: 'Questions' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Show records and signatures' }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Export with its records' }).count()).toBe(0);
    await page.close();
  });

  test('says what is wrong with the records, and does not call them complete', async () => {
    const proof = { ...sample.shownIncident.proof, whole: false, findings: ['Record 4 is missing.'] };
    shown.desk.answers.incident = { ...sample.shownIncident, proof };
    const page = await opened(`/incidents/${sample.cart.key}`);
    await page.getByText('Record 4 is missing.').waitFor();
    expect(await page.getByText('Complete', { exact: true }).count()).toBe(0);
    await page.close();
  });

  test('shows which sensors are silent where, which lose events, and what the intake turned away', async () => {
    // Heard of just now, although no intake has reported since.
    const fresh = { cluster: 'prod-1', name: 'tracee', alerts: 1, lastAlertAt: new Date().toISOString(), health: null };
    shown.desk.answers.overview = { ...sample.overview, sensors: [...sample.overview.sensors, fresh] };
    const page = await opened('/overview');
    const sensors = page.getByRole('region', { name: 'Sensors', exact: true });
    await sensors.getByText('Silent on 2 of 12 nodes').waitFor();
    for (const text of [
      /node-7 since .*, node-9 since/,
      /It reported 3 times that it lost events/,
      'On all 12 nodes',
      'Not seen by any intake',
      'tracee',
    ])
      expect(await sensors.getByText(text).count()).toBe(1);
    const intake = page.getByRole('region', { name: 'Intake' });
    expect(await intake.getByText('118 over their sender’s limit, 2 could not be read').count()).toBe(1);
    expect(await intake.getByText('Not reporting').count()).toBe(1);
    await page.close();
  });

  test('shows people who see only some namespaces the alerts of sensors, and nothing of their health', async () => {
    shown.desk.answers.overview = {
      ...sample.overview,
      intakes: null,
      sensors: sample.overview.sensors.map((one) => ({ ...one, health: null })),
    };
    const page = await opened('/overview');
    const sensors = page.getByRole('region', { name: 'Sensors', exact: true });
    await sensors.getByText('tetragon').waitFor();
    expect(await sensors.locator('.tag').count()).toBe(0);
    expect(await page.getByRole('region', { name: 'Intake' }).count()).toBe(0);
    await page.close();
  });

  test('leads from the overview to a playbook with its record, every path it can take, and the rules it answers', async () => {
    const page = await opened('/overview');
    await page.getByRole('link', { name: 'Contain a pod that ran a binary that is not in its image' }).click();
    await page
      .getByText('14 runs: 3 attacks, 1 suspicious, 9 false alarms (69 % of those decided), 1 not decided yet.')
      .waitFor();
    await page.getByText('Half of them contained in 300 ms, 9 of 10 within 1.1 s; half decided in 2 min 20 s').waitFor();
    const ways = page.getByRole('region', { name: 'What each answer leads to' });
    expect(await ways.getByText('Asks: Is the new binary in cart-5d4c9b7f6-x2x7k expected?').count()).toBe(1);
    expect(await ways.locator('.destructive').count()).toBe(4);
    const rules = page.getByRole('region', { name: 'Rules it answers' });
    expect(await rules.getByText('(pod only)').count()).toBe(1);
    expect(await rules.getByText('2 rules', { exact: true }).count()).toBe(1);
    expect(shown.desk.asked.findLast(({ name }) => name === 'coverage')?.url).toContain(
      'playbook=firebreak%2Fcontain-dropped-binary',
    );
    await page.close();
  });

  test('shows every path that a playbook of a pack can take, as the desk reports it, and in words for people who cannot see it', async () => {
    shown.desk.answers.playbooks = sample.playbooksOfPack;
    shown.desk.answers.drawings = { items: [sample.drawing], why: null };
    const page = await opened('/playbooks/acme/miner');
    const ways = page.getByRole('region', { name: 'What each answer leads to' });
    await ways.getByText('On Detect crypto miners (critical)').waitFor();
    expect(await ways.locator('svg.ways rect').count()).toBe(sample.drawing.boxes.length);
    expect(await ways.getByRole('listitem').allTextContents()).toEqual([
      '1. Begins with: alert Then: 2.',
      '2. Asks: Is <b>it</b> ours? If yes: 3. If nobody answers: 4.',
      '3. Ends: harmless',
      '4. Ends: nobody has answered',
    ]);
    expect(shown.desk.asked.findLast(({ name }) => name === 'drawings')?.url).toContain('playbook=acme%2Fminer');
    expect(await broken(page)).toEqual([]);
    await page.close();
  });

  test('says which rules nothing answers, and why a playbook could not be drawn and how to draw it', async () => {
    shown.desk.answers.playbooks = sample.playbooksOfPack;
    shown.desk.answers.drawings = { items: [], why: 'No alert could be made up for it.' };
    const page = await opened('/playbooks/acme/miner');
    await page.getByText('No alert could be made up for it.').waitFor();
    await page.getByText('firebreak playbooks graph acme/miner --pack FOLDER').waitFor();
    await page.getByRole('link', { name: 'Overview' }).first().click();
    await page.getByText('1 rule that nothing answers').click();
    await page.getByText('Anti-Debugging detected').waitFor();
    const playbooks = page.getByRole('region', { name: 'Playbooks', exact: true });
    await playbooks.getByText('answers 2 public rules').waitFor();
    await playbooks.getByText('no public rules').waitFor();
    await page.close();
  });

  test('runs no script that an attacker wrote, and writes out characters that hide or reverse text', async () => {
    const script = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>\u202egnp.exe';
    const [process] = sample.shownIncident.samples;
    if (!process) throw new Error('the sample has no alert');
    shown.desk.answers.incident = {
      ...sample.shownIncident,
      incident: { ...sample.cart, rules: [script] },
      samples: [
        { ...process, rule: script, processes: [{ name: script, exe: null, commandLine: script, user: script, pid: 1 }] },
      ],
      tickets: [{ id: script, url: 'javascript:window.owned=1' }],
    };
    const page = await opened(`/incidents/${sample.cart.key}`);
    await page.getByText('What happened').waitFor();
    for (const one of await page.locator('summary').all()) await one.click();
    expect(await page.evaluate('window.owned')).toBeUndefined();
    expect(await page.locator('main img, main script, a[href^="javascript"]').count()).toBe(0);
    expect(await page.getByText('\\u{202e}gnp.exe').count()).toBeGreaterThan(0);
    expect(await page.evaluate(`document.body.textContent.includes('\\u202e')`)).toBe(false);
    await page.close();
  });
});
