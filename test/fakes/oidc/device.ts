import { z } from 'zod';
import { Browser } from './browser.ts';
import type { IdentityProvider } from './provider.ts';

/** Opens the address that a device shows, confirms that the code is the same, and signs in. */
export async function approveDevice(provider: IdentityProvider, verificationUrl: string, subject: string): Promise<void> {
  provider.person = subject;
  const browser = new Browser();
  // With the code in the address, the first form only carries it along; the second asks whether it is the same.
  const confirm = await browser.submit(await browser.go(verificationUrl));
  const { text } = await browser.submit(confirm);
  if (!text.includes('Sign-in Success')) throw new Error(`the code was not accepted: ${text}`);
}

const begun = z.object({ device_code: z.string(), verification_uri_complete: z.string() });
const tokens = z.object({ id_token: z.string(), access_token: z.string() });

/** The tokens of somebody who has signed in with a device, without a device's waiting time. */
export async function deviceTokens(provider: IdentityProvider, clientId: string, subject: string) {
  const post = async <Shape extends z.ZodType>(shape: Shape, path: string, form: Readonly<Record<string, string>>) => {
    const body = new URLSearchParams({ client_id: clientId, ...form });
    const response = await fetch(`${provider.issuer}${path}`, { method: 'POST', body });
    return shape.parse(await response.json());
  };
  const device = await post(begun, '/device/auth', { scope: 'openid' });
  await approveDevice(provider, device.verification_uri_complete, subject);
  const grant = 'urn:ietf:params:oauth:grant-type:device_code';
  return post(tokens, '/token', { grant_type: grant, device_code: device.device_code });
}
