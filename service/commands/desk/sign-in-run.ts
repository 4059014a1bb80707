import { FirebreakError } from '../../../core/errors.ts';
import { createDeviceSignIn } from '../../../integrations/oidc/device-sign-in.ts';
import type { CommonOptions } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { askDesk, trustAuthorities } from './desk-client.ts';
import { type DeskPlace, isSafe } from './desk-options.ts';
import { oneAtATime, readSignIn, removeSignIn, writeSignIn } from './stored-sign-in.ts';

/** Instructions go to standard error: with `--json`, standard output has only the result. */
function tell(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

export async function login({ url, ca }: DeskPlace, { json }: CommonOptions): Promise<void> {
  trustAuthorities(ca);
  const { issuer, clientId, scopes } = await askDesk(url, 'deviceSignIn', {});
  // The address from the desk leads to where people type their password.
  if (!isSafe(new URL(issuer)))
    throw new FirebreakError('FB_ERR_REFUSED', `the desk names an identity provider without TLS: ${issuer}`);
  const client = createDeviceSignIn({ issuer, clientId, scopes });
  const begun = await client.begin();
  tell(`To look at ${url}, sign in at ${issuer}:`);
  tell(`  1. Open ${begun.verificationUrl}`);
  tell(`  2. Enter the code ${begun.userCode}`);
  if (begun.completeUrl !== undefined) tell(`  or open ${begun.completeUrl} and compare the code`);
  tell('Waiting …');
  const tokens = await begun.finish();
  const session = await askDesk(url, 'session', { token: tokens.idToken }).catch(async (error: unknown) => {
    // A token that the desk does not accept is not kept.
    if (tokens.refreshToken !== undefined) await client.revoke(tokens.refreshToken).catch(() => undefined);
    throw error;
  });
  await oneAtATime(url, () => writeSignIn({ desk: url, issuer, clientId, ...tokens }));
  const { person, roles, namespaces, cluster } = session;
  const renews = tokens.refreshToken !== undefined;
  if (json) return printJson({ desk: url, person: person.name, roles, namespaces, cluster, renews });
  const sees = namespaces === null ? '' : `, for ${namespaces.join(', ') || 'no namespace'}`;
  print(printable(`Signed in at ${url} as ${person.name} (${roles.join(', ')}${sees}).`));
  if (!renews) print(`It expires at ${new Date(tokens.expiresAt).toISOString()}: the identity provider issued no refresh token.`);
  print(printable(`Next: firebreak incidents list --desk ${url}`));
}

export async function logout({ url, ca }: DeskPlace, { json }: CommonOptions): Promise<void> {
  trustAuthorities(ca);
  const { was, left } = await oneAtATime(url, async () => {
    const signIn = await readSignIn(url);
    await removeSignIn(url);
    if (!signIn) return { was: false, left: undefined };
    const { issuer, clientId, refreshToken } = signIn;
    if (refreshToken === undefined) return { was: true, left: undefined };
    const revoked = createDeviceSignIn({ issuer, clientId }).revoke(refreshToken);
    // It is removed from this machine in any case.
    const why = await revoked.then(
      () => undefined,
      (error: unknown) => (error instanceof FirebreakError ? error.detail : String(error)),
    );
    return { was: true, left: why };
  });
  if (json) return printJson({ desk: url, signedOut: was, revoked: was && left === undefined });
  print(printable(was ? `Signed out at ${url}: the sign-in is deleted here.` : `Nobody is signed in at ${url} from here.`));
  if (left !== undefined) tell(`The identity provider could not be notified (${left}): end the session there, too.`);
}
