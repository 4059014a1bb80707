import { setTimeout as sleep } from 'node:timers/promises';
import type { StepContext, UndoResult, Verification } from '../../../core/action/action.ts';
import type { IsolationLook, NodeIsolation, NodeIsolator } from '../../../core/action/node-isolation.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fieldOf, type ObjectJson } from '../../../integrations/kubernetes/objects.ts';

/** The configured hook of the provider, and how it is called. */
export interface IsolationParts {
  readonly isolator: NodeIsolator;
  /** The cluster of this cell. */
  readonly cluster: string;
  /** Pause between two attempts, and between two checks: 1.5 s. */
  readonly pauseMs?: number;
}

/** A provider that is down must not delay the cordon any longer. */
const tries = 3;
/** Providers take a moment until the isolation is in force. */
const looks = 6;

/** What the provider is told of the node. */
export function isolationOf(
  { cluster }: IsolationParts,
  { node, object, context }: { readonly node: string; readonly object?: ObjectJson; readonly context: StepContext },
): NodeIsolation {
  const providerId = object && fieldOf(object, ['spec', 'providerID']);
  const listed = object && fieldOf(object, ['status', 'addresses']);
  const addresses = (Array.isArray(listed) ? listed : []).flatMap((one) =>
    typeof one === 'object' && one !== null && 'address' in one && typeof one.address === 'string' ? [one.address] : [],
  );
  return {
    key: context.key,
    incident: context.incident,
    cluster,
    node: {
      name: node,
      ...(object && { uid: object.metadata.uid }),
      ...(typeof providerId === 'string' && { providerId }),
      ...(addresses.length > 0 && { addresses }),
    },
  };
}

/** Why the provider has not accepted the order; undefined if it has. A lost answer is no failure yet: the check will tell. */
export async function orderIsolation(
  { isolator, pauseMs = 1_500 }: IsolationParts,
  isolation: NodeIsolation,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await isolator.isolate(isolation, signal);
      return undefined;
    } catch (error) {
      if (!(error instanceof FirebreakError) || signal.aborted) throw error;
      if (!error.retryable || attempt === tries) return error.detail;
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

/** Contained only if the provider itself reports it in a separate check. */
export async function verifyIsolation(
  { isolator, pauseMs = 1_500 }: IsolationParts,
  { isolation, refused, signal }: { readonly isolation: NodeIsolation; readonly refused?: string; readonly signal: AbortSignal },
): Promise<Verification> {
  let seen = await look(isolator, isolation, signal);
  for (let nth = 1; nth < looks && seen.state !== 'isolated' && refused === undefined; nth += 1) {
    await sleep(pauseMs, undefined, { signal });
    seen = await look(isolator, isolation, signal);
  }
  if (seen.state === 'isolated')
    return { state: 'applied', detail: `contained at the provider: ${isolator.title} has read back: ${seen.detail}` };
  const why = refused ?? (seen.state === 'open' ? `it reports that the node is open: ${seen.detail}` : seen.detail);
  return { state: 'unverified', detail: `not contained: ${isolator.title} has not isolated the node: ${why}` };
}

/** Ends the isolation at the provider, too, once the cordon is released. @throws FB_ERR_UNAVAILABLE while the provider still reports it as isolated. */
export async function releaseIsolation(
  { isolator }: IsolationParts,
  {
    isolation,
    released,
    signal,
  }: { readonly isolation: NodeIsolation; readonly released: UndoResult; readonly signal: AbortSignal },
): Promise<UndoResult> {
  if (released.state === 'drifted') return released;
  await isolator.release(isolation, signal);
  const seen = await look(isolator, isolation, signal);
  if (seen.state === 'isolated')
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `${isolator.title} reports that node/${isolation.node.name} is still isolated`,
    );
  const now =
    seen.state === 'open'
      ? 'has read back that it is open'
      : `was asked to release it, but cannot confirm that it did: ${seen.detail}`;
  return { ...released, detail: `${released.detail}; ${isolator.title} ${now}` };
}

async function look(isolator: NodeIsolator, isolation: NodeIsolation, signal: AbortSignal): Promise<IsolationLook> {
  try {
    return await isolator.look(isolation, signal);
  } catch (error) {
    if (!(error instanceof FirebreakError) || signal.aborted) throw error;
    return { state: 'unknown', detail: error.detail };
  }
}
