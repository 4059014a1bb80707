import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { AlertArchive } from '../../../core/audit/alert-archive.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { provenOf } from '../../../core/audit/audit-check.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import type { ThreadOf } from '../../../core/cards/thread-link.ts';
import { chainOf, type IncidentSummary, listedOf } from '../../../core/console/incident-summary.ts';
import { openApiDescription } from '../../../core/console/open-api.schema.ts';
import { paced } from '../../../core/console/paced.ts';
import { type ConsoleRole, consolePath, signInPath } from '../../../core/console/routes.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { LineMarks } from '../../../core/incident/similar.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { createSessionStore } from '../../../integrations/database/console-sessions.ts';
import { createIncidentList, listBell } from '../../../integrations/database/incident-list.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createBearerTokens } from '../../../integrations/oidc/id-token.ts';
import { createSignInClient } from '../../../integrations/oidc/sign-in-client.ts';
import { describedPlaybooks } from '../../config/described-playbooks.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import { controlState, incidentState, sessionOver } from '../../incidents/session.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { firebreakVersion, projectRoot } from '../../process/project-root.ts';
import type { RefusalCounts } from '../../process/refusal-counts.ts';
import type { Journal } from '../journal.ts';
import type { OutsideDuty } from '../on-call.ts';
import type { SignIns } from '../pages/sign-ins-desk.ts';
import { createEventStream } from './event-stream.ts';
import { type ReadChain, readChain, readSamples, shownIncidentOf, shownRecords } from './incident-view.ts';
import { createListWriter, createSharedPages } from './live-list.ts';
import { createOverviews } from './overview.ts';
import { PackDrawings } from './pack-drawings.ts';
import { createConsoleQuestions } from './questions.ts';
import type { RequestBudget } from './request-budget.ts';
import { ConsoleResponses } from './response.ts';
import { createConsoleRouter, type RouteAnswers } from './router.ts';
import { RuleCoverage } from './rule-coverage.ts';
import { createSessions, type SignedIn } from './sessions.ts';
import { createConsoleSignIn, redirect } from './sign-in.ts';
import { createStaticFiles } from './static-files.ts';
import { createTokenSignIns } from './token-sign-ins.ts';

/** Somebody is waiting for the page: without an answer by then, it is built from the records. */
const stateWithinMs = 1_500;
/** Command lines and similar text may contain secrets of the workload. */
const seeAlerts: readonly ConsoleRole[] = ['responder', 'approver', 'admin', 'auditor'];

export interface DeskConsole {
  /** Returns whether the request was for the console; if so, it is answered. */
  handle(request: IncomingMessage, response: ServerResponse, proven: () => void): boolean;
  /** Called with records that are now in the store. */
  note(records: readonly AuditRecord[]): void;
  stop(): Promise<void>;
}

const leastRestMs = 100;

/** The parts of Slack's side that the console needs to answer questions. Absent: no questions are shown. */
export interface ConsoleCards {
  readonly cards: Pick<CardStore, 'openCards' | 'buttonsOf' | 'saveButtons' | 'button' | 'card'>;
  readonly signIns: SignIns;
}

