import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';
import { openTicketImplementation } from '../../activities/actions/open-ticket.ts';
import { createCellActivities } from '../../activities/chokepoint/cell.ts';
import { createChokepoint } from '../../activities/chokepoint/chokepoint.ts';
import { cellContainsFirst, deskContainsFirst } from '../../activities/chokepoint/containment-first.ts';
import { registeredActions } from '../../activities/chokepoint/registered.ts';
import { deskCallOwners, followUpCallOwners, ownedByCaller, stepsSpeakFor } from '../../activities/desk/call-owners.ts';
import { type AlertKeeper, createDeskActivities } from '../../activities/desk/desk.ts';
import { createFollowUpActivities } from '../../activities/desk/follow-up.ts';
import { withHeartbeats } from '../../activities/heartbeat.ts';
import { IncidentMemory } from '../../activities/memory/incident-memory.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { AlertArchive } from '../../core/audit/alert-archive.ts';
import type { AuditRecord } from '../../core/audit/audit.ts';
import type { VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { CardBeliefs } from '../../core/cards/question-card.ts';
import { isSlackMessage, type ThreadOf } from '../../core/cards/thread-link.ts';
import { keysThatSignFor } from '../../core/decide/vote-check.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';
import type { LineMarks } from '../../core/incident/similar.ts';
import { personById } from '../../core/people/roster.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { createAlertArchive } from '../../integrations/database/alert-archive.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createIncidentIndex } from '../../integrations/database/incident-index.ts';
import { createThreadPlaces } from '../../integrations/database/thread-places.ts';
import { createTicketMailbox } from '../../integrations/database/ticket-mailbox.ts';
import { answer, listenAt, type Metrics, portOf } from '../../integrations/http-door.ts';
import { openSigner } from '../../integrations/keys/ed25519.ts';
import type { SlackDesk } from '../../integrations/slack/desk.ts';
import { listening } from '../config/listening.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { readPublicKeys } from '../process/keys/key-files.ts';
import { createVoteKeys } from '../process/keys/vote-keys.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { firebreakVersion } from '../process/project-root.ts';
import { RefusalCounts } from '../process/refusal-counts.ts';
import { repeat } from '../process/repeat.ts';
import { askingOf, noCensus, rulesOf } from '../process/rules.ts';
import { openRoleSigner, openTrust } from '../process/trust.ts';
import { nameStewards, recordConfiguration } from '../records/at-start.ts';
import { startStreams } from '../streams/streams.ts';
import { createActivityWorker, type WorkerBase } from '../temporal/workers.ts';
import { createDeskConsole, type DeskConsole } from './console/console.ts';
import { createDeadlines, deadlinesEveryMs } from './deadlines.ts';
import { createDeskMetrics } from './desk-metrics.ts';
import { DoubledRecords } from './doubled-records.ts';
import {
  boundPager,
  boundTickets,
  consoleLinked,
  createInboundPager,
  createPager,
  linkingPager,
  openTickets,
  threaded,
} from './follow-up.ts';
import { createInboundTickets, type InboundTickets, inboundPrefix, nudgeThrough } from './inbound-tickets.ts';
import { Journal } from './journal.ts';
import { startNotary } from './notary.ts';
import { bothDuties, createDuty } from './on-call.ts';
import type { SignInPages } from './pages/sign-in-pages.ts';
import type { DeskParts } from './parts.ts';
import { accountsOnCall, withPeople } from './people-on-cards.ts';
import { createRetention, retentionEveryMs } from './retention.ts';
import { runNews, runNewsEveryMs } from './run-news.ts';
import { createSlack } from './slack.ts';
import { createUserGroupDuty } from './user-groups.ts';
import { wouldHaveEveryMs, wouldHaveMessages } from './would-have-messages.ts';

interface RunningDesk {
  readonly url: string;
  /** Metrics about how people decide and about the state of streams. */
  readonly metrics: readonly Metrics[];
  /** Creates the worker for what incidents request from the desk. */
  createWorker(base: WorkerBase): Promise<Worker>;
  stop(): Promise<void>;
}

