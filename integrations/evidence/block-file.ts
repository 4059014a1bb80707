import { constants, type FileHandle, open } from 'node:fs/promises';
import { systemErrorCode } from '../../core/system-error.ts';

/** Node has it, but its types do not declare it. Its memory is page-aligned, which that of a `Buffer` is not. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

const blockBytes = 1024 * 1024;
const wasmPageBytes = 64 * 1024;
/** Direct writes must be aligned to the disk's sectors, in memory and in the file: to multiples of this. https://man7.org/linux/man-pages/man2/open.2.html */
const sectorBytes = 4096;
/** At most twice this much of a file is not yet on the disk, so that finishing does not wait for all of it. */
const unsyncedBytes = 32 * 1024 * 1024;
const mostSpare = 2;
const spare: Blocks[] = [];

/** Two blocks: one is filled while the other is written. */
interface Blocks {
  readonly bytes: Uint8Array;
  readonly atPage: boolean;
}

/** A new file, written sequentially. */
interface BlockFile {
  /** The caller may reuse the bytes once it resolves; a failed write is reported by a later call. */
  write(part: Uint8Array): Promise<void>;
  /** Everything is on the disk once it resolves. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Creates a file (mode 0600; it must not exist) that is written in blocks while the next one is filled. With `pastCache` it bypasses the page cache if the file
 * system can: gigabytes that nobody reads again soon evict what others on the machine read, count as memory of the container, and a page for each 4 KiB of them
 * was up to a fifth of what a snapshot cost.
 */
export async function createBlockFile(path: string, { pastCache }: { readonly pastCache: boolean }): Promise<BlockFile> {
  const blocks = pastCache ? (spare.pop() ?? pageBlocks()) : plainBlocks();
  let file = await opened(path, blocks.atPage).catch((error: unknown) => {
    giveBack(blocks);
    throw error;
  });
  let writing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> = Promise.resolve();
  let [which, filled, position, length, unsynced] = [0, 0, 0, 0, 0];

  const put = async (block: Uint8Array, at: number): Promise<void> => {
    try {
      await writeAll(file.handle, block, at);
    } catch (error) {
      if (!file.isDirect || !isRefusal(error)) throw error;
      // A file system that accepted the flag may still reject such writes.
      await file.handle.close();
      file = { handle: await open(path, constants.O_WRONLY), isDirect: false };
      await writeAll(file.handle, block, at);
    }
  };
  const flush = async (size: number): Promise<void> => {
    // A kernel reports a failed write once, to the next write or sync: no such error may be missed.
    await writing;
    const start = which * blockBytes;
    writing = put(blocks.bytes.subarray(start, start + size), position);
    writing.catch(() => undefined);
    [which, filled, position] = [1 - which, 0, position + size];
    if (file.isDirect) return;
    unsynced += size;
    if (unsynced < unsyncedBytes) return;
    await writing;
    await syncing;
    syncing = file.handle.datasync();
    syncing.catch(() => undefined);
    unsynced = 0;
  };
  return {
    async write(part) {
      length += part.length;
      for (let from = 0; from < part.length; ) {
        const more = part.subarray(from, from + blockBytes - filled);
        blocks.bytes.set(more, which * blockBytes + filled);
        filled += more.length;
        from += more.length;
        if (filled === blockBytes) await flush(blockBytes);
      }
    },
    async finish() {
      await writing;
      if (filled > 0) {
        const whole = file.isDirect ? Math.ceil(filled / sectorBytes) * sectorBytes : filled;
        const start = which * blockBytes;
        blocks.bytes.fill(0, start + filled, start + whole);
        await flush(whole);
        await writing;
      }
      if (position > length) await file.handle.truncate(length);
      await syncing;
      await file.handle.sync();
    },
    async close() {
      await Promise.allSettled([writing, syncing]);
      giveBack(blocks);
      await file.handle.close();
    },
  };
}

async function opened(path: string, isDirect: boolean): Promise<{ handle: FileHandle; isDirect: boolean }> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  if (isDirect) {
    try {
      return { handle: await open(path, flags | constants.O_DIRECT, 0o600), isDirect };
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    // If it is the file system that refuses, Linux has created the file all the same: it is ours, and empty.
    return { handle: await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600), isDirect: false };
  }
  return { handle: await open(path, flags, 0o600), isDirect: false };
}

/** Whether direct writes were refused. */
function isRefusal(error: unknown): boolean {
  return ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(systemErrorCode(error) ?? '');
}

async function writeAll(file: FileHandle, block: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < block.length; )
    written += (await file.write(block, written, block.length - written, at + written)).bytesWritten;
}

function plainBlocks(): Blocks {
  return { bytes: new Uint8Array(2 * blockBytes), atPage: false };
}

/** Each such memory reserves gigabytes of address space, though no memory behind it: so they are reused. */
function pageBlocks(): Blocks {
  // Only Linux has the flag.
  if (constants.O_DIRECT === undefined) return plainBlocks();
  try {
    const { buffer } = new WebAssembly.Memory({ initial: (2 * blockBytes) / wasmPageBytes });
    return { bytes: new Uint8Array(buffer), atPage: true };
  } catch {
    // Address space is limited, or V8 has no WebAssembly.
    return plainBlocks();
  }
}

function giveBack(blocks: Blocks): void {
  if (blocks.atPage && spare.length < mostSpare) spare.push(blocks);
}
