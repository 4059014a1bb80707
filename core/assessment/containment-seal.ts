import { type CellKey, seal, unseal } from '../messages/sealed.ts';

/** A pod that a cell has assessed as to be cut off. */
interface AssessedPod {
  readonly version: 1;
  readonly podUid: string;
  /** Id of the alert. */
  readonly alert: string;
  /** ISO 8601 */
  readonly at: string;
}

const domain = 'firebreak.assessed-pod.v1\n';
/** As long as contained pods are remembered: while Temporal is down, an incident may have to wait before it can contain. */
const validForMs = 7 * 86_400_000;

/**
 * The cell's confirmation that it has assessed a pod as to be cut off without people. It travels with the alert, through Temporal, which can keep it and repeat it,
 * but cannot make one for another pod. @throws RangeError when the key has less than 32 bytes.
 */
export function sealContainment(assessed: Omit<AssessedPod, 'version'>, key: CellKey): string {
  return seal(domain, { version: 1, ...assessed }, key);
}

/** Whether a cell with this key has assessed the pod with this uid as to be cut off, within the last seven days. @param of.nowMs milliseconds since 1970 */
export function isSealedFor(
  text: string | undefined,
  of: { readonly podUid: string | undefined; readonly key: CellKey; readonly nowMs: number },
): boolean {
  const opened = unseal(domain, text, of.key);
  if (opened.kind !== 'read' || opened.authentic !== 'yes') return false;
  const { podUid, at }: Partial<AssessedPod> = opened.value;
  return podUid !== undefined && podUid === of.podUid && of.nowMs - Date.parse(at ?? '') <= validForMs;
}
