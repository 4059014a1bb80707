import * as falcoPlugins from './tables/falco-plugins.ts';
import * as falcoSyscall from './tables/falco-syscall.ts';
import * as kubearmorTemplates from './tables/kubearmor-templates.ts';
import * as kubescapeRules from './tables/kubescape-rules.ts';
import * as tetragonPolicies from './tables/tetragon-policies.ts';
import * as traceeSignatures from './tables/tracee-signatures.ts';

/** Where a rule observes something: in a pod, on a node outside of all pods, or at the API server or a cloud's API. */
export type RulePlace = 'pod' | 'node' | 'cluster';

/** A rule of a public rule set, or of somebody's own rule files. Facts only. */
export interface KnownRule {
  /** Id of its rule set. */
  readonly set: string;
  /** The part of the set that contains it: Falco’s maturity, a plugin’s source, a folder. */
  readonly part: string;
  readonly sensor: string;
  /** The name as alerts carry it. */
  readonly name: string;
  /** In the sensor's own words; absent if the rule gives none. */
  readonly severity?: string;
  readonly tags: readonly string[];
  /** Disabled until somebody enables it. */
  readonly isOff: boolean;
  readonly places: readonly RulePlace[];
  /** For Tracee: the tactic’s name. For Tetragon: the function that it hooks first. For a Falco plugin: its source. */
  readonly detail?: string;
}

export interface RuleSet {
  readonly id: string;
  readonly title: string;
  /** Repository, with the commit and date at which it was read. */
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

/** Falco's rules state by tag where they apply; a rule without such a tag applies everywhere. */
export function placesOfTags(tags: readonly string[]): readonly RulePlace[] {
  const places = [...(tags.includes('container') ? ['pod' as const] : []), ...(tags.includes('host') ? ['node' as const] : [])];
  return places.length > 0 ? places : ['pod', 'node'];
}

function falcoRule([name = '', severity = '', part = '', enabled, tags]: Row): Omit<KnownRule, 'set'> {
  const words = wordsIn(tags);
  return { part, sensor: 'falco', name, severity, tags: words, isOff: enabled === 'off', places: placesOfTags(words) };
}

/** A plugin reads an API's log: it concerns pods only if the rule is about one. */
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
  ruleSet('kubescape', 'Kubescape, node agent', kubescapeRules, ([name = '', severity = '', id = '', tags]) => ({
    part: 'rules',
    sensor: 'kubescape',
    name,
    severity,
    tags: [id, ...wordsIn(tags)],
    isOff: false,
    places: ['pod'],
  })),
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
