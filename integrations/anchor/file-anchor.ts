import { open } from 'node:fs/promises';
import { type Anchor, checkpointOfLine, type SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { canonicalJson } from '../../core/text/digest.ts';

interface AnchorEnd {
  readonly last: SignedCheckpoint | undefined;
  /** Whether the last line is complete. */
  readonly whole: boolean;
}

const blockBytes = 65_536;
const newline = 0x0a;

/**
 * One JSON line per checkpoint, append-only (the file may carry `chattr +a`), on disk before `append` resolves. Keep it where the database's writer cannot
 * write: another volume, another account. A line torn by a crash stays as it is.
 */
export function createFileAnchor({ file }: { readonly file: string }): Anchor {
  let known: AnchorEnd | undefined;
  const anchor: Anchor = {
    description: `file ${file}`,
    append: (...signed) =>
      guarded(file, async () => {
        known ??= await readEnd(file);
        const { last, whole } = known;
        const isThere = ({ checkpoint: { number } }: SignedCheckpoint): boolean =>
          last !== undefined && number <= last.checkpoint.number;
        for (const one of signed.filter(isThere)) await refuseOther(anchor, one);
        const next = signed.filter((one) => !isThere(one));
        if (next.length === 0) return;
        known = undefined;
        const handle = await open(file, 'a', 0o600);
        try {
          await handle.appendFile(`${whole ? '' : '\n'}${next.map((one) => `${canonicalJson(one)}\n`).join('')}`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        known = { last: next.at(-1), whole: true };
      }),
    read: () => readLines(file),
  };
  return anchor;
}

/** Accepts the same checkpoint again; refuses a different one under its number. */
async function refuseOther(anchor: Anchor, signed: SignedCheckpoint): Promise<void> {
  const text = canonicalJson(signed);
  for await (const lines of anchor.read()) {
    for (const line of lines) {
      const entry = checkpointOfLine(line);
      if (entry && canonicalJson(entry) === text) return;
    }
  }
  throw new FirebreakError(
    'FB_ERR_CONFLICT',
    `${anchor.description} goes beyond checkpoint ${signed.checkpoint.number} and does not contain this one`,
  );
}

async function* readLines(file: string): AsyncGenerator<readonly string[]> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `the anchor ${file} cannot be read: ${systemErrorCode(error) ?? 'unknown reason'}`,
    );
  });
  if (!handle) return;
  try {
    let rest = '';
    for await (const text of handle.createReadStream({ encoding: 'utf8', autoClose: false })) {
      const end = text.lastIndexOf('\n');
      // A line across many chunks is joined only once: the line of a first look at 100 000 chains has 20 MB.
      if (end !== -1) yield `${rest}${text.slice(0, end)}`.split('\n').filter((line) => line !== '');
      rest = end === -1 ? `${rest}${text}` : text.slice(end + 1);
    }
    if (rest !== '') yield [rest];
  } finally {
    await handle.close();
  }
}

/** Reads backwards: a year has half a million lines, and only the last readable one is needed. */
async function readEnd(file: string): Promise<AnchorEnd> {
  const handle = await open(file, 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    let whole = true;
    /** The end of the line that begins before what was read. */
    let rest: readonly Buffer[] = [];
    for (let from = size; from > 0; ) {
      const length = Math.min(blockBytes, from);
      from -= length;
      const { buffer } = await handle.read(Buffer.alloc(length), 0, length, from);
      if (from + length === size) whole = buffer.at(-1) === newline;
      let end = length;
      while (end > 0) {
        const begin = buffer.lastIndexOf(newline, end - 1) + 1;
        rest = [buffer.subarray(begin, end), ...rest];
        if (begin === 0) break;
        const last = checkpointOfLine(Buffer.concat(rest).toString());
        if (last) return { last, whole };
        rest = [];
        end = begin - 1;
      }
    }
    return { last: checkpointOfLine(Buffer.concat(rest).toString()), whole };
  } finally {
    await handle.close();
  }
}

async function guarded<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `the anchor ${file} cannot be written: ${systemErrorCode(error) ?? 'unknown reason'}`,
    );
  }
}
