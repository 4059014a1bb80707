import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

interface ReceivedMail {
  readonly from: string;
  readonly recipients: readonly string[];
  readonly content: string;
  readonly secure: boolean;
  readonly user: string | undefined;
}

/** What happens to the next mail: `taken-unsaid` accepts it and then disconnects before confirming. */
type MailOrder = 'take' | 'refuse' | 'try later' | 'taken-unsaid';

/** A mail server that accepts nothing without TLS and the right password, based on an independent implementation of the protocol. */
export class MailServer {
  readonly received: ReceivedMail[] = [];
  readonly orders: MailOrder[] = [];
  readonly #server: SMTPServer;

  private constructor(
    options: Pick<SMTPServerOptions, 'key' | 'cert'>,
    signIn: { readonly user: string; readonly password: string },
  ) {
    this.#server = new SMTPServer({
      ...options,
      authOptional: false,
      allowInsecureAuth: false,
      size: 1_000_000,
      logger: false,
      onAuth: ({ username, password }, _session, done) =>
        username === signIn.user && password === signIn.password
          ? done(null, { user: username })
          : done(new Error('535 the password is wrong')),
      onRcptTo: ({ address }, _session, done) =>
        address.endsWith('@nowhere.example') ? done(new Error('550 nobody is called so')) : done(),
      onData: (stream, session, done) => {
        void text(stream).then((content) => {
          const order = this.orders.shift() ?? 'take';
          const refusal = (message: string, responseCode: number) => done(Object.assign(new Error(message), { responseCode }));
          if (order === 'refuse') return refusal('this mail is not wanted', 554);
          if (order === 'try later') return refusal('the disk is full', 452);
          const { mailFrom, rcptTo } = session.envelope;
          this.received.push({
            from: mailFrom === false ? '' : mailFrom.address,
            recipients: rcptTo.map(({ address }) => address),
            content,
            secure: session.secure,
            user: session.user,
          });
          if (order === 'taken-unsaid') for (const { _socket: socket } of this.#connections()) socket.destroy();
          else done();
        });
      },
    });
    this.#server.on('error', () => undefined);
  }

  static async open(
    options: Pick<SMTPServerOptions, 'key' | 'cert'>,
    signIn: { readonly user: string; readonly password: string },
  ): Promise<MailServer> {
    const server = new MailServer(options, signIn);
    await new Promise<void>((done) => server.#server.listen(0, '127.0.0.1', done));
    return server;
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    return new Promise((done) => this.#server.close(() => done()));
  }

  *#connections(): Generator<{ readonly _socket: { destroy(): void } }> {
    yield* this.#server.connections as unknown as Iterable<{ readonly _socket: { destroy(): void } }>;
  }
}
