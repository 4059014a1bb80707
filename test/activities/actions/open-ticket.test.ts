import { expect, test } from '@jest/globals';
import { openTicketImplementation } from '../../../activities/actions/open-ticket.ts';
import { openTicketOutput } from '../../../core/actions/open-ticket.schema.ts';

test('without a ticket system a ticket is planned to change nothing, and says that it was skipped', async () => {
  const { plan, apply } = openTicketImplementation({ tickets: undefined });
  const context = { incident: 'c/shop/Deployment/cart', run: 'run-1', signal: new AbortController().signal } as never;
  const input = { title: 'cart read /etc/shadow', body: 'What happened.' };
  expect(await plan(input, context)).toMatchObject({ target: { name: 'ticket/cart read /etc/shadow' }, changes: [] });
  const output = openTicketOutput.parse(await apply(input, context));
  expect(output).toEqual({ system: 'none', state: 'skipped' });
});
