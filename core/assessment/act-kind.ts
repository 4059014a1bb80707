import type { Alert } from '../alert/alert.ts';
import { policyKind } from './policy-kinds.ts';
import { type ActKind, isActKind } from './rules/act-kinds.ts';
import { ruleTables } from './rules/tables.ts';

/** ATT&CK techniques (sub-techniques included) → what was done, for rules that no table has. Techniques that ordinary work shares are left out. */
const byTechnique: Readonly<Record<string, ActKind>> = {
  T1496: 'miner',
  T1620: 'new-binary',
  T1611: 'escape',
  T1014: 'kernel',
  'T1547.006': 'kernel',
  T1055: 'injection',
  'T1574.006': 'injection',
  T1068: 'privilege',
  T1548: 'privilege',
  T1070: 'destruction',
  T1485: 'destruction',
  T1486: 'destruction',
  T1490: 'destruction',
  T1561: 'destruction',
  T1037: 'persistence',
  T1053: 'persistence',
  T1098: 'persistence',
  T1136: 'persistence',
  T1543: 'persistence',
  T1546: 'persistence',
  T1003: 'credentials',
  'T1552.001': 'credentials',
  'T1552.004': 'credentials',
  T1555: 'credentials',
  T1528: 'kubernetes-api',
  'T1552.007': 'kubernetes-api',
  T1613: 'kubernetes-api',
  T1046: 'network',
  T1105: 'tools',
  T1041: 'exfiltration',
  T1048: 'exfiltration',
  T1567: 'exfiltration',
  T1190: 'application',
  T1203: 'application',
};

/** Programs that are there for one thing. Whoever renames one is seen by what it does, or not at all: a name only ever raises. */
const byProgram: readonly { readonly pattern: RegExp; readonly kind: ActKind }[] = [
  {
    pattern:
      /^(?:xmrig|xmr-stak|minerd|cpuminer|ccminer|cgminer|bfgminer|ethminer|nbminer|lolminer|t-rex|nanominer|phoenixminer|teamredminer|kinsing|kdevtmpfsi)/i,
    kind: 'miner',
  },
  { pattern: /^nsenter$/, kind: 'escape' },
  { pattern: /^(?:insmod|modprobe)$/, kind: 'kernel' },
];

/** Users write these sensors' policies: what one is about is judged by the policy. */
const policySensors: ReadonlySet<string> = new Set(['kubearmor', 'tetragon']);
/** A process that started or ended: no policy is behind it, so only its program tells anything. */
const telemetry = /^process_(?:exec|exit|loader|connect|listen|accept|close)$/;

export function isPolicyAlert({ sensor, rule }: Partial<Alert>): boolean {
  return sensor !== undefined && rule !== undefined && policySensors.has(sensor) && !telemetry.test(rule);
}

/**
 * What an alert says was done, or undefined if nothing tells. The first that answers: the sensor's rule table; for policies of users, their hook, name and
 * tags; for rules that no table has, their ATT&CK techniques, then the program.
 */
export function actKindOf(alert: Partial<Alert>): ActKind | undefined {
  const { sensor, rule, apiRequest, process } = alert;
  if (sensor === undefined || rule === undefined || sensor === 'firebreak') return undefined;
  const table = Object.hasOwn(ruleTables, sensor) ? ruleTables[sensor] : undefined;
  const known = table && Object.hasOwn(table, rule) ? table[rule] : undefined;
  if (known) return known.act;
  // Of a part of an alert the rest may still tell.
  if (alert.tags === undefined || alert.mitre === undefined) return undefined;
  if (isPolicyAlert(alert)) return policyKind(alert);
  // A request to an API is no act in a pod, though rules about such requests name techniques, too.
  const program = process?.name ?? process?.exe?.split('/').at(-1);
  if (apiRequest || (sensor === 'falco' && program === undefined)) return undefined;
  return techniqueKind(alert.mitre) ?? byProgram.find(({ pattern }) => program !== undefined && pattern.test(program))?.kind;
}

function techniqueKind(mitre: readonly string[]): ActKind | undefined {
  for (const id of mitre) {
    const kind = byTechnique[id] ?? byTechnique[id.split('.')[0] ?? ''];
    if (kind !== undefined) return kind;
  }
  return undefined;
}

/** A technique whose rules are of this kind, if there is one: for example alerts. */
export function techniqueOf(kind: string): string | undefined {
  return isActKind(kind) ? Object.keys(byTechnique).find((id) => byTechnique[id] === kind) : undefined;
}
