import { FirebreakError } from '../../core/errors.ts';

/** Transient errors, as `codeOf` returns them. https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html, and those of IAM. */
const passing = new Set([
  'Throttling',
  'RequestLimitExceeded',
  'RequestExpired',
  'ExpiredToken',
  'IDPCommunicationError',
  'ConcurrentModification',
  'EntityTemporarilyUnmodifiable',
]);

/** AWS's error code, without the `Exception` that the SDK appends to some; its messages contain users, accounts and keys. */
export function codeOf(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  return /^[A-Za-z.]{1,64}$/.test(name) ? name.replace(/(?<=.)Exception$/, '') : 'no answer';
}

/** Makes one call, limited by `signal` and this many milliseconds. */
export async function asked<Answer>(
  what: string,
  signal: AbortSignal,
  call: (options: { readonly abortSignal: AbortSignal }) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await call({ abortSignal: AbortSignal.any([signal, AbortSignal.timeout(20_000)]) });
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    const code = codeOf(error);
    const status = statusOf(error);
    const isRefused = status !== undefined && status >= 400 && status < 500 && status !== 429 && !passing.has(code);
    throw new AwsError(isRefused ? 'FB_ERR_REFUSED' : 'FB_ERR_UNAVAILABLE', `AWS, ${what}: ${code}`, code);
  }
}

/** An error from AWS. Code may branch on `awsCode`. */
export class AwsError extends FirebreakError {
  readonly awsCode: string;

  constructor(code: 'FB_ERR_REFUSED' | 'FB_ERR_UNAVAILABLE', detail: string, awsCode: string) {
    super(code, detail);
    this.awsCode = awsCode;
  }
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
