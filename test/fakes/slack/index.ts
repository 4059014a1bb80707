import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Carrier } from './carrier.ts';
import { handleControl } from './control.ts';
import { type Fault, Faults } from './faults.ts';
import { sendJson } from './http.ts';
import type {
  ClickOptions,
  CommandOptions,
  Delivery,
  Forgery,
  SentRequest,
  ShortcutOptions,
  SubmitOptions,
} from './interaction.ts';
import { Interactions } from './interactions.ts';
import { RateLimits } from './methods/limits.ts';
import { handleResponseUrl } from './methods/response-url.ts';
import { Page } from './page/page.ts';
import { type DisconnectReason, SocketMode } from './socket-mode.ts';
import { type ApiCall, WebApi } from './web-api.ts';
import { type FakeChannel, type FakeMessage, type FakeUser, SlackWorld } from './world.ts';

export type { ApiCall, ClickOptions, Delivery, DisconnectReason, FakeChannel, FakeMessage, FakeUser, Forgery, SentRequest };

export interface SlackEmulatorOptions {
  /** 0 or absent: any free one. */
  readonly port?: number;
  /** The name under which others, possibly on other machines, find it. Absent: it listens only on 127.0.0.1. */
  readonly name?: string;
  readonly signingSecret: string;
  readonly botToken: string;
  readonly appId: string;
  readonly teamId: string;
  readonly teamName?: string;
  readonly appName?: string;
  readonly users: readonly FakeUser[];
  readonly channels: readonly FakeChannel[];
  readonly userGroups?: Readonly<Record<string, readonly string[]>>;
  readonly scopes?: readonly string[];
  /** If set, Socket Mode is on: what people do goes over the app's connections, and nothing to a Request URL. */
  readonly appToken?: string;
  readonly appScopes?: readonly string[];
  /** Callback ids of the message shortcuts in the app's manifest. */
  readonly shortcuts?: readonly string[];
  /** Milliseconds during which a click, command or shortcut can be exchanged for a dialog. Absent: Slack's 3 s. */
  readonly triggerMs?: number;
  /** Milliseconds within which the app must acknowledge by HTTP. Absent: Slack's 3 s. */
  readonly ackMs?: number;
  /** Milliseconds for which a person who got a message after a click still waits for its dialog. Absent: 10 s. */
  readonly toldInPlaceMs?: number;
  /** The clock of the rate limits, in milliseconds since 1970. Absent: the machine's. */
  readonly limitsNow?: () => number;
  /** The app's Request URL; may be set later with `setInteractionsUrl`. */
  readonly interactionsUrl?: string;
}

export interface SlackEmulator {
  /** For the client's `slackApiUrl`. */
  readonly apiUrl: string;
  /** The channel as a person sees it; `?user=U…` selects the person. */
  readonly pageUrl: string;
  readonly world: SlackWorld;
  /** The calls so far, in order. */
  readonly calls: readonly ApiCall[];
  setInteractionsUrl(url: string): void;
  /** A person clicks, and fills in the dialog that opens. Throws if there is no such button. */
  click(options: ClickOptions): Promise<Delivery>;
  /** A person clicks and fills in the dialog that opens: returns the payload that Slack would send, without sending it. Throws if none opens. */
  clickToDialog(options: Omit<ClickOptions, 'dialog'>): Promise<unknown>;
  /** A person types a slash command. */
  command(options: CommandOptions): Promise<Delivery>;
  /** A person picks a message's shortcut. */
  shortcut(options: ShortcutOptions): Promise<Delivery>;
  /** Sends exactly the same bytes again. */
  resend(request: SentRequest): Promise<Delivery>;
  /** Delivers any payload, signed as Slack would. */
  deliver(payload: unknown, forge?: Forgery): Promise<Delivery>;
  /** A person submits an open dialog. */
  submitView(options: SubmitOptions): ReturnType<Interactions['submitView']>;
  /** The messages of a channel, oldest first. */
  channelMessages(channel: string): readonly FakeMessage[];
  replies(channel: string, threadTs: string): readonly FakeMessage[];
  /** The messages that only this user sees. */
  ephemerals(user: string): readonly FakeMessage[];
  fail(
    method: string,
    fault: { readonly status?: number; readonly error?: string; readonly retryAfter?: number; readonly times?: number },
  ): void;
  hang(method: string, ms: number, times?: number): void;
  doThenTimeout(method: string, times?: number): void;
  doThenReset(method: string, times?: number): void;
  /** The same, once, after this many successful calls of the method. */
  faultAfter(method: string, after: number, fault: Fault): void;
  /** Set if Socket Mode is on. */
  readonly socket: SocketMode | undefined;
  /** Clears faults and the used part of the rate limits. */
  calm(): void;
  stop(): Promise<void>;
}

