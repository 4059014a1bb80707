/** Tactics of MITRE ATT&CK for Enterprise by the name that sensors put into tags (`mitre_credential_access`). */
const tactics: Readonly<Record<string, string>> = {
  reconnaissance: 'TA0043',
  resource_development: 'TA0042',
  initial_access: 'TA0001',
  execution: 'TA0002',
  persistence: 'TA0003',
  privilege_escalation: 'TA0004',
  defense_evasion: 'TA0005',
  credential_access: 'TA0006',
  discovery: 'TA0007',
  lateral_movement: 'TA0008',
  collection: 'TA0009',
  command_and_control: 'TA0011',
  exfiltration: 'TA0010',
  impact: 'TA0040',
};

/** The ATT&CK ids (`T1555`, `T1059.004`, `TA0006`) that a sensor's tags name, each once, in the tags' order. */
export function mitreIds(tags: readonly string[]): readonly string[] {
  const ids = tags.flatMap((tag) => {
    if (/^TA?\d{4}(?:\.\d{3})?$/i.test(tag)) return [tag.toUpperCase()];
    const name = /^mitre_(.+)$/i.exec(tag)?.[1]?.toLowerCase();
    const tactic = name !== undefined && Object.hasOwn(tactics, name) ? tactics[name] : undefined;
    return tactic === undefined ? [] : [tactic];
  });
  return [...new Set(ids)];
}
