import { afterEach, describe, expect, test } from '@jest/globals';
import { createServiceNowTickets, type ServiceNowTicketsOptions } from '../../../integrations/servicenow/tickets.ts';
import { type ServiceNowFake, type ServiceNowFakeOptions, startServiceNowFake } from '../../fakes/servicenow/server.ts';
import { request } from '../tickets/systems.ts';

const signal = new AbortController().signal;
const account = { user: 'firebreak', password: 'snow-password' };
const fakes: ServiceNowFake[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

async function servicenow(options: Partial<ServiceNowFakeOptions> = {}): Promise<ServiceNowFake> {
  const fake = await startServiceNowFake({ ...account, ...options });
  fakes.push(fake);
  return fake;
}

function tickets(fake: ServiceNowFake, options: Partial<ServiceNowTicketsOptions> = {}) {
  return createServiceNowTickets({ ...account, url: fake.url, timeoutMs: 5_000, ...options });
}

describe('a record of ServiceNow', () => {
  test('has its key as correlation id, and the configured columns', async () => {
    const fake = await servicenow();
    const fields = { short_description: '{{cluster}}: {{title}}', urgency: '1', category: '{{namespace}}' };
    const ticket = await tickets(fake, { fields }).open(request, signal);
    expect(ticket.url).toBe(`${fake.url}/nav_to.do?uri=incident.do%3Fsys_id%3D${ticket.id}`);
    expect(fake.records[0]?.values).toMatchObject({
      correlation_id: expect.stringMatching(/^firebreak-[0-9a-f]{32}$/),
      correlation_display: 'Firebreak',
      short_description: 'lab: shop/cart-1 ran a new binary',
      urgency: '1',
      category: 'shop',
    });
  });

  test('is looked for before anything is created', async () => {
    const fake = await servicenow();
    await tickets(fake).open(request, signal);
    expect(fake.calls.map((call) => call.split(' ')[0])).toEqual(['GET', 'POST', 'GET']);
  });

  test('of someone else is never mistaken for ours, even when the instance ignores the query', async () => {
    const fake = await servicenow({ ignoresQueries: true });
    await tickets(fake).open({ ...request, key: 'another' }, signal);
    expect(await tickets(fake).open(request, signal)).toMatchObject({ state: 'created' });
    expect(fake.records).toHaveLength(2);
  });

  test('is refused when the account may not write the correlation id', async () => {
    const fake = await servicenow({ readOnly: ['correlation_id'] });
    await expect(tickets(fake).open(request, signal)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
  });

  test('is refused, and not created again, when the account may not read the correlation id', async () => {
    const fake = await servicenow({ hidden: ['correlation_id'] });
    const system = tickets(fake);
    for (let time = 0; time < 2; time += 1)
      await expect(system.open(request, signal)).rejects.toMatchObject({
        code: 'FB_ERR_REFUSED',
        detail: expect.stringContaining('may not set correlation_id, or may not read it'),
      });
    expect(fake.records).toHaveLength(1);
  });

  test.each([
    ['state', 'the account may not set state'],
    ['work_notes', 'the account may not write work_notes'],
  ])('is not reported as closed or commented when the instance silently drops %s', async (column, why) => {
    const fake = await servicenow({ readOnly: [column] });
    const system = tickets(fake);
    const { id = '' } = await system.open(request, signal);
    const work =
      column === 'state'
        ? system.close({ id, reason: 'completed' }, signal)
        : system.comment({ id, key: 'c', text: 'x' }, signal);
    await expect(work).rejects.toMatchObject({ code: 'FB_ERR_REFUSED', detail: expect.stringContaining(why) });
  });

  test('created twice at the same moment is resolved as a duplicate', async () => {
    const fake = await servicenow();
    await Promise.all([tickets(fake).open(request, signal), tickets(fake).open(request, signal)]);
    expect(fake.records).toHaveLength(2);
    await tickets(fake).open(request, signal);
    expect(fake.records.map(({ values }) => values.close_code ?? 'open')).toEqual(['open', 'Duplicate']);
  });

  test('is resolved with the verdict, as the data policy requires', async () => {
    const fake = await servicenow();
    const { id = '' } = await tickets(fake).open(request, signal);
    await tickets(fake).close({ id, reason: 'not_planned', text: 'Verdict: benign (expected, said ana).' }, signal);
    expect(fake.records[0]?.values).toMatchObject({
      state: '6',
      close_code: 'No resolution provided',
      close_notes: 'Verdict: benign (expected, said ana).',
    });
  });

  test('cannot be closed with a code that the instance does not have: that is final', async () => {
    const fake = await servicenow();
    const { id = '' } = await tickets(fake).open(request, signal);
    const system = tickets(fake, { closeCodes: { completed: 'Done and dusted' } });
    await expect(system.close({ id, reason: 'completed' }, signal)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
  });
});
