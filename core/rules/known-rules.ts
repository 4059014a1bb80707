import * as falcoPlugins from './tables/falco-plugins.ts';
import * as falcoSyscall from './tables/falco-syscall.ts';
import * as kubearmorTemplates from './tables/kubearmor-templates.ts';
import * as tetragonPolicies from './tables/tetragon-policies.ts';
import * as traceeSignatures from './tables/tracee-signatures.ts';

/** Where a rule sees something happen: in a pod, on a node outside of all pods, or at the API server or a cloud's. */
export type RulePlace = 'pod' | 'node' | 'cluster';

/** A rule of a public rule set, or of rule files that somebody has. Facts only. */
export interface KnownRule {
  /** Id of its rule set. */
  readonly set: string;
  /** What part of the set it is in: Falco’s maturity, a plugin’s source, a folder. */
  readonly part: string;
  readonly sensor: string;
  /** As alerts carry it. */
  readonly name: string;
  /** In the sensor's own words; absent where the rule gives none. */
  readonly severity?: string;
  readonly tags: readonly string[];
  /** Off until somebody turns it on. */
  readonly isOff: boolean;
  readonly places: readonly RulePlace[];
  /** Of Tracee: the tactic’s name. Of Tetragon: the function that it hooks first. Of a plugin of Falco: its source. */
  readonly detail?: string;
}

export interface RuleSet {
  readonly id: string;
  readonly title: string;
  /** Repository, and the commit and date at which it was read. */
  readonly from: string;
  readonly version: string;
  readonly rules: readonly KnownRule[];
}

interface Table {
  readonly from: string;
  readonly version: string;
  readonly rows: string;
}

type Row = readonly string[];

function ruleSet(id: string, title: string, table: Table, read: (row: Row) => Omit<KnownRule, 'set'>): RuleSet {
  const rules = table.rows.split('\n').map((line) => ({ set: id, ...read(line.split('\t')) }));
  return { id, title, from: table.from, version: table.version, rules };
}

function wordsIn(text = ''): readonly string[] {
  return text.split(' ').filter((word) => word !== '');
}

/** Falco's rules say by tag where they look; one that says nothing looks everywhere. */
export function placesOfTags(tags: readonly string[]): readonly RulePlace[] {
  const places = [...(tags.includes('container') ? ['pod' as const] : []), ...(tags.includes('host') ? ['node' as const] : [])];
  return places.length > 0 ? places : ['pod', 'node'];
}

function falcoRule([name = '', severity = '', part = '', enabled, tags]: Row): Omit<KnownRule, 'set'> {
  const words = wordsIn(tags);
  return { part, sensor: 'falco', name, severity, tags: words, isOff: enabled === 'off', places: placesOfTags(words) };
}

/** A plugin reads what an API says: of pods only where the rule is about one. */
function pluginRule([name = '', severity = '', source = '', enabled, tags]: Row): Omit<KnownRule, 'set'> {
  const isOfPod = source === 'k8s_audit' && (/\bpod\b|containers/i.test(name) || name === 'port-forward');
  return {
    part: source || 'k8smeta',
    sensor: 'falco',
    name,
    severity,
    tags: wordsIn(tags),
    isOff: enabled === 'off',
    places: [isOfPod ? 'pod' : 'cluster'],
    detail: source,
  };
}

export const ruleSets: readonly RuleSet[] = [
  ruleSet('falco', 'Falco, system calls', falcoSyscall, falcoRule),
  ruleSet('falco-plugins', 'Falco, plugins', falcoPlugins, pluginRule),
  ruleSet('tetragon', 'Tetragon, policy library and examples', tetragonPolicies, ([name = '', file = '', hooks, tags]) => ({
    part: file.split('/').slice(0, -1).join('/'),
    sensor: 'tetragon',
    name,
    tags: wordsIn(tags),
    isOff: false,
    places: ['pod', 'node'],
    detail: wordsIn(hooks)[0] ?? '',
  })),
  ruleSet(
    'tracee',
    'Tracee, signatures',
    traceeSignatures,
    ([name = '', severity = '', id = '', technique = '', tactic = '']) => ({
      part: 'signatures',
      sensor: 'tracee',
      name,
      severity,
      tags: [id, technique].filter((tag) => tag !== ''),
      isOff: false,
      places: ['pod'],
      detail: tactic,
    }),
  ),
  ruleSet('kubearmor', 'KubeArmor, policy templates', kubearmorTemplates, ([name = '', severity = '', kind = '', , tags]) => ({
    part: kind,
    sensor: 'kubearmor',
    name,
    ...(severity !== '' && { severity }),
    tags: wordsIn(tags),
    isOff: false,
    places: [kind === 'KubeArmorHostPolicy' ? 'node' : 'pod'],
  })),
];
