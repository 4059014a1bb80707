/**
 * The code of an error from the operating system, a library or a server (`EEXIST`, an SQLSTATE); undefined for any other. It checks the error itself, not its
 * class: a test's sandbox has its own `Error`, of which Node's errors are not instances.
 */
export function systemErrorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}

/** What may be passed on of an error that is not ours: only its name, because its message may contain bodies, headers and secrets. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

const fileWords: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'part of the path is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'you do not have permission to read it',
  EPERM: 'you do not have permission to read it',
};

/** Why a file cannot be read, in words for the person who named it. */
export function fileProblem(error: unknown): string {
  const code = systemErrorCode(error);
  return code === undefined ? 'it cannot be read' : (fileWords[code] ?? `it cannot be read (${code})`);
}

const writeWords: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'part of the path is not a folder',
  EEXIST: 'something with that name already exists',
  EISDIR: 'it is a folder',
  EACCES: 'you do not have permission to write there',
  EPERM: 'you do not have permission to write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};

/** Why a file or folder cannot be written, in words for the person who named it. */
export function writeProblem(error: unknown): string {
  const code = systemErrorCode(error);
  return code === undefined ? 'for an unknown reason' : (writeWords[code] ?? code);
}
