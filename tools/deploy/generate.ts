/**
 * Writes the parts of `deploy` that follow from the declarations: accounts, rights, admission and network policies of the shipped playbooks, as manifests and
 * as parts of the chart. With `--check` it writes nothing and fails if a file differs.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { slackManifest } from '../../integrations/slack/manifest.ts';
import { usualNamespace } from '../../service/config/fields.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { shippedActions } from '../../service/rbac/enabled.ts';
import { rbacManifests } from '../../service/rbac/manifests.ts';
import { networkManifest, networkPolicies } from '../../service/rbac/network-policies.ts';
import { pausers } from '../../service/rbac/pausing-manifests.ts';
import { writeGenerated } from '../generated.ts';
import { resourceDefinitions } from './custom-resources.ts';
import { dashboards, grafanaModel } from './dashboards.ts';

const actions = shippedActions();
const write = (path: string, text: string): void =>
  writeGenerated({ path, text, problem: ' does not match the declarations: run `npm run generate`' });

for (const [name, manifest] of rbacManifests({ actions, namespace: usualNamespace, gitops: pausers }))
  write(`deploy/rbac/${name}`, manifest);
write('deploy/rbac/network.yaml', networkManifest(networkPolicies({ namespace: usualNamespace }).values()));

// The app manifest is shipped with the program, which writes it for a new installation.
write('deploy/slack/manifest.yaml', slackManifest());

const chart = 'deploy/helm/firebreak';
/** Placeholder for the namespace until the chart knows it. */
const namespace = 'release-namespace-of-the-chart';
/** Placeholder ports for those from the values. */
const ports = {
  temporal: 65_001,
  evidence: 65_002,
  apiServer: 65_003,
  status: { cell: 65_010, desk: 65_011, secrets: 65_012, forensics: 65_013, packs: 65_014 },
};
/** Placeholder for the peers from the values that may read metrics. */
const metricsFrom = [{ placeholder: 'metrics' }];

for (const [name, manifest] of rbacManifests({ actions, namespace, gitops: pausers })) {
  const [folder = '', of = ''] = name.replace('.yaml', '').split('/');
  const [, part, role = ''] = /^(?:(events|resources|reports)-)?(\w+)$/.exec(folder) ?? [];
  const ofRole = `(has "${role}" $roles)`;
  const conditions: Readonly<Record<string, string>> = {
    'opt-in': `(has "${of}" (dig "actions" "optIn" (list) .Values.config))`,
    // An empty section also turns it on.
    gitops: `(has "cell" $roles) (ne (toString (dig "actions" "gitops" "${of}" false .Values.config)) "false")`,
    events: `${ofRole} (dig "kubernetes" "events" true .Values.config)`,
    reports: `${ofRole} (dig "kubernetes" "reports" true .Values.config)`,
    resources: `${ofRole} (dig "kubernetes" "resources" "enabled" true .Values.config)`,
  };
  const condition = conditions[part ?? folder] ?? ofRole;
  write(`${chart}/templates/generated/${name.replace('/', '-')}`, template(manifest, `and .Values.rbac.create ${condition}`));
}
for (const [name, manifest] of resourceDefinitions()) {
  write(`deploy/crds/${name}`, manifest);
  const condition = 'and .Values.crds.install (has "cell" $roles) (dig "kubernetes" "resources" "enabled" true .Values.config)';
  write(`${chart}/templates/generated/crd-${name}`, template(manifest, condition));
}
const network = [...networkPolicies({ namespace, ports, metricsFrom })].map(([role, policy]) =>
  template(networkManifest([policy]), `and .Values.networkPolicy.enabled (has "${role}" $roles)`),
);
write(`${chart}/templates/generated/network.yaml`, network.join('---\n'));

const rules = readFileSync(join(projectRoot(), 'deploy/prometheus/firebreak.rules.yaml'), 'utf8');
write(`${chart}/files/firebreak.rules.yaml`, rules);
for (const dashboard of dashboards) {
  const model = `${JSON.stringify(grafanaModel(dashboard), undefined, 2)}\n`;
  write(`deploy/grafana/${dashboard.name}.json`, model);
  write(`${chart}/files/dashboards/${dashboard.name}.json`, model);
}

const { version }: { version: string } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8'));
const about = readFileSync(join(projectRoot(), chart, 'Chart.yaml'), 'utf8');
write(`${chart}/Chart.yaml`, about.replaceAll(/^(version|appVersion): .*$/gm, `$1: ${version}`));

function template(manifest: string, condition: string): string {
  let text = manifest
    .replace(/^# Made .*\n(# .*\n)*/, '')
    .replaceAll('{{', '{{"{{"}}')
    .replaceAll(namespace, '{{ .Release.Namespace }}')
    .replaceAll(String(ports.temporal), '{{ include "firebreak.temporalPort" . }}')
    .replaceAll(String(ports.evidence), '{{ include "firebreak.evidencePort" . }}')
    .replaceAll(String(ports.apiServer), '{{ .Values.networkPolicy.apiServerPort }}')
    .replaceAll(
      /^( *)- placeholder: metrics$/gm,
      (_, { length }: string) => `${' '.repeat(length)}{{- toYaml .Values.networkPolicy.metricsFrom | nindent ${length} }}`,
    );
  for (const [role, port] of Object.entries(ports.status))
    text = text.replaceAll(String(port), `{{ include "firebreak.statusPort" (dict "root" $ "role" "${role}") }}`);
  const head = '{{- /* Made from the declarations by tools/deploy/generate.ts: do not edit. */ -}}';
  return `${head}\n{{- $roles := splitList "," (include "firebreak.roles" .) }}\n{{- if ${condition} }}\n${text}{{- end }}\n`;
}
