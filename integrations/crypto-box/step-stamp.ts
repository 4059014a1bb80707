import type { StampedStep } from '../../core/action/own-steps.ts';
import type { Box } from './box.ts';

/** The API server truncates a User-Agent at 1 024 characters; a truncated stamp is useless. */
const longest = 1_000;

/** Binds a stamp to this one request. */
function aadOf(request: string): string {
  return `firebreak.step-stamp.v1\n${request}`;
}

/** States which step makes this request, so that only holders of the key can write or read it. Undefined if it would be too long. */
export function sealStep(
  box: Box,
  { request, step }: { readonly request: string; readonly step: StampedStep },
): string | undefined {
  const { account, at, action, incident, key } = step;
  // A key begins with its incident: store that once.
  const rest = key.startsWith(incident) ? key.slice(incident.length) : undefined;
  const text = JSON.stringify([account, at, action, incident, rest === undefined ? 0 : 1, rest ?? key]);
  const stamp = Buffer.from(box.seal(Buffer.from(text), aadOf(request))).toString('base64url');
  return stamp.length <= longest ? stamp : undefined;
}

/** Undefined unless it is one of our stamps for this request. */
export function openStep(
  box: Box,
  { request, stamp }: { readonly request: string; readonly stamp: string },
): StampedStep | undefined {
  try {
    const opened = box.open(Buffer.from(stamp, 'base64url'), aadOf(request));
    const parts: readonly [string, number, string, string, number, string] = JSON.parse(Buffer.from(opened).toString());
    const [account, at, action, incident, isRest, key] = parts;
    return { account, at, action, incident, key: isRest === 1 ? `${incident}${key}` : key };
  } catch {
    return undefined;
  }
}
