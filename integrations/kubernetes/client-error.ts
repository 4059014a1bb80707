import { type ErrorCode, FirebreakError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { redactSecrets } from '../../core/text/redact.ts';
import { oneLine } from '../../core/text/visible-text.ts';

/** What the API server said, as far as it may be repeated: see `wordsOf`. Contains no headers, and nothing of what was written. */
export class KubernetesError extends FirebreakError {
  readonly status: number;
  /** `Conflict`, `AlreadyExists`, `NotFound`, `Expired` … as `metav1.StatusReason` lists them; `Untrusted` if the server proved nothing. */
  readonly reason: string;

  constructor(
    code: ErrorCode,
    detail: string,
    { remedy, ...answer }: { readonly status: number; readonly reason: string; readonly remedy?: string },
  ) {
    super(code, detail, { ...(remedy !== undefined && { remedy }) });
    this.name = 'KubernetesError';
    this.status = answer.status;
    this.reason = answer.reason;
  }
}

/**
 * Maps an answer of the API server to the error catalogue.
 * @param what the call in words, with the right that it needs: `patch pods in shop`.
 */
export function errorOfStatus(options: {
  readonly status: number;
  readonly text: string;
  readonly what: string;
}): KubernetesError {
  const { status, what } = options;
  const said = statusIn(options.text);
  const answer = { status, reason: reasonOf(said) };
  const words = wordsOf(status, said);
  const why = words === undefined ? '' : `: ${words}`;
  if (status === 401)
    return new KubernetesError('FB_ERR_API_REFUSED', `the API server does not accept our credentials: ${what} (401)`, answer);
  if (status === 403)
    return new KubernetesError('FB_ERR_API_REFUSED', `the API server does not allow us to ${what} (403)${why}`, answer);
  if (status === 404) return new KubernetesError('FB_ERR_NOT_FOUND', `not found: ${what}`, answer);
  if (status === 409) return new KubernetesError('FB_ERR_CONFLICT', `${what} (409 ${answer.reason})${why}`, answer);
  if (status === 410) return new KubernetesError('FB_ERR_UNAVAILABLE', `the list has expired: ${what} (410)`, answer);
  if (status === 429 || status >= 500)
    return new KubernetesError('FB_ERR_UNAVAILABLE', `the API server could not ${what} (${status})${why}`, answer);
  return new KubernetesError('FB_ERR_API_REFUSED', `the API server rejected: ${what} (${status} ${answer.reason})${why}`, answer);
}

/** What to do if nothing at the API server's address answers. */
export const unreachableRemedy =
  'Check the network path to it. In the chart’s pods, the NetworkPolicy firebreak-ROLE opens port 443 and networkPolicy.apiServerPort (6443), which must be the port of its own hosts: kubectl --namespace default get endpointslices.';

/** A failed connection or a timeout: it is unknown whether the call took effect. */
export function errorOfConnection(options: { readonly error: unknown; readonly what: string }): KubernetesError {
  const { error, what } = options;
  const word = faultOf(error);
  return new KubernetesError('FB_ERR_UNAVAILABLE', `${what}: ${word}`, {
    status: 0,
    ...(untrusted.has(word) ? { reason: 'Untrusted' } : { reason: '', remedy: unreachableRemedy }),
  });
}

/** TLS errors about a certificate: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
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

const longestWords = 400;
const mostFields = 3;
/** How admission's messages begin, for refusals and for webhooks it could not reach: https://pkg.go.dev/k8s.io/apiserver/pkg/admission/plugin/webhook/errors */
const ofAdmission = /(?:ValidatingAdmissionPolicy '|admission webhook "|failed calling webhook ")[\s\S]*/;

/**
 * Why the API server refuses, in its own words: people must know which policy, webhook or right it is. RBAC and admission describe the request. The API's own
 * checks repeat what was written, which may be secret: of these only the fields are named.
 */
function wordsOf(status: number, said: StatusObject): string | undefined {
  const message = typeof said.message === 'string' ? said.message : '';
  const admission = ofAdmission.exec(message)?.[0];
  if (admission !== undefined) return shown(admission);
  if (status === 403) return message === '' ? undefined : shown(message);
  const causes = isObject(said.details) && Array.isArray(said.details.causes) ? said.details.causes.filter(isObject) : [];
  const fields = causes.flatMap(({ field, reason }) =>
    typeof field === 'string' && field !== '' ? [`${oneLine(field, 120)} is not valid${wordIn(reason)}`] : [],
  );
  return fields.length === 0 ? undefined : [...new Set(fields)].slice(0, mostFields).join(', ');
}

function shown(message: string): string {
  return oneLine(redactSecrets(message), longestWords);
}

function wordIn(reason: unknown): string {
  return typeof reason === 'string' && oneWord.test(reason) ? ` (${reason})` : '';
}

const oneWord = /^[A-Za-z]{1,40}$/;

function reasonOf({ reason }: StatusObject): string {
  return typeof reason === 'string' && oneWord.test(reason) ? reason : '';
}

interface StatusObject {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: unknown;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
function statusIn(text: string): StatusObject {
  try {
    const status: unknown = JSON.parse(text);
    return isObject(status) ? status : {};
  } catch {
    // Not a Status object: the status number says enough.
    return {};
  }
}
