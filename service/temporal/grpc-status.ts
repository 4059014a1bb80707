import { isGrpcServiceError } from '@temporalio/client';

/** gRPC status codes that have a meaning of their own here. https://grpc.io/docs/guides/status-codes */
export const grpc = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The code of a failed call; undefined if it failed in another way. */
export function grpcCode(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  // The SDK wraps what the connection throws.
  return typeof error === 'object' && error !== null && 'cause' in error ? grpcCode(error.cause) : undefined;
}

/**
 * How a call failed, in a word of ours: the name of its code, or the kind of the error. Anything else that Temporal says could have been written by anyone
 * there.
 */
export function howItFailed(error: unknown): string {
  const code = grpcCode(error);
  // The SDK reports a call that ran into its deadline as cancelled.
  if (code === grpc.cancelled || code === grpc.deadlineExceeded) return 'not in time';
  const [name] = Object.entries(grpc).find(([, value]) => value === code) ?? [];
  if (name !== undefined) return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  if (code !== undefined) return `gRPC status ${code}`;
  return error instanceof Error ? error.name : 'no known reason';
}

/** Whether Temporal does not recognise us, or denies us access. */
export function isLockedOut(error: unknown): boolean {
  const code = grpcCode(error);
  return code === grpc.permissionDenied || code === grpc.unauthenticated;
}

/**
 * Whether a query failed because the workflow's last task did. After an outage Temporal retries such a task after growing pauses, and answers no query
 * meanwhile ("Unable to query workflow due to Workflow Task in failed state"); that lasts up to a minute.
 */
export function isCatchingUp(error: unknown): boolean {
  return grpcCode(error) === grpc.failedPrecondition;
}