/** The keys whose answers the desk can attribute to people: its own, those of other known desks, and people's own keys. */
async function beliefsOf(config: Config, log: Logger): Promise<CardBeliefs> {
  const { roster, desk } = config;
  const { publicKey } = await openSigner({ file: desk.voteKeyFile });
  const others = await readPublicKeys(desk.votePublicKeys).catch((error: unknown) => {
    log.warn({ reason: reasonOf(error) }, 'cannot show answers from other desks: their public keys cannot be read');
    return [];
  });
  return { roster, keys: createVoteKeys({ deskPublicKeys: [publicKey, ...others], roster }) };
}

/** The signers whose orders on record count: the same as for answers on cards. */
function signersOf({ roster, keys }: CardBeliefs): VoteSigners {
  return {
    keyIds: [...keys.deskKeyIds, ...roster.people.flatMap((person) => keys.keyIdsOf(person))],
    keyIdsFor: (id, via) => {
      const person = personById(roster, id);
      return person ? keysThatSignFor(keys, person, via) : [];
    },
    verify: ({ keyId, bytes, signature }) => keys.verify(keyId, bytes, signature),
  };
}

/** A store that reports records once they are written. */
function telling(
  store: AuditStore,
  ...hearers: readonly ((records: readonly AuditRecord[]) => void)[]
): Pick<AuditStore, 'append'> {
  return {
    append: async (signed) => {
      const appended = await store.append(signed);
      const records = signed.map(({ record }) => record);
      for (const hear of hearers) hear(records);
      return appended;
    },
  };
}

