/** What was done, however a sensor names its rule. A playbook matches it by `act`. */
export const actKinds = [
  'miner',
  'new-binary',
  'escape',
  'kernel',
  'injection',
  'reverse-shell',
  'privilege',
  'destruction',
  'persistence',
  'credentials',
  'kubernetes-api',
  'network',
  'tools',
  'exfiltration',
  'application',
  'shell',
  'file-access',
  'hardening',
] as const;
export type ActKind = (typeof actKinds)[number];

export function isActKind(value: unknown): value is ActKind {
  return actKinds.some((kind) => kind === value);
}
