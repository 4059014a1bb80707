import nodemailer from 'nodemailer';
import { FirebreakError } from '../core/errors.ts';
import { isObject } from '../core/text/plain-json.ts';
import { problemText } from './delivery-problem.ts';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** `starttls`: nothing is said before TLS. `implicit`: TLS from the first byte. `none`: plain text. */
  readonly tls: 'starttls' | 'implicit' | 'none';
  /** Authorities (PEM). Absent: those of the system. */
  readonly ca?: string;
  readonly signIn?: { readonly user: string; readonly password: string };
}

export interface Mail {
  /** The same each time that the same mail is sent: servers and people know it again by that. */
  readonly id: string;
  readonly from: string;
  readonly recipients: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly attachments: readonly { readonly name: string; readonly mediaType: string; readonly content: string }[];
}

const stepMs = 20_000;
/** All of it: a server that says a word now and then is never silent. */
const usualMs = 300_000;

/**
 * Sends one mail, to all of its recipients or not at all as far as the server tells.
 * @throws FB_ERR_UNAVAILABLE with what the server said where it does not take it. Then nobody knows whether some have it: it may be sent again.
 */
export async function sendMail(
  { host, port, tls, ca, signIn }: MailServer,
  mail: Mail,
  { withinMs = usualMs }: { readonly withinMs?: number } = {},
): Promise<string> {
  const transport = nodemailer.createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) },
    ...(signIn && { auth: { user: signIn.user, pass: signIn.password } }),
    connectionTimeout: stepMs,
    greetingTimeout: stepMs,
    socketTimeout: stepMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const { id, from, recipients, subject, text, attachments } = mail;
  const signal = AbortSignal.timeout(withinMs);
  try {
    const sent = await transport.sendMail({
      messageId: `<${id}@${from.split('@')[1] ?? 'firebreak'}>`,
      from,
      to: [...recipients],
      subject,
      text,
      attachments: attachments.map(({ name, mediaType, content }) => ({ filename: name, contentType: mediaType, content })),
      headers: { 'Auto-Submitted': 'auto-generated' },
      signal,
    });
    if (sent.rejected.length > 0)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `${host} does not take mail for ${sent.rejected.join(', ')}`);
    return sent.response;
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    // The answer of a server says what it minds; a password is in none.
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `${host}:${port} did not take the mail: ${signal.aborted ? 'it was not done in time' : whyNot(error)}`,
    );
  } finally {
    transport.close();
  }
}

/** What the server said; of a connection that failed its code, since Node's own words are about Node. */
function whyNot(error: unknown): string {
  if (isObject(error) && typeof error.originalCode === 'string') return problemText(error.originalCode);
  return error instanceof Error ? error.message : 'it failed';
}
