import { firstKnown, sensorText } from '../../../core/alert/sensor-text.ts';

interface Attack {
  /** The tactic's name, as written. */
  readonly tactic?: string;
  /** The technique's ATT&CK id. */
  readonly technique?: string;
}

/**
 * Tactic and technique from a signature's properties: `Category` with `external_id`, or, up to 0.7, one text (`"MITRE ATT&CK": "Defense Evasion: Process
 * Injection"`). https://github.com/aquasecurity/tracee/blob/main/types/detect/detect.go and its signatures
 */
export function attackOf(properties: Readonly<Record<string, unknown>>): Attack {
  const [written, ...names] = sensorText(properties['MITRE ATT&CK'], 256)?.split(':') ?? [];
  const tactic = sensorText(firstKnown(properties.Category, written), 64);
  const named = sensorText(firstKnown(properties.Technique, names.join(':')), 128);
  const technique = sensorText(properties.external_id, 32) ?? (named === undefined ? undefined : idOfTechnique(named));
  return { ...(tactic !== undefined && { tactic }), ...(technique !== undefined && { technique }) };
}

/** The techniques that Tracee's own signatures name. https://attack.mitre.org/techniques/enterprise */
const techniques: Readonly<Record<string, string>> = {
  'command and scripting interpreter': 'T1059',
  'container administration command': 'T1609',
  'container and resource discovery': 'T1613',
  cron: 'T1053.003',
  'debugger evasion': 'T1622',
  'escape to host': 'T1611',
  'execution guardrails': 'T1480',
  'exploit public-facing application': 'T1190',
  'exploitation for credential access': 'T1212',
  'exploitation for privilege escalation': 'T1068',
  'hidden files and directories': 'T1564.001',
  'hijack execution flow': 'T1574',
  'kernel modules and extensions': 'T1547.006',
  masquerading: 'T1036',
  'obfuscated files or information': 'T1027',
  'proc filesystem': 'T1003.007',
  'proc memory': 'T1055.009',
  'process injection': 'T1055',
  'ptrace system calls': 'T1055.008',
  'rc scripts': 'T1037.004',
  'reflective code loading': 'T1620',
  rootkit: 'T1014',
  'software packing': 'T1027.002',
  'steal application access token': 'T1528',
  'sudo and sudo caching': 'T1548.003',
  'unix shell': 'T1059.004',
};

function idOfTechnique(name: string): string | undefined {
  const last = name.split(':').at(-1)?.trim().toLowerCase() ?? '';
  return Object.hasOwn(techniques, last) ? techniques[last] : undefined;
}

/** `defense-evasion`, `Defense Evasion` → the tag for the tactic. */
export function tacticTag(name: string | undefined): readonly string[] {
  return name === undefined
    ? []
    : [
        `mitre_${name
          .trim()
          .toLowerCase()
          .replaceAll(/[\s-]+/g, '_')}`,
      ];
}
