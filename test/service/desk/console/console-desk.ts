import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import type { AuditRecord } from '../../../../core/audit/audit.ts';
import { type ConsoleSession, session as sessionShape } from '../../../../core/console/console.schema.ts';
import { incidentKeyOf } from '../../../../core/console/incident-summary.ts';
import { sha256Hex } from '../../../../core/text/digest.ts';
import { createAlertArchive } from '../../../../integrations/database/alert-archive.ts';
import { createAuditStore } from '../../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../../integrations/database/database.ts';
import type { Database } from '../../../../integrations/database/queries.ts';
import { portOf } from '../../../../integrations/http-door.ts';
import { signerFrom } from '../../../../integrations/keys/ed25519.ts';
import { loadConfig } from '../../../../service/config/load.ts';
import type { Secrets } from '../../../../service/config/secrets.ts';
import { type ConsoleCards, createDeskConsole, type DeskConsole } from '../../../../service/desk/console/console.ts';
import { RequestBudget } from '../../../../service/desk/console/request-budget.ts';
import { listenAtDesk } from '../../../../service/desk/desk.ts';
import { Journal } from '../../../../service/desk/journal.ts';
import type { createSignIns } from '../../../../service/desk/pages/sign-ins-desk.ts';
import { RefusalCounts } from '../../../../service/process/refusal-counts.ts';
import { deviceTokens } from '../../../fakes/oidc/device.ts';
import { type IdentityProvider, startIdentityProvider } from '../../../fakes/oidc/provider.ts';
import { deskMaker, makerOf, makersTrust } from '../../../suites/signed-records.ts';

/** Groups of each person at the provider, by `sub-NAME`. */
const groupsOf: Readonly<Record<string, readonly string[]>> = {
  'sub-viewer': ['viewers', 'everything'],
  'sub-responder': ['responders', 'everything'],
  'sub-ana': ['approvers', 'everything'],
  'sub-admin': ['admins', 'everything'],
  'sub-auditor': ['auditors', 'everything'],
  'sub-shop': ['viewers', 'team-shop'],
  'sub-bank': ['admins', 'team-bank'],
  'sub-homeless': ['viewers'],
  'sub-nobody': ['others'],
};

/** Keys that seal its payloads, and the alerts next to its records. */
export const codecKeys = [{ id: 'k1', key: new Uint8Array(32).fill(7) }];

/** Parts from which Slack's side of a desk is made. */
type SlackSide = Pick<Parameters<typeof createSignIns>[0], 'config' | 'secrets' | 'database' | 'journal' | 'log'>;

