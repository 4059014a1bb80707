/**
 * What somebody may do in the console, from the groups of the identity provider. A role opens a page; who may decide on a question is determined by the roster,
 * in the console as in Slack.
 */
export const consoleRoles = ['viewer', 'responder', 'approver', 'admin', 'auditor'] as const;
export type ConsoleRole = (typeof consoleRoles)[number];

/** Whose incidents somebody sees: those of these namespaces, or all, including those of nodes and of the cluster itself. */
export type VisibleNamespaces = readonly string[] | 'all';

export function sees(visible: VisibleNamespaces, namespace: string | null): boolean {
  return visible === 'all' || (namespace !== null && visible.includes(namespace));
}

export interface ConsoleRoute {
  readonly method: 'GET' | 'POST';
  /** With `{name}` for parameters. */
  readonly path: string;
  /** Who may request it: one of these roles is enough. `anybody`: no sign-in needed yet. */
  readonly roles: readonly ConsoleRole[] | 'anybody';
  readonly summary: string;
}

const everybody = consoleRoles;

/** Every route of the console's server, except its files and the sign-in itself. A route without a line here does not exist. */
export const consoleRoutes = {
  openapi: { method: 'GET', path: '/api/v1/openapi.json', roles: 'anybody', summary: 'This description.' },
  deviceSignIn: {
    method: 'GET',
    path: '/api/v1/device-sign-in',
    roles: 'anybody',
    summary: 'Where the command line signs in (RFC 8628).',
  },
  session: { method: 'GET', path: '/api/v1/session', roles: everybody, summary: 'Who is signed in, and what they may do.' },
  signOut: {
    method: 'POST',
    path: '/api/v1/session/sign-out',
    roles: everybody,
    summary: 'Ends the session, here and on the server.',
  },
  incidents: { method: 'GET', path: '/api/v1/incidents', roles: everybody, summary: 'Incidents, newest first, page by page.' },
  incident: {
    method: 'GET',
    path: '/api/v1/incidents/{key}',
    roles: everybody,
    summary: 'One incident with everything that is known about it.',
  },
  records: {
    method: 'GET',
    path: '/api/v1/incidents/{key}/records',
    roles: ['auditor', 'admin', 'responder'],
    summary: 'Its records with their signatures, and whether they are intact.',
  },
  incidentExport: {
    method: 'GET',
    path: '/api/v1/incidents/{key}/export',
    roles: ['auditor', 'admin'],
    summary: 'The incident and its signed records as one file.',
  },
  questions: {
    method: 'GET',
    path: '/api/v1/questions',
    roles: ['responder', 'approver', 'admin'],
    summary: 'Open questions; those that the reader may answer come first.',
  },
  question: {
    method: 'GET',
    path: '/api/v1/questions/{question}',
    roles: ['responder', 'approver', 'admin'],
    summary: 'One question with its plans.',
  },
  answer: {
    method: 'POST',
    path: '/api/v1/questions/{question}/answer',
    roles: ['approver', 'admin'],
    summary: 'Accepts an answer, and returns where to sign in for it: nothing is decided before that.',
  },
  overview: { method: 'GET', path: '/api/v1/overview', roles: everybody, summary: 'The current state of the response.' },
  playbooks: {
    method: 'GET',
    path: '/api/v1/playbooks',
    roles: everybody,
    summary: 'The procedures: what each answers, whom it asks and what it may do.',
  },
  drawings: {
    method: 'GET',
    path: '/api/v1/playbooks/drawings',
    roles: everybody,
    summary: 'Drawings of every path that a playbook of a pack can take. The console itself has those of shipped playbooks.',
  },
  coverage: {
    method: 'GET',
    path: '/api/v1/coverage',
    roles: everybody,
    summary: 'Which rules of the public rule sets the enabled playbooks answer.',
  },
  response: {
    method: 'GET',
    path: '/api/v1/response',
    roles: everybody,
    summary: 'Which mode, profile and answer to silence holds where: the scopes of the configuration.',
  },
  explain: {
    method: 'GET',
    path: '/api/v1/response/explain',
    roles: everybody,
    summary: 'What would happen now if a rule fired in a namespace, and why.',
  },
  wouldHave: {
    method: 'GET',
    path: '/api/v1/response/would-have',
    roles: everybody,
    summary: 'What mode contain would have done in modes observe and ask, and which namespaces are ready for the next mode.',
  },
  people: {
    method: 'GET',
    path: '/api/v1/overview/people',
    roles: ['admin', 'auditor'],
    summary: 'How often each person is asked, and how fast they answer.',
  },
  events: {
    method: 'GET',
    path: '/api/v1/events',
    roles: everybody,
    summary: 'Server-sent events: each change of an incident. `Last-Event-ID` resumes.',
  },
} as const satisfies Readonly<Record<string, ConsoleRoute>>;

export type ConsoleRouteName = keyof typeof consoleRoutes;

/** Where the browser signs in: a page, not a route. `to` is the path of the console to return to; `display=wall` requests the session of a wall. */
export const signInPath = '/console/sign-in';
/** Path prefix of the console's own files. */
export const consolePath = '/console/';

/** Returns the address of an incident for a browser. @param publicUrl of the desk, without a trailing slash */
export function incidentAddress(publicUrl: string, key: string): string {
  return `${publicUrl}${consolePath}incidents/${key}`;
}
/** Must carry the session's `csrf` in every request that changes something. */
export const csrfHeader = 'x-firebreak-csrf';
/** Milliseconds between heartbeats of an event stream if nothing happens. */
export const eventsHeartbeatMs = 15_000;
/** After the sign-in for an answer, the browser returns to the question's page: `PATH` and the question's id. */
export const questionPagePath = '/console/questions/';