/** Starts the desk: Slack, tickets and the records. It holds no cluster rights, and receives clicks before Temporal is available. */
export async function startDesk(parts: DeskParts): Promise<RunningDesk> {
  const { config, secrets, taskQueue, log } = parts;
  const database = await openDatabase({ url: secrets.auditUrl ?? '' });
  const store = createAuditStore(database);
  const archive = createAlertArchive(database);
  const trust = openTrust(config, 'desk');
  const signer = await openRoleSigner(config, 'desk');
  const journalChain = `desk/${config.cluster}`;
  const journal = new Journal({
    store,
    chain: journalChain,
    signer,
    log: (problem) => log.error(problem),
  });
  // Not awaited: its subject is rare.
  const named = { roster: config.roster, groups: config.evidence.stewards, desk: config.cluster };
  void nameStewards({ store, trust, signer, ...named }).catch((error: unknown) =>
    log.error({ reason: reasonOf(error) }, 'cannot record who the stewards are; trying again at the next start'),
  );
  const running = { sha256: config.fileSha256, version: firebreakVersion() };
  void recordConfiguration({ store, trust, journal, chain: journalChain, running }).catch((error: unknown) =>
    log.warn({ reason: reasonOf(error) }, 'cannot record the configuration; trying again at the next start'),
  );
  const metrics = createDeskMetrics({ store, trust, roster: config.roster });
  const refusals = new RefusalCounts({
    tell: (refused) => {
      log.warn({ ...refused }, 'refused requests from strangers at the desk');
      void journal.record({ kind: 'door.refused', actor: 'desk', body: { ...refused } });
    },
  });
  const duty = bothDuties(createDuty({ config, secrets, log }), createUserGroupDuty({ config, secrets, log }));
  const beliefs = await beliefsOf(config, log);
  const linesOf = (incident: IncidentRef) => deadlines.linesOf(incident);
  const slack = await createSlack({ parts, database, store, journal, trust, refusals, duty, beliefs, deadlines: linesOf });
  const threadOf = slack && createThreadOf(slack.desk.threadUrl);
  const marks = lineMarks(secrets);
  const console = createDeskConsole({
    ...{ config, secrets, database, store, archive, trust, marks, journal, refusals, duty, threadOf, log },
    deadlines: linesOf,
    client: parts.client,
    slack: slack?.shown,
  });
  const report = (finding: Finding): void => {
    metrics.found(finding.kind);
    log.error({ ...finding }, 'the records do not verify: run `firebreak audit verify`');
  };
  const doubled = new DoubledRecords({
    ...{ store, trust, report },
    note: (text) => log.info({}, text),
    failed: (error) => log.warn({ reason: reasonOf(error) }, 'a chain with a number twice cannot be read: tried again later'),
  });
  const deskActivities = deskContainsFirst(
    createDeskActivities({
      audit: telling(store, metrics.recorded, (records) => console?.note(records)),
      trust,
      archive: alertKeeper(config, secrets, archive),
      incidents: createIncidentIndex(database, { marks }),
      beliefs,
      log: (message, error) => log.warn({ reason: reasonOf(error) }, message),
      onFinding: (finding) => {
        const { kind, chain } = finding;
        if (kind === 'record-doubled' && chain !== undefined) doubled.cameTwice(chain);
        else report(finding);
      },
      ...(slack ? { cards: withPeople(slack.desk, { roster: config.roster, duty }) } : {}),
    }),
    parts.first,
  );

  const mailbox = createTicketMailbox(database);
  const places = createThreadPlaces(database);
  const opened = await openTickets({ secrets, database });
  const tickets = threaded(consoleLinked(boundTickets(opened.tickets, mailbox), config), { mailbox, places, threadOf });
  const pager = linkingPager(boundPager(createPager(secrets), mailbox), { answerLink: slack?.answerLink, threadOf });
  const [firstLevel] = config.incidents.levels;
  const { callMinutesBefore, entity, group = firstLevel?.group ?? '' } = config.incidents.deadlines;
  const deadlines = createDeadlines({
    ...{ store, trust, signers: signersOf(beliefs), entity, roster: config.roster, journal, pager, group, log },
    postInThread: slack?.desk.postInThread,
    before: callMinutesBefore.map((minutes) => minutes * 60_000),
  });
  const tellRunNews = runNews({
    ...{ store, trust, pager, group, log },
    postInThread: slack?.desk.postInThread,
    onCall: () => accountsOnCall(group, { roster: config.roster, duty, at: Date.now() }),
  });
  const followUpActivities = createFollowUpActivities({ ...(tickets && { tickets }), ...(pager && { pager }), mailbox });
  const inboundSystems = [opened.inbound, createInboundPager(secrets)].filter((system) => system !== undefined);
  const current = askingOf(config);
  const asking = () => current;
  const incidents = new IncidentMemory();
  const votes = new VoteMemory();
  const chokepoint = createChokepoint({
    actions: registeredActions({
      pool: 'desk',
      optIn: config.actions.optIn,
      implementations: { openTicket: openTicketImplementation({ tickets }) },
    }),
    rules: rulesOf(config),
    roster: config.roster,
    keys: createVoteKeys({ deskPublicKeys: [], roster: config.roster }),
    census: noCensus,
    hasEvidence: async () => false,
    evidenceWait: { ms: 0 },
    asking,
    incidents,
    votes,
  });
  const cellActivities = createCellActivities({
    chokepoint,
    roster: config.roster,
    keys: createVoteKeys({ deskPublicKeys: [], roster: config.roster }),
    asking,
    incidents,
    votes,
    log,
  });
  const streams = config.streams.length > 0 ? await startStreams({ config, secrets, database, trust, log }) : undefined;
  const notary = await startNotary({ config, access: secrets.logBucket, store, log, found: metrics.found });
  const server = await listening('desk.listen', config.desk.listen, () =>
    listenAtDesk({
      ...config.desk.listen,
      slack: slack?.desk,
      signIn: slack?.signIn,
      console,
      inbound:
        inboundSystems.length === 0
          ? undefined
          : createInboundTickets({
              systems: inboundSystems,
              mailbox,
              nudge: nudgeThrough(parts.client),
              refused: ({ system, reason }) => refusals.count(`inbound/${system}`, reason),
            }),
    }),
  );
  const retention = await createRetention({ config, store, trust, log });
  await slack?.desk.open();
  const stopping = new AbortController();
  void repeat({ work: () => expireAlerts(archive, config.audit.alertDays, log), everyMs: 3_600_000, signal: stopping.signal });
  void repeat({ work: tellRunNews, everyMs: runNewsEveryMs, signal: stopping.signal });
  void repeat({ work: deadlines.look, everyMs: deadlinesEveryMs, signal: stopping.signal });
  const tellWouldHave = slack && wouldHaveMessages({ store, trust, config, database, desk: slack.desk, log });
  if (tellWouldHave) void repeat({ work: tellWouldHave, everyMs: wouldHaveEveryMs, signal: stopping.signal });
  void repeat({ work: retention, everyMs: retentionEveryMs, signal: stopping.signal });
  return {
    url: `http://${config.desk.listen.host}:${portOf(server)}`,
    metrics: [metrics, deadlines.metrics, ...(streams ? [streams.metrics] : [])],
    createWorker: (base) =>
      createActivityWorker({
        ...base,
        taskQueue,
        role: 'desk',
        activities: {
          ...cellContainsFirst(ownedByCaller(cellActivities, stepsSpeakFor), parts.first),
          ...withHeartbeats(ownedByCaller(deskActivities, deskCallOwners)),
          ...withHeartbeats(ownedByCaller(followUpActivities, followUpCallOwners(mailbox))),
        },
        concurrency: 50,
      }),
    stop: async () => {
      duty?.stop();
      doubled.stop();
      await slack?.desk.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await notary.stop();
      await streams?.stop();
      stopping.abort();
      refusals.flush();
      await console?.stop();
      await journal.flush();
      await database.close();
    },
  };
}

