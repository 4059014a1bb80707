/** What keeps an object from being removed or overwritten, by anybody (`compliance`) or by who has no special right (`governance`). */
export interface ObjectLock {
  readonly mode: 'governance' | 'compliance';
  readonly until: Date;
  /** Hex: the store must compare it, and S3 asks for a checksum with each lock. */
  readonly sha256: string;
}

/** The few calls that are needed of an object store such as S3. @throws FB_ERR_UNAVAILABLE when it does not serve one. */
export interface ObjectBucket {
  /** `written` is false when `ifAbsent` was asked for and the key is taken. */
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
  /** The same as it comes. */
  read(key: string): AsyncIterable<Uint8Array>;
  has(key: string): Promise<boolean>;
  /** All versions of it, where the bucket keeps them. @throws FB_ERR_REFUSED while the bucket keeps one for anybody. */
  remove(key: string): Promise<void>;
  /** Keys below a folder, in order. */
  keys(folder: string): AsyncIterable<string>;
}
