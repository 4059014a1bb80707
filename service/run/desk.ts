import { createServer, type Server } from 'node:http';
import type { Client } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import { openTicketImplementation } from '../../activities/actions/open-ticket.ts';
import { createCellActivities } from '../../activities/cell.ts';
import { createChokepoint } from '../../activities/chokepoint.ts';
import { type ContainmentFirst, cellContainsFirst, deskContainsFirst } from '../../activities/containment-first.ts';
import { createDeskActivities } from '../../activities/desk.ts';
import { createFollowUpActivities } from '../../activities/follow-up.ts';
import { openTicketInput } from '../../core/actions/open-ticket.schema.ts';
import { openTicket } from '../../core/actions/open-ticket.ts';
import type { AuditStore } from '../../core/audit-store.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { createCardStore } from '../../integrations/database/card-store.ts';
import { type Database, openDatabase } from '../../integrations/database/database.ts';
import { createIncidentIndex } from '../../integrations/database/incident-index.ts';
import { openSigner } from '../../integrations/keys/ed25519.ts';
import { createSlackDesk, type SlackDesk } from '../../integrations/slack/desk.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { createActivityWorker, type WorkerBase } from '../temporal/workers.ts';
import { createCardMenu } from './card-menu.ts';
import { createClickVotes } from './click-votes.ts';
import { createDeskMetrics, type DeskMetrics } from './desk-metrics.ts';
import { createPager, createTickets } from './follow-up.ts';
import { Journal } from './journal.ts';
import { type Logger, reasonOf } from './log.ts';
import { startNotary } from './notary.ts';
import { createDuty, type OutsideDuty } from './on-call.ts';
import { createRestraintOrders } from './restraint-orders.ts';
import { noCensus, rulesOf } from './rules.ts';
import { createSlash } from './slash.ts';
import { createSuppressionProposals } from './suppression-proposals.ts';
import { createVoteKeys } from './vote-keys.ts';

export interface DeskParts {
  readonly config: Config;
  readonly secrets: Secrets;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly taskQueue: string;
  readonly first: ContainmentFirst;
  readonly log: Logger;
}

export interface RunningDesk {
  readonly url: string;
  /** What incidents ask of the desk. */
  createWorker(base: WorkerBase): Promise<Worker>;
  stop(): Promise<void>;
}

/** The desk: Slack, tickets and the records. It holds no cluster rights, and hears clicks before Temporal is there. */
export async function startDesk(parts: DeskParts): Promise<RunningDesk> {
  const { config, secrets, taskQueue, log } = parts;
  const database = await openDatabase({ url: secrets.auditUrl ?? '' });
  const store = createAuditStore(database);
  const journal = new Journal({ store, chain: `desk/${config.cluster}`, log: (problem) => log.error(problem) });
  const duty = createDuty({ config, secrets, log });
  const slack = await createSlack({ parts, database, store, journal, duty });
  const deskActivities = deskContainsFirst(
    createDeskActivities({
      audit: store,
      incidents: createIncidentIndex(database),
      log: (message, error) => log.warn({ reason: reasonOf(error) }, message),
      ...(slack ? { cards: slack } : {}),
    }),
    parts.first,
  );

  const tickets = createTickets({ config, secrets, database });
  const pager = createPager({ config, secrets });
  const followUpActivities = createFollowUpActivities({ ...(tickets && { tickets }), ...(pager && { pager }) });
  const chokepoint = createChokepoint({
    actions: [{ declaration: openTicket, input: openTicketInput, implementation: openTicketImplementation({ tickets }) }],
    rules: rulesOf(config),
    roster: config.roster,
    keys: createVoteKeys({ deskPublicKeys: [], roster: config.roster }),
    census: noCensus,
    evidenceKept: async () => false,
  });
  const cellActivities = createCellActivities({
    chokepoint,
    roster: config.roster,
    keys: createVoteKeys({ deskPublicKeys: [], roster: config.roster }),
    log,
  });
  const notary = await startNotary({ config, store, log });
  const server = await listen({
    ...config.desk.listen,
    slack,
    metrics: createDeskMetrics({ store, roster: config.roster }),
  });
  await slack?.open();
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : config.desk.listen.port;
  return {
    url: `http://${config.desk.listen.host}:${port}`,
    createWorker: (base) =>
      createActivityWorker({
        ...base,
        taskQueue,
        role: 'desk',
        activities: { ...cellContainsFirst(cellActivities, parts.first), ...deskActivities, ...followUpActivities },
        concurrency: 50,
      }),
    stop: async () => {
      duty?.stop();
      await slack?.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await notary.stop();
      await journal.flush();
      await database.close();
    },
  };
}

