import { randomUUID } from 'node:crypto';
import { hasCode } from '../../core/errors.ts';
import { answerersOf, personById } from '../../core/people/roster.ts';
import { createDeviceSignIn } from '../../integrations/oidc/device-sign-in.ts';
import { createSignInClient } from '../../integrations/oidc/sign-in-client.ts';
import { examineSlack } from '../../integrations/slack/examine.ts';
import type { Config } from '../config/load.ts';
import { resolveSecrets, type Secrets } from '../config/secrets.ts';
import { openTickets } from '../desk/follow-up.ts';
import { type DoctorCheck, type Examined, failure, type LookResult, notTried, ok } from './diagnosis.ts';

export const deskChecks: readonly DoctorCheck[] = [
  { name: 'slack', roles: ['desk'], run: slack },
  { name: 'tickets', roles: ['desk'], run: tickets },
  { name: 'paging', roles: ['desk'], run: paging },
  { name: 'who is notified', roles: ['desk'], run: notified },
  { name: 'identity provider', roles: ['desk'], run: identityProvider },
  { name: 'firebreak login', roles: ['desk'], run: deviceSignIn },
];

/** Reads the secrets of one system only: missing secrets of another, or a key that the first start creates, must not prevent this check. */
function secretsOf(system: Partial<Pick<Config, 'slack' | 'stepUp' | 'tickets'>>, { config, env }: Examined): Secrets {
  const { slack: _, stepUp: __, ...rest } = config;
  const temporal = { ...config.temporal, codecKeys: [] };
  const audit = { ...config.audit, url: 'sqlite:' };
  return resolveSecrets({ config: { ...rest, temporal, audit, tickets: {}, paging: {}, ...system }, env, roles: ['desk'] });
}

async function slack(examined: Examined): Promise<readonly LookResult[]> {
  const { slack: configured } = examined.config;
  const secrets = configured && secretsOf({ slack: configured }, examined).slack;
  if (!configured || !secrets) return [notTried('it is not configured: people answer at the command line')];
  const { problems, sendsDirectMessages } = await examineSlack({
    ...secrets,
    teamId: configured.teamId,
    channel: configured.channel,
    apiUrl: configured.apiUrl,
    followsGroups: configured.userGroups !== undefined,
  });
  if (problems.length > 0) return problems.map(({ problem, remedy }) => failure(problem, remedy));
  const direct = sendsDirectMessages
    ? 'who is asked also gets a direct message'
    : 'who is asked gets no direct message: the app lacks the scope im:write';
  return [ok(`the app is in the workspace ${configured.teamId}, reads ${configured.channel}, and has its scopes; ${direct}`)];
}

/** Searches for a ticket that does not exist: this proves address, credentials and project, and files nothing. */
async function tickets(examined: Examined, signal: AbortSignal): Promise<readonly LookResult[]> {
  const { config } = examined;
  const [name] = Object.entries(config.tickets).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (name === undefined) return [notTried('no ticket system is configured')];
  const { tickets: system } = await openTickets({ secrets: secretsOf({ tickets: config.tickets }, examined) });
  if (!system?.look) return [notTried(`${name} has no request that files nothing`)];
  await system.look(signal);
  return [ok(`${name} answers, and its credentials are valid`)];
}

async function paging({ config }: Examined): Promise<readonly LookResult[]> {
  const [name] = Object.entries(config.paging).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  return [notTried(name === undefined ? 'no pager is configured' : `${name} has no request that calls nobody`)];
}

/** Who would be notified of a question now, level by level, and through what. */
async function notified({
  config: { incidents, roster, slack: inSlack, paging: pagers },
}: Examined): Promise<readonly LookResult[]> {
  const hasPager = Object.values(pagers).some((one) => one !== undefined);
  return incidents.levels.map(({ group, page }, index) => {
    const people = answerersOf(roster, group, Date.now()).flatMap(({ person }) => personById(roster, person) ?? []);
    const mentioned = people.filter(({ slackIds }) => inSlack !== undefined && slackIds.length > 0);
    const missed = people.filter((one) => !mentioned.includes(one));
    const isPaged = hasPager && page === true;
    if (index === 0 && mentioned.length === 0 && !isPaged)
      return failure(
        people.length === 0
          ? `nobody of ${group} is on call now`
          : `nobody of ${group} is notified of a question now: they have to look`,
        'Configure slack, give the people who are on call their Slack ids (roster.people[].slack), or let the level page (firebreak docs slack).',
      );
    const ways = [
      ...(mentioned.length > 0 ? [`${namesOf(mentioned)} by a mention in Slack`] : []),
      ...(isPaged ? ['the pager'] : []),
      ...(missed.length > 0 ? [`not ${namesOf(missed)}, who would be asked`] : []),
      ...(people.length === 0 ? ['nobody is on call'] : []),
    ];
    return ok(`${group} now: ${ways.join('; ')}`);
  });
}

function namesOf(people: readonly { readonly name: string }[]): string {
  return people.map(({ name }) => name).join(', ');
}

async function identityProvider(examined: Examined): Promise<readonly LookResult[]> {
  const { stepUp } = examined.config;
  if (!stepUp) return [notTried('it is not configured: no step asks for a sign-in')];
  const { stepUpClient } = secretsOf({ stepUp }, examined);
  const { url } = await createSignInClient({
    issuer: stepUp.issuer,
    clientId: stepUp.clientId,
    ...(stepUpClient !== undefined && { clientSecret: stepUpClient }),
    redirectUri: 'https://firebreak.invalid/sign-in',
    maxAgeMs: 60_000,
  }).begin(randomUUID());
  return [ok(`${stepUp.issuer} answers; people sign in at ${new URL(url).host}`)];
}

/** Starts like `firebreak login`: the provider issues a code that nobody uses, and that expires after some minutes. */
async function deviceSignIn({ config: { console: page, stepUp } }: Examined): Promise<readonly LookResult[]> {
  if (!page?.commandLine || !stepUp)
    return [notTried('console.commandLine is not configured: nobody signs in from a command line')];
  const { clientId } = page.commandLine;
  try {
    const { verificationUrl } = await createDeviceSignIn({ issuer: stepUp.issuer, clientId, scopes: page.scopes }).begin();
    return [ok(`${stepUp.issuer} accepts ${clientId}; people enter the code at ${new URL(verificationUrl).host}`)];
  } catch (error) {
    if (!hasCode(error, 'FB_ERR_REFUSED')) throw error;
    const remedy = `register ${clientId} there as a public client with the device authorization grant (firebreak docs console, “From your own machine”)`;
    return [failure(error.message, remedy)];
  }
}
