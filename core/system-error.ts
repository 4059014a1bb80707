/**
 * The code of an error that the operating system, a library or a server gave (`EEXIST`, an SQLSTATE); undefined for any other. It asks the error itself
 * and not its class: a test's sandbox has an `Error` of its own, to which Node's errors do not belong.
 */
export function systemErrorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}
