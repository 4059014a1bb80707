import type { Server } from 'node:http';
import { FirebreakError } from '../../core/errors.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import type { LogFiles } from '../../core/tlog/log-tree.ts';
import { isNoteSigned } from '../../core/tlog/log-witness.ts';
import {
  cosignatureBytes,
  cosignedText,
  fromBase64,
  type LogHead,
  type NoteKey,
  noteKeyId,
  noteText,
  parseLogNote,
  signatureLine,
} from '../../core/tlog/signed-note.ts';
import {
  addCheckpointPath,
  mostRequestBytes,
  objection,
  parseRequest,
  sizeType,
  type WitnessAnswer,
} from '../../core/tlog/witness-protocol.ts';
import { BoundedBodies } from '../../integrations/bounded-bodies.ts';
import { answer, listenAt } from '../../integrations/http-door.ts';

export interface WitnessOptions {
  /** The known logs, by their keys. */
  readonly logs: readonly NoteKey[];
  /** Verifier that trusts the logs' keys. */
  readonly verifier: SignatureVerifier;
  readonly signer: Signer;
  /** The public half of the signer, as the logs know it. */
  readonly key: NoteKey;
  /** Where it stores the last head signed for each log. Anyone who can roll this back can have it sign a different past. */
  readonly kept: LogFiles;
  readonly now?: () => Date;
}

/**
 * Decides one request at a time: the last seen head and the next stored one belong together, and nothing is answered before it is stored.
 * @throws FB_ERR_UNAVAILABLE if it cannot be stored, FB_ERR_AUDIT_DAMAGED if the stored head cannot be read.
 */
function createWitnessJudge(options: WitnessOptions): (body: string) => Promise<WitnessAnswer> {
  const { logs, verifier, signer, key, kept, now = () => new Date() } = options;
  const decide = async (body: string): Promise<WitnessAnswer> => {
    const request = parseRequest(body);
    if (!request) return { status: 400, body: 'this is not a request to add a checkpoint\n' };
    const { head, note } = request;
    const keys = logs.filter(({ name }) => name === head.origin);
    if (keys.length === 0) return { status: 404, body: 'this log is not known here\n' };
    const signedBy = keys.find((one) => isNoteSigned(note, one, verifier));
    if (!signedBy) return { status: 403, body: 'this is not signed by a known key of this log\n' };
    const path = `${sha256Hex(head.origin).slice(0, 32)}.note`;
    const refused = objection(request, await seenAt(kept, path, head.origin));
    if (refused) return refused;
    const seconds = Math.floor(now().getTime() / 1_000);
    const signature = fromBase64(await signer.sign(new TextEncoder().encode(cosignedText(note.text, seconds))));
    if (!signature) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the witness’s key produced no signature');
    await kept.write({ path, bytes: new TextEncoder().encode(noteText(note)) });
    return {
      status: 200,
      body: signatureLine({ name: key.name, keyId: noteKeyId(key), signature: cosignatureBytes(seconds, signature) }),
    };
  };
  let last: Promise<unknown> = Promise.resolve();
  return (body) => {
    const next = last.then(() => decide(body));
    last = next.catch(() => undefined);
    return next;
  };
}

/** An existing but empty file must not count as a log that was never seen. */
async function seenAt(kept: LogFiles, path: string, origin: string): Promise<LogHead | undefined> {
  const bytes = await kept.read(path);
  if (!bytes) return undefined;
  const head = parseLogNote(new TextDecoder().decode(bytes));
  if (head?.origin === origin) return head;
  throw new FirebreakError('FB_ERR_AUDIT_DAMAGED', `${kept.description}: ${path} is not what the witness has written`);
}

/** Serves only `POST /add-checkpoint`. */
export function serveWitness(
  { onProblem, ...options }: WitnessOptions & { readonly onProblem: (error: unknown) => void },
  at: { readonly host: string; readonly port: number },
): Promise<Server> {
  const judge = createWitnessJudge(options);
  const bodies = new BoundedBodies({ atMost: mostRequestBytes, inAll: 4 * 1_048_576, withinMs: 10_000 });
  return listenAt(at, (request, response, proven) => {
    const close = { connection: 'close' };
    if (request.method === 'GET' && request.url === '/healthz') return answer(response, { status: 200, body: { status: 'ok' } });
    if (request.method !== 'POST' || request.url !== addCheckpointPath)
      return answer(response, { status: 404, body: `only POST ${addCheckpointPath} is served here\n`, headers: close });
    void bodies
      .read(request)
      .then(async (body) => {
        if (!body.ok)
          return answer(response, { status: body.status, body: 'the request is too large or too slow\n', headers: close });
        const said = await judge(body.bytes.toString('utf8'));
        if (said.status === 200) proven();
        answer(response, { ...said, ...(said.status === 409 && { type: sizeType }) });
      })
      .catch((error: unknown) => {
        onProblem(error);
        answer(response, { status: 503, body: 'the checkpoint cannot be signed now\n' });
      });
  });
}
