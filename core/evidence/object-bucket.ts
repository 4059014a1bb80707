/** Protects an object from being removed or overwritten by anybody (`compliance`), or by anyone without a special permission (`governance`). */
export interface ObjectLock {
  readonly mode: 'governance' | 'compliance';
  readonly until: Date;
  /** Hex: the store must verify it, and S3 requires a checksum with each lock. */
  readonly sha256: string;
}

/** The few operations needed from an object store such as S3. @throws FB_ERR_UNAVAILABLE when the store does not serve one. */
export interface ObjectBucket {
  /** `written` is false when `ifAbsent` was set and the key exists already. */
  put(object: {
    readonly key: string;
    readonly body: Uint8Array | AsyncIterable<Uint8Array>;
    readonly bytes: number;
    readonly mediaType: string;
    readonly ifAbsent?: boolean;
    readonly lock?: ObjectLock;
  }): Promise<{ readonly written: boolean }>;
  /** @throws FB_ERR_NOT_FOUND */
  get(key: string): Promise<Uint8Array>;
  /** The same as a stream. */
  read(key: string): AsyncIterable<Uint8Array>;
  has(key: string): Promise<boolean>;
  /** Removes all versions, if the bucket keeps versions. @throws FB_ERR_REFUSED while the bucket prevents everybody from removing one. */
  remove(key: string): Promise<void>;
  /** Keys below a folder, in order. */
  keys(folder: string): AsyncIterable<string>;
}