/** Uses the payload key, which somebody with only the database's password does not have. */
function lineMarks({ codecKeys }: Pick<Secrets, 'codecKeys'>): LineMarks {
  const { seal, open } = createBox({ keys: codecKeys });
  const nothing = new Uint8Array();
  return {
    of: (content) => Buffer.from(seal(nothing, content)).toString('base64'),
    isOf: (content, mark) => {
      try {
        open(Buffer.from(mark, 'base64'), content);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Original alerts contain what commands and attackers wrote, so they are stored under the same key that the cell uses for its raw ones. */
function alertKeeper(
  { audit }: Pick<Config, 'audit'>,
  { codecKeys }: Pick<Secrets, 'codecKeys'>,
  archive: AlertArchive,
): AlertKeeper | undefined {
  if (audit.alertDays === 0) return undefined;
  const { seal } = createBox({ keys: codecKeys });
  return { keep: archive.keep, seal };
}

/** Also removes those kept by an earlier configuration with a longer period. */
async function expireAlerts(archive: AlertArchive, days: number, log: Logger): Promise<void> {
  try {
    await archive.expire(new Date(Date.now() - days * 86_400_000).toISOString());
  } catch (error) {
    log.warn({ reason: reasonOf(error) }, 'cannot delete expired alerts; trying again in an hour');
  }
}

/** The desk's listener for outside requests: Slack, people's browsers, ticket systems. Its own status is on another listener. */
export function listenAtDesk({
  host,
  port,
  slack,
  signIn,
  inbound,
  console,
}: {
  readonly host: string;
  readonly port: number;
  readonly slack: Pick<SlackDesk, 'listener'> | undefined;
  /** Set if the widest steps need a sign-in. */
  readonly signIn: SignInPages | undefined;
  /** Set if a ticket system may send us webhooks. */
  readonly inbound: InboundTickets | undefined;
  readonly console: Pick<DeskConsole, 'handle'> | undefined;
}): Promise<Server> {
  return listenAt({ host, port }, (request, response, proven) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (slack?.listener && path.startsWith('/slack/')) return slack.listener(request, response, proven);
    if (console?.handle(request, response, proven)) return;
    if (signIn && path.startsWith('/sign-in/')) return signIn.handle(request, response);
    if (inbound && path.startsWith(inboundPrefix)) return inbound.handle(request, response, proven);
    answer(response, { status: 404, body: 'The desk answers at /slack/events, /sign-in and /inbound.\n' });
  });
}

/** Maximum time that a ticket or a page waits for the link. */
const longestMs = 2_000;

/** Slack's link to an incident's thread, made safe: returns only an address of a message, quickly, and never passes on Slack's errors. */
export function createThreadOf(
  threadUrl: (incident: IncidentRef) => Promise<string | undefined>,
  withinMs: number = longestMs,
): ThreadOf {
  return async (incident) => {
    const over = new AbortController();
    const late = sleep(withinMs, undefined, { signal: over.signal }).catch(() => undefined);
    const url = await Promise.race([threadUrl(incident).catch(() => undefined), late]);
    over.abort();
    return url !== undefined && isSlackMessage(url) ? url : undefined;
  };
}