/** Creates the desk's web console; undefined if none is configured. */
export function createDeskConsole(parts: {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly database: Database;
  readonly store: AuditStore;
  readonly archive: AlertArchive;
  readonly trust: Trust;
  readonly marks: LineMarks;
  readonly journal: Journal;
  readonly refusals: RefusalCounts;
  readonly duty: OutsideDuty | undefined;
  readonly slack: ConsoleCards | undefined;
  readonly threadOf: ThreadOf | undefined;
  /** The state of an incident's notifications, one line each. */
  readonly deadlines: (incident: IncidentRef) => Promise<readonly string[]>;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly log: Logger;
  /** Request limit per client. Absent: enough for the console itself and a person with several windows. */
  readonly budget?: RequestBudget;
  /** How soon changes by another desk are seen if no database notification arrives. */
  readonly lookEveryMs?: number;
}): DeskConsole | undefined {
  const { config, secrets, database, store, archive, trust, marks, journal, refusals, duty, slack, threadOf, client, log } =
    parts;
  const { console: section, stepUp, roster } = config;
  const [key] = secrets.codecKeys;
  if (!section || !stepUp || !key) return undefined;
  const { issuer, clientId, publicUrl, jwksFile } = stepUp;
  const { commandLine } = section;
  const warn = (message: string, error: unknown): void => log.warn({ reason: reasonOf(error) }, message);
  const list = createIncidentList(database, {
    marks,
    records: async (chain) =>
      [...provenOf((await store.storedChain(chain)).records, trust).records].sort((a, b) => a.number - b.number),
  });
  const sessions = createSessions({
    section,
    roster,
    store: createSessionStore(database, (id) => createHash('sha256').update(id).digest('hex')),
    key: key.key,
    publicUrl,
  });
  const withoutRole = (subject: string): void => {
    log.warn({ subject }, 'somebody without a role signed in to the console');
    refusals.count('console', 'no role');
  };
  const begun = (who: SignedIn): void =>
    void journal.record({
      kind: 'console.signed-in',
      actor: actorOf(who),
      body: { by: who.by, roles: who.roles, visible: who.visible },
    });
  const tokens =
    commandLine &&
    createTokenSignIns({
      section,
      roster,
      tokens: createBearerTokens({ issuer, audience: commandLine.clientId, ...(jwksFile !== undefined && { jwksFile }) }),
      begun,
      refused: withoutRole,
    });
  const signIn = createConsoleSignIn({
    client: createSignInClient({
      issuer,
      clientId,
      ...(secrets.stepUpClient !== undefined && { clientSecret: secrets.stepUpClient }),
      redirectUri: `${publicUrl}/sign-in/callback`,
      scopes: section.scopes,
    }),
    sessions,
    groupsClaim: section.groupsClaim,
    key: key.key,
    publicUrl,
    signedIn: begun,
    refused: ({ subject }) => withoutRole(subject),
    log: warn,
  });
  const state = async (incident: IncidentSummary['incident']): Promise<IncidentState | undefined> => {
    const connected = client();
    return connected && incidentState(sessionOver(config, connected, stateWithinMs), incident).catch(() => undefined);
  };
  const questions =
    slack?.signIns.asked &&
    createConsoleQuestions({ cards: slack.cards, asked: slack.signIns.asked, signIns: slack.signIns, roster, duty });
  const control = async (cluster: string): Promise<ControlState | undefined> => {
    const connected = client();
    return connected && controlState(sessionOver(config, connected, stateWithinMs), cluster).catch(() => undefined);
  };
  const overviews = createOverviews({
    config,
    list,
    store,
    trust,
    openQuestions: questions && ((who) => questions.count(who)),
    control,
  });
  const responses = new ConsoleResponses({ config, store, trust, control });
  const coverage = new RuleCoverage(config);
  const drawings = new PackDrawings(config.packs);
  const pages = createSharedPages(list);
  const events = createEventStream({
    list,
    told: pages.changed,
    lasts: async (who) => (who.by === 'token' ? Date.now() < who.endsAt : sessions.listens(who)),
    publicUrl,
    log: warn,
    ...(parts.lookEveryMs !== undefined && { lookEveryMs: parts.lookEveryMs }),
  });
  const samplesBox = createBox({ keys: secrets.codecKeys });

  const found = async (who: SignedIn, incident: string): Promise<IncidentSummary> => {
    const summary = await list.find(incident, who.visible);
    if (!summary) throw new FirebreakError('FB_ERR_NOT_FOUND', 'There is no such incident, or you may not see it.');
    return summary;
  };
  const shown = async (who: SignedIn, summary: IncidentSummary, chain: ReadChain) => {
    const { incident } = summary;
    const now = await state(incident);
    const maySeeAlerts = who.roles.some((role) => seeAlerts.includes(role));
    const [asked, samples, thread, deadlines] = await Promise.all([
      questions && who.roles.some((role) => role === 'responder' || role === 'approver' || role === 'admin')
        ? questions.ofIncident(who, incident, now)
        : { all: [], leases: new Map<string, string>() },
      maySeeAlerts
        ? readSamples({ archive, open: samplesBox.open, trust, summary }).catch((error: unknown) => {
            warn('the alerts of an incident could not be read', error);
            return [];
          })
        : [],
      threadOf?.(incident),
      parts.deadlines(incident),
    ]);
    const temporal = section.temporalUrl && temporalLink(section.temporalUrl, config.temporal.namespace, incident);
    return shownIncidentOf({ summary, chain, state: now, asked, samples, deadlines, roster, links: { thread, temporal } });
  };
  const noQuestions = (): FirebreakError =>
    new FirebreakError('FB_ERR_NOT_FOUND', 'Slack is not configured: answer questions on the command line.');

  const answers: RouteAnswers = {
    session: async ({ who }) => ({
      person: { id: who.person?.id ?? null, name: who.name },
      roles: [...who.roles],
      namespaces: who.visible === 'all' ? null : [...who.visible],
      csrf: who.csrf,
      endsAt: new Date(who.endsAt).toISOString(),
      wall: who.by === 'wall',
      idleMinutes: section.idleMinutes,
      cluster: config.cluster,
      version: firebreakVersion(),
    }),
    incidents: async ({ who, query }) => {
      const { items, next } = await pages.page(query, who.visible);
      return { items: items.map(listedOf), next };
    },
    incident: async ({ who, params }) => {
      const summary = await found(who, params.key);
      return shown(who, summary, await readChain(store, trust, chainOf(summary.incident)));
    },
    records: async ({ who, params }) => {
      const summary = await found(who, params.key);
      return shownRecords(await readChain(store, trust, chainOf(summary.incident)), trust);
    },
    incidentExport: async ({ who, params }) => {
      const summary = await found(who, params.key);
      const chain = await readChain(store, trust, chainOf(summary.incident));
      // On record first: once it is handed out, it cannot be taken back.
      await journal.record({ kind: 'console.exported', actor: actorOf(who), body: { incident: chainOf(summary.incident) } });
      return {
        exportedAt: new Date().toISOString(),
        by: who.name,
        incident: await shown(who, summary, chain),
        records: shownRecords(chain, trust),
      };
    },
    questions: async ({ who }) => ({ items: questions ? [...(await questions.list(who))] : [] }),
    question: async ({ who, params }) => {
      if (!questions) throw noQuestions();
      return questions.find(who, params.question);
    },
    answer: async ({ who, params, body }) => {
      if (!questions) throw noQuestions();
      return questions.answer(who, params.question, body);
    },
    overview: ({ who }) => overviews.overview(who),
    playbooks: async () => ({ items: [...describedPlaybooks(config, Date.now())] }),
    drawings: ({ query }) => drawings.of(query.playbook),
    coverage: ({ query }) => coverage.shown(query.playbook),
    response: async ({ who }) => responses.shown(who.visible),
    explain: ({ who, query }) => responses.explained(query, who.visible),
    wouldHave: ({ who, query }) => responses.wouldHave(Number(query.days ?? '7'), who.visible),
    people: () => overviews.people(),
  };

  const router = createConsoleRouter({
    sessions,
    tokens,
    deviceSignIn: commandLine && { issuer, clientId: commandLine.clientId, scopes: section.scopes },
    answers,
    openApi: openApiDescription(firebreakVersion()),
    stream: events.open,
    publicUrl,
    refused: (who, route) => void journal.record({ kind: 'console.refused', actor: actorOf(who), body: { route } }),
    stranger: (reason) => refusals.count('console', reason),
    signedOut: (who) => void journal.record({ kind: 'console.signed-out', actor: actorOf(who), body: {} }),
    log: warn,
    ...(parts.budget && { budget: parts.budget }),
  });
  const files = createStaticFiles({ folder: join(projectRoot(), 'dist', 'console'), publicUrl });
  const changed = (): void => {
    pages.changed();
    events.changed();
  };
  const writer = createListWriter({ list, changed, warn });
  // Anyone who can reach the database can ring: however often they do, each ring costs only one look.
  const stopHearing = database.bell?.hear(
    listBell,
    paced(changed, (over) => setTimeout(over, leastRestMs).unref()),
  );
  writer.catchUp();
  void overviews.prepare();

  return {
    handle: (request, response, proven) => {
      const path = (request.url ?? '').split('?')[0] ?? '';
      if (path.startsWith('/api/')) {
        router.handle(request, response, proven);
        return true;
      }
      if (path === signInPath) {
        signIn.handle(request, response);
        return true;
      }
      if (path === '/sign-in/callback') {
        signIn
          .isOwnCallback(request, response)
          .then((isOwn) => (isOwn ? signIn : (slack?.signIns.pages ?? signIn)).handle(request, response))
          .catch((error: unknown) => {
            warn('a sign-in could not be completed', error);
            response.destroy();
          });
        return true;
      }
      if (path === '/' || path === consolePath.slice(0, -1)) {
        request.resume();
        redirect(response, `${publicUrl}${consolePath}`);
        return true;
      }
      if (!path.startsWith(consolePath)) return false;
      files.handle(request, response).catch((error: unknown) => {
        warn('a file of the console could not be sent', error);
        response.destroy();
      });
      return true;
    },
    note: writer.note,
    stop: async () => {
      events.stop();
      await stopHearing?.();
      await writer.stop();
    },
  };
}

/** People on the roster by their roster id; others by their subject at the provider. */
function actorOf({ person, subject }: SignedIn): string {
  return person ? `person/${person.id}` : `oidc/${subject.slice(0, 100)}`;
}

function temporalLink(base: string, namespace: string, { id, run }: IncidentSummary['incident']): string {
  return `${base}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(id)}/${encodeURIComponent(run)}`;
}
