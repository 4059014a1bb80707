import { mkdtempSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { TicketMailbox } from '../../../core/tickets/ticket-news.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createTicketMailbox } from '../../../integrations/database/ticket-mailbox.ts';
import { githubInbound } from '../../../integrations/github/inbound.ts';
import { createInboundTickets } from '../../../service/desk/inbound-tickets.ts';
import { type Delivery, githubDelivery } from '../../fakes/ticket-webhooks.ts';

const secret = 'the-secret';
const incident: IncidentRef = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };
const closed = { secret, event: 'issues', action: 'closed', number: 7, login: 'lea' } as const;

let database: Database;
let mailbox: TicketMailbox;
let server: Server;
let nudged: IncidentRef[];
let refused: string[];
let isDown: boolean;

beforeEach(async () => {
  database = await openDatabase({ url: `sqlite:${join(mkdtempSync(join(tmpdir(), 'firebreak-inbound-')), 'desk.db')}` });
  mailbox = createTicketMailbox(database);
  await mailbox.bind({ system: 'github', id: '7' }, incident);
  [nudged, refused, isDown] = [[], [], false];
  server = await serve();
});
afterEach(async () => {
  await stop(server);
  await database.close();
});

async function serve(options?: { readonly readWithinMs: number }): Promise<Server> {
  const inbound = createInboundTickets({
    ...options,
    systems: [githubInbound({ secrets: [secret], repository: 'acme/incidents' })],
    mailbox,
    nudge: async (ref) => {
      if (isDown) throw new Error('Temporal is away');
      nudged.push(ref);
    },
    refused: ({ reason }) => refused.push(reason),
  });
  const started = createServer((request, response) => inbound.handle(request, response));
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return started;
}

async function stop(started: Server): Promise<void> {
  started.closeAllConnections();
  await new Promise((resolve) => started.close(resolve));
}

function portOf(started: Server): number {
  const address = started.address();
  return typeof address === 'object' && address ? address.port : 0;
}

async function post({ headers, body }: Delivery, path = 'github', method = 'POST', port = portOf(server)): Promise<number> {
  const init = method === 'POST' ? { method, headers, body } : { method, headers };
  return (await fetch(`http://127.0.0.1:${port}/inbound/${path}`, init)).status;
}

const words = async () => (await mailbox.after(incident, 0, 100)).map((news) => news.words);

test('an event is kept for the incident of its ticket, which is told; a redelivery is recognized', async () => {
  const delivery = githubDelivery(closed);
  expect(await post(delivery)).toBe(204);
  // Sent again by GitHub, or by somebody who recorded it: with another delivery id, which is not signed.
  expect(await post({ ...delivery, headers: { ...delivery.headers, 'x-github-delivery': 'another' } })).toBe(204);
  expect(await words()).toEqual(['github 7 was closed by lea']);
  expect(nudged).toEqual([incident, incident]);
  expect(await mailbox.after(incident, 1, 100)).toEqual([]);
});

test('a comment is one line without secrets, and bidirectional controls are spelled out', async () => {
  const comment = 'ours:\n‮ mysql -psecretpass <@U01ADA>';
  await post(githubDelivery({ ...closed, event: 'issue_comment', action: 'created', comment }));
  const [told = ''] = await words();
  expect(told).toContain('github 7 has a comment from lea: ours: \\u{202e}');
  expect(told).not.toContain('secretpass');
});

test('while the incident cannot be told, the event is kept, and the sender is asked to send it again', async () => {
  isDown = true;
  const delivery = githubDelivery(closed);
  expect(await post(delivery)).toBe(503);
  isDown = false;
  expect(await post(delivery)).toBe(204);
  expect(await words()).toHaveLength(1);
  expect(nudged).toEqual([incident]);
});

test('a ticket of no incident reaches no incident', async () => {
  expect(await post(githubDelivery({ ...closed, number: 8 }))).toBe(204);
  expect([nudged, await words()]).toEqual([[], []]);
});

test('anything unsigned, too large, from another system or not a POST is refused', async () => {
  expect(await post(githubDelivery({ ...closed, secret: 'another' }))).toBe(401);
  expect(refused).toEqual(['X-Hub-Signature-256 is missing or not valid']);
  const large = githubDelivery({ ...closed, login: 'a'.repeat(300_000) });
  expect(await post(large).catch(() => 413)).toBe(413);
  expect(await post(githubDelivery(closed), 'jira')).toBe(404);
  expect(await post(githubDelivery(closed), 'github', 'GET')).toBe(405);
  expect(await words()).toEqual([]);
});

test('bodies that arrive too slowly are cut off, and make room for others', async () => {
  const impatient = await serve({ readWithinMs: 500 });
  const port = portOf(impatient);
  const head = 'POST /inbound/github HTTP/1.1\r\nhost: desk\r\ncontent-length: 10\r\n\r\n';
  const ended = Array.from({ length: 16 }, () => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${head}half`));
    return new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
  });
  try {
    await Promise.all(ended);
    expect(await post(githubDelivery(closed), 'github', 'POST', port)).toBe(204);
  } finally {
    await stop(impatient);
  }
});

test('at most 500 events are kept per incident', async () => {
  for (let index = 0; index < 510; index += 1)
    await mailbox.put('github', `delivery-${index}`, { ticket: '7', deed: 'commented', by: 'eve', text: String(index) });
  expect(await mailbox.after(incident, 0, 1_000)).toHaveLength(500);
});
