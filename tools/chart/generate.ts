/** Writes what of the chart follows from the declarations: accounts, rights, admission and network policies. With `--check` it fails where a file differs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../service/process/project-root.ts';
import { shippedActions } from '../../service/rbac/enabled.ts';
import { rbacManifests } from '../../service/rbac/manifests.ts';
import { networkManifest, networkPolicies } from '../../service/rbac/network-policies.ts';

const check = process.argv.includes('--check');
const chart = join(projectRoot(), 'deploy', 'helm', 'firebreak');
const folder = join(chart, 'templates', 'generated');

/** Stands for the namespace until the chart knows it. */
const namespace = 'release-namespace-of-the-chart';
/** Ports that stand for what the values say. */
const ports = { temporal: 65_001, evidence: 65_002, apiServer: 65_003 };

const templates = new Map<string, string>();
for (const [name, manifest] of rbacManifests({ actions: shippedActions(), namespace })) {
  const action = /^opt-in\/(\w+)\.yaml$/.exec(name)?.[1];
  const pool = name.replace('.yaml', '');
  const condition =
    action === undefined ? `has "${pool}" $roles` : `has "${action}" (dig "actions" "optIn" (list) .Values.config)`;
  templates.set(
    action === undefined ? name : `opt-in-${action}.yaml`,
    template(manifest, `and .Values.rbac.create (${condition})`),
  );
}
const network = [...networkPolicies({ namespace, ports })].map(([role, policy]) =>
  template(networkManifest([policy]), `and .Values.networkPolicy.enabled (has "${role}" $roles)`),
);
templates.set('network.yaml', network.join('---\n'));

const { version }: { version: string } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8'));
const about = readFileSync(join(chart, 'Chart.yaml'), 'utf8').replaceAll(/^(version|appVersion): .*$/gm, `$1: ${version}`);

mkdirSync(folder, { recursive: true });
const files = [...templates].map(([name, text]) => [join(folder, name), text] as const);
for (const [file, text] of [...files, [join(chart, 'Chart.yaml'), about] as const]) {
  if (textOf(file) === text) continue;
  if (check) {
    process.stderr.write(`${file.slice(projectRoot().length + 1)} is not what the declarations make: run npm run generate\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    process.stdout.write(`wrote ${file.slice(projectRoot().length + 1)}\n`);
  }
}

function template(manifest: string, condition: string): string {
  const text = manifest
    .replace(/^# Made .*\n(# .*\n)*/, '')
    .replaceAll('{{', '{{"{{"}}')
    .replaceAll(namespace, '{{ .Release.Namespace }}')
    .replaceAll(String(ports.temporal), '{{ .Values.networkPolicy.temporalPort }}')
    .replaceAll(String(ports.evidence), '{{ .Values.networkPolicy.evidencePort }}')
    .replaceAll(String(ports.apiServer), '{{ .Values.networkPolicy.apiServerPort }}');
  const head = '{{- /* Made from the declarations by tools/chart/generate.ts: do not edit. */ -}}';
  return `${head}\n{{- $roles := splitList "," (include "firebreak.roles" .) }}\n{{- if ${condition} }}\n${text}{{- end }}\n`;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
