import { type ErrorCode, FirebreakError } from '../../core/errors.ts';

/** What the API server said, as far as it may be repeated: status and its one-word reason, never its text or headers. */
export class KubernetesError extends FirebreakError {
  readonly status: number;
  /** `Conflict`, `AlreadyExists`, `NotFound`, `Expired` … as `metav1.StatusReason` lists them; `Untrusted` where the server proved nothing. */
  readonly reason: string;

  constructor(code: ErrorCode, detail: string, answer: { readonly status: number; readonly reason: string }) {
    super(code, detail);
    this.name = 'KubernetesError';
    this.status = answer.status;
    this.reason = answer.reason;
  }
}

/**
 * Maps an answer of the API server to the catalogue.
 * @param what the call in words, with the right that it needs: `patch pods in shop`.
 */
export function errorOfStatus(options: {
  readonly status: number;
  readonly text: string;
  readonly what: string;
}): KubernetesError {
  const { status, what } = options;
  const answer = { status, reason: reasonOf(options.text) };
  if (status === 401) return new KubernetesError('FB_ERR_REFUSED', `the API server does not know us: ${what} (401)`, answer);
  if (status === 403) return new KubernetesError('FB_ERR_REFUSED', `the API server does not allow us to ${what} (403)`, answer);
  if (status === 404) return new KubernetesError('FB_ERR_NOT_FOUND', `nothing found: ${what}`, answer);
  if (status === 409) return new KubernetesError('FB_ERR_CONFLICT', `${what} (409 ${answer.reason})`, answer);
  if (status === 410) return new KubernetesError('FB_ERR_UNAVAILABLE', `the list has expired: ${what} (410)`, answer);
  if (status === 429 || status >= 500)
    return new KubernetesError('FB_ERR_UNAVAILABLE', `the API server did not: ${what} (${status})`, answer);
  return new KubernetesError('FB_ERR_REFUSED', `the API server does not accept: ${what} (${status} ${answer.reason})`, answer);
}

/** A connection that failed, or a call that took too long: whether it had its effect is not known. */
export function errorOfConnection(options: { readonly error: unknown; readonly what: string }): KubernetesError {
  const { error, what } = options;
  const word = faultOf(error);
  return new KubernetesError('FB_ERR_UNAVAILABLE', `${what}: ${word}`, {
    status: 0,
    reason: untrusted.has(word) ? 'Untrusted' : '',
  });
}

/** What TLS says of a certificate: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const untrusted: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function faultOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'the connection failed';
  if ('name' in error && error.name === 'TimeoutError') return 'no answer in time';
  if ('name' in error && (error.name === 'AbortError' || error.name === 'CancelledFailure')) return 'cancelled';
  return 'code' in error && typeof error.code === 'string' ? error.code : 'the connection failed';
}

function reasonOf(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === 'object' && status !== null && 'reason' in status && typeof status.reason === 'string')
      return /^[A-Za-z]{1,40}$/.test(status.reason) ? status.reason : '';
  } catch {
    // Not a Status object: the number says enough.
  }
  return '';
}
