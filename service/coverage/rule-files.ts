import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { objectOf } from '../../core/alert/sensor-text.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type KnownRule, placesOfTags, type RuleSet } from '../../core/rules/known-rules.ts';

type FoundRule = Omit<KnownRule, 'set' | 'part'>;

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The rule in one list entry of a Falco rule file; lists, macros and entries that only change another rule yield none. */
function falcoRule(entry: unknown): readonly FoundRule[] {
  const { rule, priority, tags: written, source, enabled, condition } = objectOf(entry) ?? {};
  if (typeof rule !== 'string' || condition === undefined) return [];
  const tags = textsIn(written);
  const isPlugin = typeof source === 'string' && source !== 'syscall';
  return [
    {
      sensor: 'falco',
      name: rule.trim(),
      ...(typeof priority === 'string' && { severity: priority }),
      tags,
      isOff: enabled === false,
      places: isPlugin ? ['cluster'] : placesOfTags(tags),
      ...(isPlugin && { detail: source }),
    },
  ];
}

/** A policy in the form in which it is applied to Kubernetes. */
function policy(document: unknown): readonly FoundRule[] {
  const { kind, metadata, spec: written } = objectOf(document) ?? {};
  const name = objectOf(metadata)?.name;
  const spec = objectOf(written);
  if (typeof kind !== 'string' || typeof name !== 'string') return [];
  if (/^TracingPolicy(?:Namespaced)?$/.test(kind))
    return [
      {
        sensor: 'tetragon',
        name,
        tags: ['kprobes', 'tracepoints', 'lsmhooks', 'uprobes'].flatMap((hooks) => {
          const list: unknown = spec?.[hooks];
          return Array.isArray(list) ? list.flatMap((hook) => textsIn(objectOf(hook)?.tags)) : [];
        }),
        isOff: false,
        places: kind === 'TracingPolicy' ? ['pod', 'node'] : ['pod'],
      },
    ];
  if (/^KubeArmor(?:Host|Cluster)?Policy$/.test(kind))
    return [
      {
        sensor: 'kubearmor',
        name,
        ...(spec?.severity !== undefined && { severity: String(spec.severity) }),
        tags: textsIn(spec?.tags),
        isOff: false,
        places: [kind === 'KubeArmorHostPolicy' ? 'node' : 'pod'],
      },
    ];
  return [];
}

function rulesIn(path: string): readonly FoundRule[] {
  return parseAllDocuments(readFileSync(path, 'utf8'), { logLevel: 'silent' }).flatMap((document) => {
    if (document.errors.length > 0)
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${path}: not YAML: ${document.errors[0]?.message.split('\n', 1)[0]}`);
    const value: unknown = document.toJS();
    return Array.isArray(value) ? value.flatMap(falcoRule) : policy(value);
  });
}

/**
 * Reads the rules in all files of a folder and its subfolders: Falco's rule files, Tetragon's TracingPolicies, KubeArmor's policies. If a rule is defined
 * twice, the later definition wins, as in Falco.
 * @throws FB_ERR_FILE_MISSING; FB_ERR_CONFIG_INVALID for invalid YAML
 */
export function ruleSetInFolder(folder: string): RuleSet {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new FirebreakError('FB_ERR_FILE_MISSING', `there is no folder ${folder}`, {
      remedy: 'Name the folder with your rule files.',
    });
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.ya?ml$/.test(file))
    .toSorted();
  const rules = new Map<string, KnownRule>();
  for (const file of files)
    for (const rule of rulesIn(join(folder, file))) {
      const key = `${rule.sensor}/${rule.name}`;
      rules.set(key, { ...rule, set: 'own', part: relative('.', file) });
    }
  return { id: 'own', title: `Rule files in ${folder}`, from: folder, version: 'as they are', rules: [...rules.values()] };
}
