import type { Allowance } from './alert-bucket.ts';
import { type FairScheduler, pieceMs } from './fair-scheduler.ts';
import { type ParseContext, type ParsedItem, readItem, readPart } from './parse.ts';
import type { AlertSender } from './sender.ts';

/** Maximum number of one body's alerts in progress at once. */
const atOnce = 500;

interface InTurn<Answer> {
  readonly turns: FairScheduler;
  readonly sender: AlertSender;
  readonly context: ParseContext;
  /** Handles an item that its sender's limit has let pass so far; for an item that was not read, only the limit can be reported. */
  readonly admit: (item: ParsedItem | undefined, allowance: Allowance) => Promise<Answer>;
}

/** Reads the items of a body piece by piece, each in its sender's turn, so that a large body does not delay others' alerts. */
export async function readInTurn<Answer>(unread: readonly Uint8Array[], call: InTurn<Answer>): Promise<readonly Answer[]> {
  const answers: Promise<Answer>[] = [];
  let [place, settled] = [0, 0];
  /** The parts of the item before `place`, if it is a batch. */
  let [parts, part]: [readonly Uint8Array[], number] = [[], 0];
  const readSome = (): void => {
    const until = performance.now() + pieceMs;
    do {
      const isPart = part < parts.length;
      const bytes = isPart ? parts[part++] : unread[place++];
      if (bytes === undefined) return;
      const found = readLimited(bytes, isPart, call);
      if ('parts' in found) [parts, part] = [found.parts, 0];
      else answers.push(...found.answers);
    } while (answers.length - settled < atOnce && performance.now() < until);
  };
  while (place < unread.length || part < parts.length) {
    const turn = call.turns.run(call.sender, readSome);
    if (turn instanceof Promise) await turn;
    if (answers.length - settled < atOnce) continue;
    await Promise.all(answers.slice(settled));
    settled = answers.length;
  }
  return Promise.all(answers);
}

type Found<Answer> = { readonly parts: readonly Uint8Array[] } | { readonly answers: readonly Promise<Answer>[] };

/** The limit is checked before the work: items beyond it are not read. */
function readLimited<Answer>(bytes: Uint8Array, isPart: boolean, { sender, context, admit }: InTurn<Answer>): Found<Answer> {
  const { bucket } = sender;
  const allowance = bucket.take();
  if (allowance === 'nothing') return { answers: [admit(undefined, allowance)] };
  const read = isPart ? { kind: 'items' as const, items: readPart(bytes, context) } : readItem(bytes, context);
  if (read.kind === 'parts') {
    // Each part counts separately.
    if (allowance === 'read') bucket.giveBack();
    return read;
  }
  return { answers: read.items.map((item, at) => admit(item, at === 0 ? allowance : bucket.take())) };
}
