import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a test makes the front do instead of forwarding; undefined forwards. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => 'answered' | undefined;

/**
 * Acts as what stands in front of a public registry: TLS with its own certificate and, if `user` is set, tokens for clients that show a password
 * (https://distribution.github.io/distribution/spec/auth/token/). The registry behind it answers what it forwards.
 */
export async function openFront(behind: string, user?: { readonly name: string; readonly password: string }) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-registry-'));
  const files = ['-keyout', 'front.key', '-out', 'front.pem', '-days', '1', '-nodes', '-subj', '/CN=registry'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...key, ...files], { cwd: folder, stdio: 'pipe' });
  const ca = readFileSync(join(folder, 'front.pem'), 'utf8');
  const token = randomBytes(16).toString('hex');
  const seen: { readonly url: string; readonly authorization?: string }[] = [];
  let own: Answer = () => undefined;

  const server = createServer({ key: readFileSync(join(folder, 'front.key')), cert: ca }, (incoming, response) => {
    const { authorization } = incoming.headers;
    const url = incoming.url ?? '';
    seen.push({ url, ...(authorization !== undefined && { authorization }) });
    if (own(incoming, response) === 'answered') return;
    if (url.startsWith('/token')) {
      const isUser = user && authorization === `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
      response.writeHead(isUser ? 200 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isUser ? { token } : {}));
      return;
    }
    if (user && authorization !== `Bearer ${token}`) {
      const realm = `https://${host}/token`;
      response.writeHead(401, {
        'www-authenticate': `Bearer realm="${realm}",service="registry",scope="repository:shop/cart:pull"`,
      });
      response.end();
      return;
    }
    const passed = request(
      `http://${behind}${url}`,
      { method: incoming.method, headers: { accept: incoming.headers.accept } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on('error', () => response.destroy());
    passed.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    ca,
    seen,
    answering: (answer: Answer) => {
      own = answer;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}
