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
  const ids: string[] = [];
  for (const tag of tags) {
    const id = mitreId(tag);
    if (id !== undefined && !ids.includes(id)) ids.push(id);
  }
  return ids;
}

// Not within the function: each time that a pattern is come to there, one more is made.
const ownId = /^TA?\d{4}(?:\.\d{3})?$/i;
const named = /^mitre_./i;

function mitreId(tag: string): string | undefined {
  if (ownId.test(tag)) return tag.toUpperCase();
  if (!named.test(tag)) return undefined;
  const name = tag.slice('mitre_'.length).toLowerCase();
  return Object.hasOwn(tactics, name) ? tactics[name] : undefined;
}