/** For tests of other things: a busy machine may take longer than Slack waits. */
export const patience = { triggerMs: 120_000, ackMs: 120_000 } as const;

const allScopes = ['chat:write', 'commands', 'channels:history', 'channels:read', 'users:read', 'usergroups:read', 'im:write'];

/** A strict Slack on this machine: rejects what Slack rejects, and shows a page with working buttons. */
export async function startSlackEmulator(options: SlackEmulatorOptions): Promise<SlackEmulator> {
  const world = new SlackWorld(options);
  const faults = new Faults();
  const limits = new RateLimits(options.limitsNow ?? (() => Date.now()));
  let base = '';
  const socket = options.appToken === undefined ? undefined : new SocketMode({ world, baseUrl: () => base });
  const api = new WebApi({
    world,
    botToken: options.botToken,
    scopes: options.scopes ?? allScopes,
    appToken: options.appToken,
    appScopes: options.appScopes,
    ...(socket && { methods: socket.methods }),
    limits,
    faults,
  });
  const carrier = new Carrier({
    signingSecret: options.signingSecret,
    interactionsUrl: options.interactionsUrl ?? 'http://127.0.0.1:9/',
    socket,
    ackMs: options.ackMs,
  });
  const interactions = new Interactions({
    world,
    carrier,
    baseUrl: () => base,
    shortcuts: options.shortcuts,
    triggerMs: options.triggerMs,
    toldInPlaceMs: options.toldInPlaceMs,
  });
  const page = new Page({ world, interactions });

  const emulator: Omit<SlackEmulator, 'apiUrl' | 'pageUrl' | 'stop'> = {
    world,
    calls: api.calls,
    socket,
    setInteractionsUrl: (url) => {
      carrier.interactionsUrl = url;
    },
    click: (click) => interactions.click(click),
    clickToDialog: (click) => interactions.clickToDialog(click),
    command: (command) => interactions.command(command),
    shortcut: (shortcut) => interactions.shortcut(shortcut),
    resend: (request) => carrier.send(request),
    deliver: (payload, forge) => interactions.deliver(payload, forge),
    submitView: (view) => interactions.submitView(view),
    channelMessages: (channel) => world.channelMessages(channel),
    replies: (channel, threadTs) => world.replies(channel, threadTs),
    ephemerals: (user) => world.ephemerals(user),
    fail: (method, { times = 1, ...fault }) => faults.add(method, { kind: 'fail', ...fault } satisfies Fault, times),
    hang: (method, ms, times) => faults.add(method, { kind: 'hang', ms }, times),
    doThenTimeout: (method, times) => faults.add(method, { kind: 'doThenTimeout' }, times),
    doThenReset: (method, times) => faults.add(method, { kind: 'doThenReset' }, times),
    faultAfter: (method, after, fault) => faults.add(method, fault, 1, after),
    calm: () => {
      faults.clear();
      limits.reset();
    },
  };

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const [, room = '', name = '', id = ''] = pathname.split('/');
    if (room === 'api') return api.handle(name, request, response);
    if (room === 'actions' && request.method === 'POST') return handleResponseUrl({ world, id, request, response });
    if (room === 'control' && request.method === 'POST') return handleControl({ emulator, name, request, response });
    if (await page.handle(request, response)) return;
    sendJson(response, 404, { ok: false, error: 'not_found' });
  }

  const server = createServer((request, response) => {
    route(request, response).catch((error: unknown) => {
      if (!response.headersSent) sendJson(response, 500, { ok: false, error: 'fatal_error', detail: String(error) });
    });
  });
  server.on('upgrade', (request, connection, head) => {
    if (socket) socket.upgrade(request, connection, head);
    else connection.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.name === undefined ? '127.0.0.1' : '0.0.0.0', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  base = `http://${options.name ?? '127.0.0.1'}:${port}`;

  return {
    ...emulator,
    apiUrl: `${base}/api/`,
    pageUrl: `${base}/`,
    stop: () =>
      new Promise<void>((resolve) => {
        page.stop();
        socket?.stop();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