async function createSlack(options: {
  readonly parts: DeskParts;
  readonly database: Database;
  readonly store: AuditStore;
  readonly journal: Journal;
  readonly duty: OutsideDuty | undefined;
}): Promise<SlackDesk | undefined> {
  const { parts, database, store, journal, duty } = options;
  const { config, secrets, client, log } = parts;
  if (!config.slack || !secrets.slack) return undefined;
  const signer = await openSigner({ file: config.desk.voteKeyFile });
  const votes = createClickVotes({
    roster: config.roster,
    duty,
    signer,
    client,
    refused: ({ reason, click, person }) =>
      void journal.record({
        kind: 'click.refused',
        actor: person ? `person/${person}` : `slack/${click.slackUser}`,
        body: { reason, incident: click.button.incident.id, question: click.button.question, choice: click.button.choice },
      }),
  });
  const suppressions = createSuppressionProposals({
    config,
    signer,
    records: store,
    client,
    refused: ({ reason, person, incident }) =>
      void journal.record({ kind: 'click.refused', actor: person, body: { reason, incident, choice: 'suppress' } }),
  });
  const restraints = createRestraintOrders({
    config,
    signer,
    client,
    refused: ({ reason, person, choice }) =>
      void journal.record({ kind: 'command.refused', actor: person, body: { reason, choice } }),
  });
  return createSlackDesk({
    appId: config.slack.appId,
    teamId: config.slack.teamId,
    channel: config.slack.channel,
    ...(config.slack.apiUrl === undefined ? {} : { apiUrl: config.slack.apiUrl }),
    ...secrets.slack,
    cards: createCardStore(database),
    mayAnswer: votes.mayAnswer,
    onClick: votes.vote,
    onMenu: createCardMenu({
      config,
      signer,
      client,
      votes,
      suppressions,
      refused: ({ reason, click }) =>
        void journal.record({
          kind: 'click.refused',
          actor: `slack/${click.slackUser}`,
          body: { reason, incident: click.button.incident.id, question: click.button.question, choice: click.button.choice },
        }),
    }),
    onCommand: createSlash({
      config,
      client,
      votes,
      suppressions,
      restraints,
      refused: ({ reason, command }) =>
        void journal.record({ kind: 'command.refused', actor: `slack/${command.slackUser}`, body: { reason } }),
    }),
    onProposal: suppressions.propose,
    onRestraint: restraints.propose,
    onRefused: ({ reason, slackUser, buttonId, detail }) =>
      journal.record({
        kind: 'click.refused',
        actor: `slack/${slackUser ?? 'unknown'}`,
        body: { reason, button: buttonId ?? null, detail },
      }),
    log: (message, facts) => log.warn(facts, message),
  });
}

function listen({
  host,
  port,
  slack,
  metrics,
}: {
  readonly host: string;
  readonly port: number;
  readonly slack: SlackDesk | undefined;
  readonly metrics: DeskMetrics;
}): Promise<Server> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type });
      response.end(text);
    };
    if (slack?.listener && path.startsWith('/slack/')) return slack.listener(request, response);
    if (path === '/metrics')
      return void metrics.text().then(
        (text) => answer(200, text, metrics.contentType),
        () => answer(503, 'The records cannot be read now.\n'),
      );
    if (path === '/healthz' || path === '/readyz') return answer(200, 'ok\n');
    answer(404, 'The desk answers at /slack/events, /metrics, /healthz and /readyz.\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}
