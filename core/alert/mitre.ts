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
 * Version 19 split Defense Evasion, which sensors still name. Hiding is now Stealth, which kept the id. Switching defences off is Defense Impairment: T1562
 * with everything below it, now T1685 to T1690. https://attack.mitre.org/resources/updates/updates-april-2026/
 */
const impairsDefenses = /^T(?:1562|168[5-9]|1690)(?:\.|$)/;

/** Returns the id of a tactic from its id or its name (`Credential Access`, `credential-access`); undefined if it is not a tactic. */
export function tacticId(written: string): string | undefined {
  const id = written.toUpperCase();
  if (Object.values(tactics).includes(id)) return id;
  const name = written.toLowerCase().replaceAll(/[-\s]/g, '_');
  return Object.hasOwn(tactics, name) ? tactics[name] : undefined;
}

/**
 * Returns the ATT&CK ids (`T1555`, `T1059.004`, `TA0006`) that a sensor's tags name, each once, in the tags' order: alone, or within a longer tag
 * (`T1562-impair-defenses`, `MITRE_T1552_unsecured_credentials`, `attack.t1059`). They stay as written, even if version 19 has revoked one.
 */
export function mitreIds(tags: readonly string[]): readonly string[] {
  const told = tags.map(toldBy);
  const evasion = told.some(({ impairs }) => impairs) ? 'TA0112' : 'TA0005';
  return [...new Set(told.flatMap(({ ids, isEvasion }) => (isEvasion ? evasion : ids)))].slice(0, atMost);
}

// Outside the functions, because a pattern inside one is created again on every call.
const idInTag = /(?<![a-z0-9])(?:t[01]\d{3}(?:\.\d{3})?|ta0\d{3})(?![a-z0-9])/gi;
const tacticTag = /^(?:mitre[_.-]|attack\.)(\w[\w-]*)$/i;

/** Longer than any real tag, and more than any alert is about: the attacker chooses both. */
const longestTag = 256;
const atMost = 64;

interface Told {
  readonly ids: readonly string[];
  /** It names the tactic that version 19 split. */
  readonly isEvasion: boolean;
  readonly impairs: boolean;
}

/** What tags say, by tag: a sensor's rules have a few dozen, and each alert repeats those of its rule. */
const known = new Map<string, Told>();
const mostKnown = 1_000;

function toldBy(tag: string): Told {
  const before = known.get(tag);
  if (before !== undefined) return before;
  const told = read(tag.slice(0, longestTag));
  // A sender that always uses new tags makes the cache start over, but not grow.
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
