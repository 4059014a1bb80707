import { createHash, createPublicKey, verify } from 'node:crypto';
import { entriesPage } from '../rest/page.ts';
import {
  type Fields,
  fieldsOf,
  isFields,
  type RestAnswer,
  type RestFake,
  type RestRequest,
  startRestFake,
} from '../rest/server.ts';

interface RekorFake extends RestFake {
  /** The texts that were submitted, in order, each once. */
  readonly texts: readonly string[];
}

const names = (value: unknown): string => (isFields(value) ? Object.keys(value).sort().join() : '');

/**
 * The part of Rekor's API (version 1) that creates entries of the kind `rekord`: exactly its fields, Base64, a key in PEM, a matching signature. The same entry
 * again returns 409 with its place. Its answers are not signed.
 */
export async function startRekorFake(options: { readonly port?: number } = {}): Promise<RekorFake> {
  const entries = new Map<string, { readonly text: string; readonly index: number }>();
  const refused = (status: number, message: string): RestAnswer => ({ status, body: { code: status, message } });

  const answer = ({ method, url, headers, text }: RestRequest): RestAnswer => {
    if (method !== 'POST' || url.pathname !== '/api/v1/log/entries') return refused(404, `path ${url.pathname} was not found`);
    if (headers['content-type'] !== 'application/json') return refused(415, 'unsupported media type');
    const content = rekordOf(fieldsOf(text));
    if (typeof content === 'string') return refused(400, `error processing entry: ${content}`);
    const uuid = createHash('sha256').update(text).digest('hex');
    if (entries.has(uuid))
      return {
        ...refused(409, 'an equivalent entry already exists in the transparency log'),
        headers: { Location: `/api/v1/log/entries/${uuid}` },
      };
    const index = entries.size;
    entries.set(uuid, { text: content.toString('utf8'), index });
    const body = Buffer.from(text).toString('base64');
    return {
      status: 201,
      body: { [uuid]: { body, integratedTime: Math.floor(Date.now() / 1_000), logID: '0'.repeat(64), logIndex: index } },
      headers: { Location: `/api/v1/log/entries/${uuid}` },
    };
  };
  const fake = await startRestFake({
    ...options,
    answer,
    failure: (status) => ({ code: status, message: 'something went wrong' }),
    page: () =>
      entriesPage(
        'Rekor',
        [...entries.values()].map(({ text, index }) => ({
          title: `Entry ${index}`,
          state: 'in the log',
          open: true,
          facts: [],
          texts: [text],
        })),
      ),
  });
  return {
    ...fake,
    get texts() {
      return [...entries.values()].map(({ text }) => text);
    },
  };
}

/** The signed content; a text says why the entry is invalid. */
function rekordOf(entry: Fields | undefined): Buffer | string {
  if (names(entry) !== 'apiVersion,kind,spec' || entry?.kind !== 'rekord' || entry.apiVersion !== '0.0.1')
    return 'no rekord of 0.0.1';
  const { spec } = entry;
  if (!isFields(spec) || names(spec) !== 'data,signature') return 'invalid spec';
  const { data, signature } = spec;
  if (!isFields(data) || names(data) !== 'content' || !isFields(signature) || names(signature) !== 'content,format,publicKey')
    return 'invalid data or signature';
  const { publicKey } = signature;
  if (signature.format !== 'x509' || !isFields(publicKey) || names(publicKey) !== 'content') return 'invalid public key';
  const [content, given, pem] = [data.content, signature.content, publicKey.content].map(bytesOf);
  if (!content || !given || !pem) return 'illegal base64 data';
  try {
    if (verify(null, content, createPublicKey(pem.toString('utf8')), given)) return content;
  } catch {
    return 'invalid public key';
  }
  return 'verifying signature: ed25519: invalid signature';
}

function bytesOf(text: unknown): Buffer | undefined {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined;
  return bytes?.toString('base64') === text ? bytes : undefined;
}
