/**
 * Tactics of MITRE ATT&CK for Enterprise, version 19, by the name that sensors put into tags (`mitre_credential_access`).
 * https://attack.mitre.org/versions/v19/tactics/enterprise/
 */
const tactics: Readonly<Record<string, string>> = {
  reconnaissance: 'TA0043',
  resource_development: 'TA0042',
  initial_access: 'TA0001',
  execution: 'TA0002',
  persistence: 'TA0003',
  privilege_escalation: 'TA0004',
  stealth: 'TA0005',
  defense_impairment: 'TA0112',
  credential_access: 'TA0006',
  discovery: 'TA0007',
  lateral_movement: 'TA0008',
  collection: 'TA0009',
  command_and_control: 'TA0011',
  exfiltration: 'TA0010',
  impact: 'TA0040',
};

/**
 * Version 19 split Defense Evasion, which sensors still name: what hides is Stealth, which kept the id, and what switches defences
 * off is Defense Impairment: T1562 with all below it, which is T1685 to T1690 now.
 * https://attack.mitre.org/resources/updates/updates-april-2026/
 */
const impairsDefenses = /^T(?:1562|168[5-9]|1690)(?:\.|$)/;

/** The id of a tactic by its id or its name (`Credential Access`, `credential-access`); undefined for what is none. */
export function tacticId(written: string): string | undefined {
  const id = written.toUpperCase();
  if (Object.values(tactics).includes(id)) return id;
  const name = written.toLowerCase().replaceAll(/[-\s]/g, '_');
  return Object.hasOwn(tactics, name) ? tactics[name] : undefined;
}

/**
 * The ATT&CK ids (`T1555`, `T1059.004`, `TA0006`) that a sensor's tags name, each once, in the tags' order: alone, or within a longer
 * tag (`T1562-impair-defenses`, `MITRE_T1552_unsecured_credentials`, `attack.t1059`). They stay as they are written, also where
 * version 19 has revoked one.
 */
export function mitreIds(tags: readonly string[]): readonly string[] {
  const told = tags.map(toldBy);
  const evasion = told.some(({ impairs }) => impairs) ? 'TA0112' : 'TA0005';
  return [...new Set(told.flatMap(({ ids, isEvasion }) => (isEvasion ? evasion : ids)))].slice(0, atMost);
}

// Not within the functions: each time that a pattern is come to there, one more is made.
const idInTag = /(?<![a-z0-9])(?:t[01]\d{3}(?:\.\d{3})?|ta0\d{3})(?![a-z0-9])/gi;
const tacticTag = /^(?:mitre[_.-]|attack\.)(\w[\w-]*)$/i;

/** Longer than any tag, and more than any alert is about: both are the attacker's to choose. */
const longestTag = 256;
const atMost = 64;

interface Told {
  readonly ids: readonly string[];
  /** It names the tactic that version 19 has split. */
  readonly isEvasion: boolean;
  readonly impairs: boolean;
}

/** What tags tell, by tag: a sensor's rules have some dozens, and each alert brings its rule's again. */
const known = new Map<string, Told>();
const mostKnown = 1_000;

function toldBy(tag: string): Told {
  const before = known.get(tag);
  if (before !== undefined) return before;
  const told = read(tag.slice(0, longestTag));
  // Whoever sends others each time makes it begin anew, and no larger.
  if (known.size >= mostKnown) known.clear();
  if (tag.length <= longestTag) known.set(tag, told);
  return told;
}

function read(tag: string): Told {
  const ids = tag.match(idInTag)?.map((id) => id.toUpperCase()) ?? [];
  if (ids.length > 0) return { ids, isEvasion: false, impairs: ids.some((id) => impairsDefenses.test(id)) };
  const name = tacticTag.exec(tag)?.[1]?.toLowerCase().replaceAll('-', '_') ?? '';
  const tactic = Object.hasOwn(tactics, name) ? tactics[name] : undefined;
  return { ids: tactic === undefined ? [] : [tactic], isEvasion: name === 'defense_evasion', impairs: false };
}
