import { createServer, request } from 'node:http';

/** What AWS does and Moto does not: it refuses inactive keys, and changes take time to become visible. */
export interface AwsFront {
  readonly url: string;
  /** The requested actions, in order. */
  readonly calls: readonly string[];
  /** The next call of this action is carried out, but its answer is lost. */
  loseNext(action: string): void;
  /** The next call of this action is not carried out. */
  failNext(action: string, status: number, code: string): void;
  /** Refuses new keys this many times, and accepts deleted or inactive ones this many times. */
  lag(times: number): void;
  /** The next lists of keys, this many, equal the last one. */
  staleLists(times: number): void;
  stop(): Promise<void>;
}

interface AwsFrontOptions {
  readonly url: string;
  /** Answers the one unsigned call, bypassing Moto's check of signatures. */
  readonly assume?: (token: string | null, pass: () => Promise<Answer>) => Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const refusedLogin = fault(403, 'InvalidClientTokenId');

function fault(status: number, code: string): Answer {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>canary: the message of AWS</Message></Error>`;
  return { status, text: `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">${error}</ErrorResponse>` };
}

/** Starts a reverse proxy in front of Moto, for one test file. */
export async function startAwsFront({ url, assume }: AwsFrontOptions): Promise<AwsFront> {
  const target = new URL(url);
  const calls: string[] = [];
  const lost: string[] = [];
  const failing: { action: string; answer: Answer }[] = [];
  const inactive = new Set<string>();
  const lagging = new Map<string, number>();
  let lags = 0;
  let stale = 0;
  let lastList: Answer | undefined;

  const forward = (body: Buffer, headers: NodeJS.Dict<string | string[]>, path: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      // The host header stays as sent, because it is signed.
      const out = request({ host: target.hostname, port: target.port, method: 'POST', path, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 500, text: Buffer.concat(parts).toString() }));
      });
      out.on('error', reject);
      out.end(body);
    });

  const answerTo = async (action: string, form: URLSearchParams, key: string, pass: () => Promise<Answer>): Promise<Answer> => {
    const failure = failing.findIndex((one) => one.action === action);
    if (failure >= 0) return failing.splice(failure, 1)[0]?.answer ?? refusedLogin;
    if (action === 'AssumeRoleWithWebIdentity' && assume) return assume(form.get('WebIdentityToken'), pass);
    const lag = lagging.get(key) ?? 0;
    if (action === 'GetCallerIdentity' && lag > 0) {
      lagging.set(key, lag - 1);
      return inactive.has(key) ? identity : refusedLogin;
    }
    if (inactive.has(key)) return refusedLogin;
    if (action === 'ListAccessKeys' && stale > 0 && lastList) {
      stale -= 1;
      return lastList;
    }
    const answer = await pass();
    if (action === 'ListAccessKeys') lastList = answer;
    if (answer.status !== 200) return answer;
    const id = form.get('AccessKeyId') ?? /<AccessKeyId>(\w+)/.exec(answer.text)?.[1] ?? '';
    if (action === 'CreateAccessKey') lagging.set(id, lags);
    if (action === 'UpdateAccessKey' && form.get('Status') === 'Inactive') {
      inactive.add(id);
      lagging.set(id, lags);
    }
    return answer;
  };

  let identity: Answer = refusedLogin;
  const server = createServer(async (incoming, outgoing) => {
    try {
      const parts: Buffer[] = [];
      for await (const part of incoming) parts.push(Buffer.from(part));
      const body = Buffer.concat(parts);
      const form = new URLSearchParams(body.toString());
      const action = form.get('Action') ?? '';
      const key = /Credential=(\w+)/.exec(incoming.headers.authorization ?? '')?.[1] ?? '';
      calls.push(action);
      const answer = await answerTo(action, form, key, () => forward(body, incoming.headers, incoming.url ?? '/'));
      if (action === 'GetCallerIdentity' && answer.status === 200) identity = answer;
      const at = lost.indexOf(action);
      if (at >= 0) {
        lost.splice(at, 1);
        incoming.socket.destroy();
        return;
      }
      outgoing.writeHead(answer.status, { 'content-type': 'text/xml' }).end(answer.text);
    } catch {
      incoming.socket.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens nowhere');
  return {
    url: `http://127.0.0.1:${address.port}`,
    calls,
    loseNext: (action) => void lost.push(action),
    failNext: (action, status, code) => void failing.push({ action, answer: fault(status, code) }),
    lag(times) {
      lags = times;
    },
    staleLists(times) {
      stale = times;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
