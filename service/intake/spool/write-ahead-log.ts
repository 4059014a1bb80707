import { constants, readFileSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { systemErrorCode } from '../../../core/system-error.ts';
import { replaceFile } from '../../../integrations/replace-file.ts';

/** Its space is taken once: a write within it changes nothing but content, which takes one flush. */
const capacity = 1024 ** 2;
/** The length of the content, the epoch, and a checksum of both and of the content: unsigned integers of 32 bits. */
const headLength = 12;
const noHead = Buffer.alloc(headLength);

/** A record on its way to the disk. */
interface PendingRecord {
  /** Resolves when the record is on disk; rejects if it cannot be written or has no room. */
  readonly durable: Promise<void>;
  /** To be called once its content is stored elsewhere: the log needs it no longer. */
  readonly release: () => void;
}

/** Records that are written together. */
interface Group {
  readonly records: Buffer[];
  readonly written: Promise<void>;
}

/**
 * Holds what is acted upon before the database has it. LMDB flushes the disk twice for a commit, one flush after the other; this takes one. Records that arrive
 * during a write share the next one. When all of them are released, the log starts again at its beginning, with a new epoch.
 */
export class WriteAheadLog {
  readonly #path: string;
  /** Each write to it ends when it is on disk. */
  #file: FileHandle | undefined;
  /** The same file, for what need not be on disk at once. */
  #unflushed: FileHandle | undefined;
  #end = 0;
  #epoch = 1;
  /** Records that are not released. */
  #held = 0;
  /** Groups that are not written. */
  #unwritten = 0;
  #next: Group | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(directory: string) {
    this.#path = join(directory, 'write-ahead.log');
  }

  /** Returns what an earlier process had not released, oldest first. It may be stored elsewhere all the same. */
  left(): readonly Uint8Array[] {
    try {
      return recordsIn(readFileSync(this.#path));
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Begins an empty log. Until then nothing can be appended. */
  async begin(): Promise<void> {
    await replaceFile({ path: this.#path, content: Buffer.alloc(capacity) });
    this.#unflushed = await open(this.#path, constants.O_RDWR);
    this.#file = await open(this.#path, constants.O_RDWR | constants.O_DSYNC);
  }

  append(content: Uint8Array): PendingRecord {
    const file = this.#file;
    if (file === undefined || this.#end + headLength + content.length > capacity)
      return { durable: Promise.reject(new Error('the write-ahead log has no room')), release: () => {} };
    const record = framed(content, this.#epoch);
    this.#next ??= this.#group(file);
    this.#next.records.push(record);
    this.#end += record.length;
    this.#held += 1;
    const release = (): void => {
      this.#held -= 1;
      this.#startAgain();
    };
    return { durable: this.#next.written, release };
  }

  /** Resolves when nothing is being written any more. */
  async close(): Promise<void> {
    const [file, unflushed] = [this.#file, this.#unflushed];
    this.#file = undefined;
    this.#unflushed = undefined;
    await this.#last;
    await file?.close();
    await unflushed?.close();
  }

  #group(file: FileHandle): Group {
    const records: Buffer[] = [];
    const at = this.#end;
    this.#unwritten += 1;
    const written = this.#last.then(async () => {
      this.#next = undefined;
      // A record behind a gap would not be found again.
      if (this.#file !== file) throw new Error('the write-ahead log ended at an earlier record');
      const bytes = Buffer.concat(records);
      const { bytesWritten } = await file.write(bytes, 0, bytes.length, at);
      if (bytesWritten < bytes.length) throw new Error('the write-ahead log was not written in full');
    });
    this.#last = written.then(
      () => {
        this.#unwritten -= 1;
        this.#startAgain();
      },
      () => {
        this.#file = undefined;
      },
    );
    return { records, written };
  }

  #startAgain(): void {
    if (this.#held > 0 || this.#unwritten > 0 || this.#unflushed === undefined) return;
    this.#end = 0;
    this.#epoch = (this.#epoch + 1) >>> 0;
    try {
      // Long after, its last records would be taken for new ones: their ids are forgotten after a week.
      writeSync(this.#unflushed.fd, noHead, 0, headLength, 0);
    } catch {
      this.#file = undefined;
    }
  }
}

function framed(content: Uint8Array, epoch: number): Buffer {
  const record = Buffer.alloc(headLength + content.length);
  record.writeUInt32LE(content.length, 0);
  record.writeUInt32LE(epoch, 4);
  record.set(content, headLength);
  record.writeUInt32LE(checksumOf(record), 8);
  return record;
}

function checksumOf(record: Buffer): number {
  return crc32(record.subarray(headLength), crc32(record.subarray(0, 8)));
}

/** Reads up to the first record that was not written in full, or that is left from an earlier epoch. */
function recordsIn(bytes: Buffer): readonly Uint8Array[] {
  const contents: Uint8Array[] = [];
  const epoch = bytes.length < headLength ? 0 : bytes.readUInt32LE(4);
  let at = 0;
  while (at + headLength <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const record = bytes.subarray(at, at + headLength + length);
    const isWhole = length > 0 && record.length === headLength + length && record.readUInt32LE(8) === checksumOf(record);
    if (!isWhole || record.readUInt32LE(4) !== epoch) break;
    contents.push(record.subarray(headLength));
    at += record.length;
  }
  return contents;
}
