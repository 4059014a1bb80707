import nodemailer from 'nodemailer';
import { FirebreakError } from '../core/errors.ts';
import { isObject } from '../core/text/plain-json.ts';
import { problemText } from './delivery-problem.ts';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** `starttls`: nothing is sent before TLS. `implicit`: TLS from the first byte. `none`: plain text. */
  readonly tls: 'starttls' | 'implicit' | 'none';
  /** Certificate authorities (PEM). Absent: those of the system. */
  readonly ca?: string;
  readonly signIn?: { readonly user: string; readonly password: string };
}

export interface Mail {
  /** Stays the same each time the same mail is sent, so that servers and people recognise it. */
  readonly id: string;
  readonly from: string;
  readonly recipients: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly attachments: readonly { readonly name: string; readonly mediaType: string; readonly content: string }[];
}

const stepMs = 20_000;
/** For the whole exchange: a server that sends something now and then is never silent. */
const usualMs = 300_000;

/**
 * Sends one mail, to all of its recipients or to none, as far as the server tells.
 * @throws FB_ERR_UNAVAILABLE with the server's answer if it does not accept the mail. Then it is unknown whether some recipients have it: it may be sent again.
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
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `${host} rejected mail for ${sent.rejected.join(', ')}`);
    return sent.response;
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    // A server's answer says what it objects to; it never contains a password.
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `${host}:${port} did not accept the mail: ${signal.aborted ? 'it took too long' : whyNot(error)}`,
    );
  } finally {
    transport.close();
  }
}

/** The server's answer; for a failed connection only its code, since Node's own message is about Node. */
function whyNot(error: unknown): string {
  if (isObject(error) && typeof error.originalCode === 'string') return problemText(error.originalCode);
  return error instanceof Error ? error.message : 'it failed';
}