export interface ConsoleDesk {
  readonly url: string;
  readonly provider: IdentityProvider;
  readonly database: Database;
  /** What was added to the desk's own record. */
  readonly onRecord: () => Promise<readonly AuditRecord[]>;
  /** Stores records of an incident where the desk does, and notifies the console. */
  append(records: readonly AuditRecord[]): Promise<void>;
  /** Signs somebody in as a browser would. Returns the cookie and the session. */
  signIn(name: string, display?: 'wall'): Promise<Person>;
  /** Signs somebody in by a device. Returns the token. */
  tokenOf(name: string): Promise<string>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface Person {
  readonly cookie: string;
  readonly session: ConsoleSession;
  /** Returns the answer, parsed with the shape. */
  read<Shape extends z.ZodType>(shape: Shape, path: string): Promise<z.output<Shape>>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

/** Starts the console of a desk on its own port, with a real identity provider and a real database. Temporal is down. */
export async function startConsoleDesk(
  options: {
    readonly slack?: (parts: SlackSide) => ConsoleCards;
    /** False: the command line is not used to look. */
    readonly commandLine?: false;
    readonly idTokenSeconds?: number;
    readonly budget?: RequestBudget;
    readonly lookEveryMs?: number;
    /** URL of an empty database. Absent: SQLite, in a separate folder. */
    readonly databaseUrl?: string;
  } = {},
): Promise<ConsoleDesk> {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-console-'));
  let handler: DeskConsole | undefined;
  let side: ConsoleCards | undefined;
  const server = await listenAtDesk({
    host: '127.0.0.1',
    port: 0,
    slack: undefined,
    inbound: undefined,
    signIn: { handle: (request, response) => side?.signIns.pages?.handle(request, response) },
    console: { handle: (request, response, proven) => handler?.handle(request, response, proven) ?? false },
  });
  const url = `http://127.0.0.1:${portOf(server)}`;
  const provider = await startIdentityProvider({
    clientId: 'firebreak',
    redirectUri: () => `${url}/sign-in/callback`,
    // Somebody who signs in is there at once.
    device: {
      clientId: 'firebreak-cli',
      pollSeconds: 0.05,
      ...(options.idTokenSeconds && { idTokenSeconds: options.idTokenSeconds }),
    },
    claimsOf: (sub) => ({ name: sub.replace('sub-', 'Name of '), groups: groupsOf[sub] ?? [] }),
  });
  const path = join(folder, 'firebreak.yaml');
  writeFileSync(
    path,
    `cluster: c
stateDir: .
intake: { tokens: [{ name: falco, token: { env: TOKEN } }] }
stepUp: { issuer: '${provider.issuer}', clientId: firebreak, publicUrl: '${url}' }
console:
  roles: { viewer: [viewers], responder: [responders], approver: [approvers], admin: [admins], auditor: [auditors] }
  tenants: { team-shop: [shop], team-bank: [bank] }
  everything: [everything]
${options.commandLine === false ? '' : '  commandLine: { clientId: firebreak-cli }'}
roster:
  people:
    - { id: ana, name: Ana, slack: [U1], subject: sub-ana }
    - { id: ben, name: Ben, slack: [U2], subject: sub-ben }
  groups: { oncall: [ana, ben], leads: [ana, ben] }
`,
  );
  const config = loadConfig({ path, env: {} });
  const database = await openDatabase({ url: options.databaseUrl ?? `sqlite:${join(folder, 'audit.db')}` });
  const store = createAuditStore(database);
  const log = { warn: () => undefined, error: () => undefined, info: () => undefined } as never;
  const journal = new Journal({
    store,
    chain: 'desk/c',
    signer: signerFrom({ pem: deskMaker.pem, name: 'the desk' }),
    log: () => undefined,
  });
  const secrets: Secrets = {
    codecKeys,
    temporalAccess: () => {
      throw new Error('Temporal is away');
    },
    intakeTokens: [],
    intakeSignatures: [],
  };
  side = options.slack?.({ config, secrets, database, journal, log });
  const start = (): DeskConsole => {
    const made = createDeskConsole({
      deadlines: async () => [],
      config,
      secrets,
      database,
      store,
      archive: createAlertArchive(database),
      trust: makersTrust,
      marks: { of: markOf, isOf: (content, mark) => mark === markOf(content) },
      journal,
      refusals: new RefusalCounts({ tell: () => undefined }),
      duty: undefined,
      slack: side,
      threadOf: undefined,
      client: () => undefined,
      log,
      // A waiting test asks more often than people do.
      ...(options.lookEveryMs !== undefined && { lookEveryMs: options.lookEveryMs }),
      budget: options.budget ?? new RequestBudget({ perSecond: 100_000, burst: 100_000 }),
    });
    if (!made) throw new Error('the console is configured');
    return made;
  };
  handler = start();
  const signIn = async (name: string, display?: 'wall'): Promise<Person> => {
    provider.person = `sub-${name}`;
    const jar = new Map<string, string>();
    let next = `${url}/console/sign-in?to=/console/incidents${display ? `&display=${display}` : ''}`;
    for (let hop = 0; hop < 12; hop += 1) {
      const response = await fetch(next, {
        redirect: 'manual',
        headers: { cookie: [...jar].map(([cookie, value]) => `${cookie}=${value}`).join('; ') },
      });
      for (const line of response.headers.getSetCookie()) {
        const [pair = ''] = line.split(';');
        jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
      }
      const location = response.headers.get('location');
      if (location === null) throw new Error(`${response.status}: ${await response.text()}`);
      next = new URL(location, next).href;
      if (next.startsWith(`${url}/console/incidents`)) break;
    }
    const cookie = `firebreak=${jar.get('firebreak')}`;
    const get: Person['get'] = (at, headers = {}) => fetch(`${url}${at}`, { headers: { cookie, ...headers } });
    const read: Person['read'] = async (shape, at) => {
      const response = await get(at);
      if (!response.ok) throw new Error(`${at}: ${response.status}: ${await response.text()}`);
      return shape.parse(await response.json());
    };
    const session = await read(sessionShape, '/api/v1/session');
    return {
      cookie,
      session,
      read,
      get,
      post: (at, body, headers = {}) =>
        fetch(`${url}${at}`, {
          method: 'POST',
          body: JSON.stringify(body),
          headers: {
            cookie,
            'content-type': 'application/json',
            'x-firebreak-csrf': session.csrf ?? '',
            origin: url,
            ...headers,
          },
        }),
    };
  };
  return {
    url,
    provider,
    database,
    onRecord: async () => {
      await journal.flush();
      return (await store.storedChain('desk/c')).records.flatMap(({ signed }) => signed?.record ?? []);
    },
    append: async (records) => {
      await store.append(records.map((record) => makerOf(record.chain).sign(record)));
      handler?.note(records);
    },
    signIn,
    tokenOf: async (name) => (await deviceTokens(provider, 'firebreak-cli', `sub-${name}`)).id_token,
    restart: async () => {
      await handler?.stop();
      handler = start();
    },
    stop: async () => {
      await handler?.stop();
      await provider.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Somebody with only the database's password could make this mark, too: preventing that is the real desk's task. */
export function markOf(content: string): string {
  return sha256Hex(`mark of ${content}`);
}

/** The first records of an incident in that namespace: one critical alert, contained. */
export function incidentRecords(
  namespace: string,
  name = 'cart',
  run = 'run-1',
  at = '2026-03-01T14:02:11.000Z',
): readonly AuditRecord[] {
  const chain = `incident/c/${namespace}/Deployment/${name}@${run}`;
  const pod = `${namespace}/${name}-1`;
  const counts = [{ rule: 'Drop and execute', severity: 'critical', pod, count: 2, firstSeen: at, lastSeen: at }];
  const plan = {
    action: 'quarantinePod',
    effect: 'reversible',
    target: { name: `pod/${pod}` },
    changes: [{ target: `pod/${pod}`, what: 'cuts it off' }],
  };
  const kinds: readonly (readonly [string, string, Readonly<Record<string, unknown>>])[] = [
    ['incident.opened', 'sensor/falco', { text: '2 × Drop and execute', counts, alerts: [] }],
    ['playbook.started', 'playbook/contain', { text: 'Contain', subject: pod }],
    ['step.applied', 'playbook/contain', { text: 'Quarantine', step: 's1', action: 'quarantinePod', plan, output: null }],
    [
      'step.checked',
      'engine',
      { text: 'looked at', step: 's1', verification: { state: 'verified', detail: 'a probe was refused' } },
    ],
  ];
  return kinds.map(([kind, actor, body], index) => ({ chain, number: index + 1, at, kind, actor, body }));
}

export function keyOf(namespace: string, name = 'cart', run = 'run-1'): string {
  return incidentKeyOf(`incident/c/${namespace}/Deployment/${name}@${run}`);
}
