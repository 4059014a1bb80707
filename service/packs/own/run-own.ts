import type { OwnRun, OwnRunEnd } from '../../../activities/actions/own-action.ts';
import { type ImplementedAction, type OwnCall, refusalIn } from '../../../core/action/own-implementation.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { isObject } from '../../../core/text/plain-json.ts';

/** What a call receives besides its input. */
interface OwnMeans {
  readonly secrets: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: (text: string) => void;
  readonly signal: AbortSignal;
  readonly http: OwnCall['http'];
}

/** Calls the implementation of an action and returns its outcome. Never rejects. */
export async function runOwn(implemented: unknown, { action, does, ...given }: OwnRun, means: OwnMeans): Promise<OwnRunEnd> {
  if (!isImplemented(implemented, action))
    return { end: 'refused', reason: `the file does not export implementAction(${action}, …) by default` };
  const act = implemented.does[does];
  if (!act) return { end: 'refused', reason: `it has no ${does}` };
  try {
    // The input was checked against the fields that the action declares.
    return { end: 'value', value: await act({ ...given, ...means } as never) };
  } catch (error) {
    return endOf(error);
  }
}

function isImplemented(value: unknown, action: string): value is ImplementedAction {
  return isObject(value) && value.action === action && isObject(value.does);
}

/** A bug in its code recurs on every attempt; everything else may succeed on a retry. */
function endOf(error: unknown): OwnRunEnd {
  const refusal = refusalIn(error);
  if (refusal !== undefined) return { end: 'refused', reason: refusal };
  if (error instanceof FirebreakError) {
    const retryAfterMs = 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : undefined;
    return { end: 'failed', reason: error.detail, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  if (!(error instanceof Error)) return { end: 'failed', reason: 'it threw something that is not an error' };
  const reason = `${placeIn(error)}${error.name}: ${error.message}`;
  const isMistake = /^(Type|Reference|Syntax|Range)Error$/.test(error.name) || error.message.includes('ERR_ACCESS_DENIED');
  return { end: isMistake ? 'refused' : 'failed', reason };
}

/** `implementations/close-port.ts:12: ` */
function placeIn({ stack = '' }: Error): string {
  const place = stack.match(/\/(implementations\/[\w./-]+\.[jt]s:\d+)/)?.[1];
  return place === undefined ? '' : `${place}: `;
}
