{{- define "firebreak.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "firebreak.labels" -}}
app.kubernetes.io/name: firebreak
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Ports of what the configuration names, where the values name none. */}}
{{- define "firebreak.temporalPort" -}}
{{- $address := (.Values.config.temporal | default dict).address -}}
{{- range .Values.env }}{{ if and (not $address) (eq .name "TEMPORAL_ADDRESS") }}{{ $address = .value }}{{ end }}{{ end -}}
{{- .Values.networkPolicy.temporalPort | default (regexFind "[0-9]+$" (regexFind ":[0-9]+$" ($address | default ""))) | default 7233 -}}
{{- end -}}

{{- define "firebreak.evidencePort" -}}
{{- .Values.networkPolicy.evidencePort | default (include "firebreak.portOf" (dig "evidence" "s3" "endpoint" "" .Values.config)) -}}
{{- end -}}

{{/* Of a bucket that is not where the evidence is. */}}
{{- define "firebreak.backupPort" -}}
{{- $endpoint := dig "backup" "s3" "endpoint" "" .Values.config -}}
{{- if or .Values.networkPolicy.evidencePort (not $endpoint) }}{{ include "firebreak.evidencePort" . }}{{ else }}{{ include "firebreak.portOf" $endpoint }}{{ end -}}
{{- end -}}

{{/* Takes a URL. */}}
{{- define "firebreak.portOf" -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" (regexFind "^https?://[^/?#]+" .)) | default (ternary 80 443 (hasPrefix "http://" .)) -}}
{{- end -}}

{{/* The roles that run, with commas between. */}}
{{- define "firebreak.roles" -}}
{{- if eq .Values.profile "hub" -}}
desk
{{- else -}}
{{- $roles := list -}}
{{- range $role := list "cell" "desk" "secrets" "forensics" "packs" -}}
{{- if (index $.Values $role).enabled }}{{ $roles = append $roles $role }}{{ end -}}
{{- end -}}
{{- join "," $roles -}}
{{- end -}}
{{- end -}}

{{/* Port of a role's status and metrics: in one pod each role has its own. Takes a dict: root, role. */}}
{{- define "firebreak.statusPort" -}}
{{- if eq .root.Values.profile "single" -}}
{{- get (dict "cell" 8767 "desk" 8768 "secrets" 8769 "forensics" 8770 "packs" 8771) .role -}}
{{- else -}}
8767
{{- end -}}
{{- end -}}

{{/* firebreak.yaml: what the values say, and what is the chart's to know. */}}
{{- define "firebreak.config" -}}
{{- $desk := dict "listen" (dict "host" "0.0.0.0" "port" 8766) -}}
{{- if .Values.trust.hub }}{{ $_ := set $desk "votePublicKeys" (list "/etc/firebreak/trust/hub/vote.pem.pub") }}{{ end -}}
{{- $own := dict
  "stateDir" "/var/lib/firebreak"
  "kubernetes" (dict "ownNamespace" .Release.Namespace)
  "intake" (dict "listen" (dict "host" "0.0.0.0" "port" 8765))
  "desk" $desk
  "status" (dict "listen" (dict "host" "0.0.0.0" "port" 8767))
  "guardrails" (dict "cells" (ternary 1 (int .Values.cell.replicas) (eq .Values.profile "single")))
-}}
{{- if .Values.temporal.install }}{{ $_ := set $own "temporal" (dict "address" (printf "firebreak-temporal.%s.svc:7233" .Release.Namespace)) }}{{ end -}}
{{- if .Values.trust.clusters -}}
{{- $trust := dict "cells" list "secrets" list "forensics" list "packs" list -}}
{{- range .Values.trust.clusters -}}
{{- $folder := printf "/etc/firebreak/trust/%s" .keys -}}
{{- $_ := set $trust "cells" (append $trust.cells (dict "cluster" .cluster "key" (printf "%s/cell.pem.pub" $folder))) -}}
{{- range $pool := list "secrets" "forensics" "packs" -}}
{{- $_ := set $trust $pool (append (index $trust $pool) (printf "%s/%s.pem.pub" $folder $pool)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $own "trust" $trust -}}
{{- end -}}
{{- $protected := dict "guardrails" (dict "protectedNamespaces" (list "kube-system" "kube-public" "kube-node-lease" .Release.Namespace)) -}}
{{- toYaml (mergeOverwrite $protected (deepCopy .Values.config) $own) -}}
{{- end -}}

{{/* ConfigMaps with public keys of others, and the folders that they are mounted in. */}}
{{- define "firebreak.trusted" -}}
{{- range .Values.trust.clusters }}
- { name: {{ .keys }}, keys: {{ .keys }} }
{{- end }}
{{- with .Values.trust.hub }}
- { name: hub, keys: {{ . }} }
{{- end }}
{{- end -}}

{{/* Objects of the whole cluster belong to one release. Takes a dict: root, there (an object, or nothing), but. */}}
{{- define "firebreak.onlyOne" -}}
{{- $owner := dig "metadata" "annotations" dict .there -}}
{{- $name := index $owner "meta.helm.sh/release-name" -}}
{{- $namespace := index $owner "meta.helm.sh/release-namespace" -}}
{{- if and $name (or (ne $name .root.Release.Name) (ne $namespace .root.Release.Namespace)) -}}
{{ fail (printf "this cluster has Firebreak already: release %s in namespace %s. %s" $name $namespace .but) }}
{{- end -}}
{{- end -}}

{{/* What cannot work is said before anything is installed. */}}
{{- define "firebreak.check" -}}
{{- $roles := splitList "," (include "firebreak.roles" .) -}}
{{- if and .Values.rbac.create (has "cell" $roles) -}}
{{- include "firebreak.onlyOne" (dict "root" . "there" (lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "firebreak-cell") "but" "One installation covers all namespaces: upgrade or uninstall that one.") -}}
{{- end -}}
{{- if .Values.priorityClass.create -}}
{{- include "firebreak.onlyOne" (dict "root" . "there" (lookup "scheduling.k8s.io/v1" "PriorityClass" "" "firebreak") "but" "For a hub next to a cell, set priorityClass.create to false here.") -}}
{{- end -}}
{{- if not .Values.config.cluster }}{{ fail "config.cluster is missing: the name of this cluster, part of every incident's id" }}{{ end -}}
{{- if not .Values.config.roster }}{{ fail "config.roster is missing: who may decide, see firebreak docs configuration" }}{{ end -}}
{{- $people := (.Values.config.roster).people | default list -}}
{{- $answer := .Values.config.slack -}}
{{- range $people }}{{ if .keys }}{{ $answer = true }}{{ end }}{{ end -}}
{{- if and (has "desk" $roles) (not $answer) }}{{ fail "nobody could answer: config.slack is missing, and nobody in config.roster.people has keys (firebreak init creates some)" }}{{ end -}}
{{- if not (dig "forensics" "toolsImage" "" .Values.config) -}}
{{- range dig "actions" "optIn" list .Values.config }}{{ if has . (list "checkpointContainer" "countConnections" "cutConnections" "probeQuarantine") }}{{ fail (printf "config.actions.optIn has %s, which needs config.forensics.toolsImage: the image of its tools, by digest" .) }}{{ end }}{{ end -}}
{{- end -}}
{{- $temporal := .Values.config.temporal | default dict -}}
{{- $named := $temporal.address -}}
{{- range .Values.env }}{{ if eq .name "TEMPORAL_ADDRESS" }}{{ $named = true }}{{ end }}{{ end -}}
{{- if .Values.temporal.install -}}
{{- if $named }}{{ fail "temporal.install is for installations without a Temporal: leave out config.temporal.address and TEMPORAL_ADDRESS, or temporal.install" }}{{ end -}}
{{- if $temporal.tls }}{{ fail "temporal.install has no TLS: leave out config.temporal.tls, or name your own Temporal in config.temporal.address" }}{{ end -}}
{{- if or (eq .Values.profile "hub") .Values.trust.hub }}{{ fail "temporal.install is for one cluster: a hub and its clusters share a Temporal that all of them reach" }}{{ end -}}
{{- else if not $named }}{{ fail "config.temporal.address is missing: host and port of Temporal's frontend (temporal.install provides one for a trial)" }}{{ end -}}
{{- if and (eq .Values.profile "single") (or (gt (int .Values.cell.replicas) 1) (gt (int .Values.desk.replicas) 1)) }}{{ fail "profile single is one pod: leave cell.replicas and desk.replicas at 1, or set profile cluster" }}{{ end -}}
{{- $database := (.Values.config.audit | default dict).url -}}
{{- if and (gt (int .Values.desk.replicas) 1) (not $database) }}{{ fail "desk.replicas over 1 needs config.audit.url: several desks share a PostgreSQL" }}{{ end -}}
{{- if and .Values.monitoring.podMonitor .Values.monitoring.serviceMonitor }}{{ fail "monitoring.podMonitor and monitoring.serviceMonitor would scrape everything twice: set one of them" }}{{ end -}}
{{- if and .Values.doctor.schedule (eq .Values.profile "single") (not .Values.cell.persistence.enabled) }}{{ fail "doctor.schedule with profile single needs cell.persistence: otherwise only the pod itself has its state" }}{{ end -}}
{{- $held := ternary .Values.cell.persistence .Values.desk.persistence (eq .Values.profile "single") -}}
{{- if .Values.reports.schedule -}}
{{- if not (has "desk" $roles) }}{{ fail "reports.schedule belongs where the desk is: reports are made from its records" }}{{ end -}}
{{- if not $held.enabled }}{{ fail "reports.schedule needs persistence: the keys that prove records are on the desk's volume" }}{{ end -}}
{{- if not .Values.config.reports }}{{ fail "reports.schedule has nothing to deliver: set config.reports" }}{{ end -}}
{{- end -}}
{{- if .Values.backup.schedule -}}
{{- if not (has "desk" $roles) }}{{ fail "backup.schedule belongs where the desk is: its records are what is backed up" }}{{ end -}}
{{- if not $held.enabled }}{{ fail "backup.schedule needs persistence: the transparency log of the records is on the desk's volume" }}{{ end -}}
{{- if and (not .Values.backup.existingClaim) (not (dig "backup" "s3" "" .Values.config)) }}{{ fail "backup.schedule has nowhere to write to: set backup.existingClaim, or config.backup.s3" }}{{ end -}}
{{- end -}}
{{- if .Values.restore.from -}}
{{- if not (has "desk" $roles) }}{{ fail "restore.from belongs where the desk is: its records are what is restored" }}{{ end -}}
{{- if not $held.enabled }}{{ fail "restore.from needs persistence: the transparency log of the records is made on the desk's volume" }}{{ end -}}
{{- if not .Values.restore.publicKey }}{{ fail "restore.publicKey is missing: a ConfigMap with the public key of the notary whose backups are trusted" }}{{ end -}}
{{- if and (not .Values.backup.existingClaim) (not (dig "backup" "s3" "" .Values.config)) }}{{ fail "restore.from has nowhere to read from: set backup.existingClaim, or config.backup.s3" }}{{ end -}}
{{- end -}}
{{- if and (eq .Values.profile "hub") (not .Values.trust.clusters) }}{{ fail "trust.clusters is missing: a hub trusts the clusters that are listed there" }}{{ end -}}
{{- if and .Values.trust.hub (has "desk" $roles) }}{{ fail "trust.hub is for a cluster without its own desk: set desk.enabled to false" }}{{ end -}}
{{- if and (ne .Values.profile "hub") (not (has "desk" $roles)) (not .Values.trust.hub) (not (dig "desk" "votePublicKeys" "" .Values.config)) }}{{ fail "desk.enabled is false, and trust.hub does not say whose desk decides" }}{{ end -}}
{{- $store := (.Values.config.evidence | default dict).s3 -}}
{{- if and (ne .Values.profile "single") (has "cell" $roles) (not $store) (not .Values.evidence.existingClaim) }}{{ fail "evidence has nowhere to go: set config.evidence.s3, or evidence.existingClaim to a claim that several pods may write to (profile: single needs neither)" }}{{ end -}}
{{- end -}}

{{/* On the node of the pod whose volume it needs. Takes a dict: root, component. */}}
{{- define "firebreak.besideState" -}}
requiredDuringSchedulingIgnoredDuringExecution:
  - topologyKey: kubernetes.io/hostname
    labelSelector:
      matchLabels: { app.kubernetes.io/name: firebreak, app.kubernetes.io/instance: {{ .root.Release.Name }}, app.kubernetes.io/component: {{ .component }} }
{{- end -}}

{{/* What a backup and a restore see besides what the desk sees. */}}
{{- define "firebreak.backupMounts" -}}
{{- $root := . -}}
{{- /* In one pod each container has an account, which neither needs. */}}
{{- range (include "firebreak.mounts" (dict "root" . "role" "desk") | fromYamlArray) }}
{{- if ne .name "desk-account" }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- range .Values.secretFiles }}
{{- if and (has "backup" .roles) (not (has "desk" .roles)) }}
- { name: secret-{{ .name }}, mountPath: /etc/firebreak/secrets/{{ .name }}, readOnly: true }
{{- end }}
{{- end }}
{{- if .Values.backup.existingClaim }}
- { name: backups, mountPath: /var/lib/firebreak-backups }
{{- end }}
{{- if .Values.backup.sealKeysWith }}
- { name: seal, mountPath: /etc/firebreak/backup, readOnly: true }
{{- end }}
{{- end -}}

{{- define "firebreak.backupVolumes" -}}
{{- range (include "firebreak.volumes" (dict "root" . "roles" (list "desk")) | fromYamlArray) }}
{{- if ne .name "desk-account" }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- range .Values.secretFiles }}
{{- if and (has "backup" .roles) (not (has "desk" .roles)) }}
- name: secret-{{ .name }}
  secret: { secretName: {{ .secret }}, defaultMode: 0440 }
{{- end }}
{{- end }}
- name: state
  persistentVolumeClaim: { claimName: state-firebreak-{{ ternary "0" "desk-0" (eq .Values.profile "single") }} }
{{- with .Values.backup.existingClaim }}
- name: backups
  persistentVolumeClaim: { claimName: {{ . }} }
{{- end }}
{{- with .Values.backup.sealKeysWith }}
- name: seal
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- end -}}

{{- define "firebreak.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* A container of one role. Takes a dict: root, role. In one pod with others it has its account by a mounted token. */}}
{{- define "firebreak.container" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $values := index $root.Values $role -}}
{{- $single := eq $root.Values.profile "single" -}}
{{- $status := include "firebreak.statusPort" . -}}
- name: {{ $role }}
  image: {{ include "firebreak.image" $root }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  args: [run, --role, {{ $role }}, --config, /etc/firebreak/config/{{ if $single }}{{ $role }}{{ else }}firebreak{{ end }}.yaml]
  env:
    # For who runs the command line in here: `kubectl exec POD --container ROLE -- firebreak …`.
    - { name: FIREBREAK_CONFIG, value: /etc/firebreak/config/{{ if $single }}{{ $role }}{{ else }}firebreak{{ end }}.yaml }
    {{- with $root.Values.env }}{{ toYaml . | nindent 4 }}{{ end }}
  ports:
    - { name: status-{{ $role | trunc 8 }}, containerPort: {{ $status }} }
    {{- if eq $role "cell" }}
    - { name: alerts, containerPort: 8765 }
    {{- else if eq $role "desk" }}
    - { name: desk, containerPort: 8766 }
    {{- end }}
  startupProbe:
    httpGet: { path: /healthz, port: status-{{ $role | trunc 8 }} }
    periodSeconds: 2
    failureThreshold: 60
  livenessProbe:
    httpGet: { path: /healthz, port: status-{{ $role | trunc 8 }} }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    httpGet: { path: /readyz, port: status-{{ $role | trunc 8 }} }
    periodSeconds: 5
    timeoutSeconds: 5
  resources: {{- toYaml $values.resources | nindent 4 }}
  securityContext: {{- include "firebreak.securityContext" $root | nindent 4 }}
  volumeMounts: {{- include "firebreak.mounts" . | nindent 4 }}
{{- end -}}

{{/* The pod of these roles. Takes a dict: root, roles. */}}
{{- define "firebreak.pod" -}}
{{- $root := .root -}}
{{- $roles := .roles -}}
{{- $single := eq $root.Values.profile "single" -}}
metadata:
  labels:
    app.kubernetes.io/name: firebreak
    app.kubernetes.io/instance: {{ $root.Release.Name }}
    app.kubernetes.io/component: {{ if $single }}all{{ else }}{{ first $roles }}{{ end }}
    {{- range $roles }}
    firebreak.dev/role-{{ . }}: "true"
    {{- end }}
    {{- with $root.Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # A new configuration is a new pod.
    firebreak.dev/config: {{ include "firebreak.config" $root | sha256sum }}
    {{- with $root.Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: firebreak-{{ if $single }}cell{{ else }}{{ first $roles }}{{ end }}
  automountServiceAccountToken: {{ and (not $single) (ne (first $roles) "desk") }}
  {{- if $root.Values.priorityClass.create }}
  priorityClassName: firebreak
  {{- end }}
  terminationGracePeriodSeconds: 60
  securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, fsGroupChangePolicy: OnRootMismatch }
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: { app.kubernetes.io/name: firebreak, app.kubernetes.io/instance: {{ $root.Release.Name }} }
  containers:
    {{- range $roles }}
    {{- include "firebreak.container" (dict "root" $root "role" .) | nindent 4 }}
    {{- end }}
  volumes: {{- include "firebreak.volumes" . | nindent 4 }}
{{- end -}}

{{/* Where state is: a claim of the StatefulSet, or what ends with the pod. Takes a dict: root, persistence. */}}
{{- define "firebreak.claim" -}}
{{- if .persistence.enabled }}
volumeClaimTemplates:
  - metadata: { name: state }
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .persistence.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources: { requests: { storage: {{ .persistence.size }} } }
{{- end }}
{{- end -}}

{{/* What a container of one role sees of its pod's volumes. Takes a dict: root, role. */}}
{{- define "firebreak.mounts" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $single := eq $root.Values.profile "single" -}}
- { name: config, mountPath: /etc/firebreak/config, readOnly: true }
- { name: state, mountPath: /var/lib/firebreak }
- { name: tmp, mountPath: /tmp }
{{- if $single }}
- { name: {{ $role }}-account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- else }}
- { name: keys, mountPath: /var/lib/firebreak/keys, readOnly: true }
{{- if and $root.Values.evidence.existingClaim (has $role (list "cell" "forensics")) }}
- { name: evidence, mountPath: /var/lib/firebreak/evidence }
{{- end }}
{{- end }}
{{- range (include "firebreak.trusted" $root | fromYamlArray) }}
- { name: trust-{{ .name }}, mountPath: /etc/firebreak/trust/{{ .name }}, readOnly: true }
{{- end }}
{{- with $root.Values.volumeMounts }}{{ toYaml . | nindent 0 }}{{ end }}
{{- range $root.Values.secretFiles }}
{{- if has $role .roles }}
- { name: secret-{{ .name }}, mountPath: /etc/firebreak/secrets/{{ .name }}, readOnly: true }
{{- end }}
{{- end }}
{{- end -}}

{{/* Configuration, secrets and keys of these roles; their state is the workload's own. Takes a dict: root, roles. */}}
{{- define "firebreak.volumes" -}}
{{- $root := .root -}}
{{- $roles := .roles -}}
{{- $single := eq $root.Values.profile "single" -}}
- name: config
  configMap: { name: firebreak }
- name: tmp
  emptyDir: {}
{{- range (include "firebreak.trusted" $root | fromYamlArray) }}
- name: trust-{{ .name }}
  configMap: { name: {{ .keys }} }
{{- end }}
{{- with $root.Values.volumes }}{{ toYaml . | nindent 0 }}{{ end }}
{{- range $root.Values.secretFiles }}
{{- $wanted := false }}
{{- range .roles }}{{ if has . $roles }}{{ $wanted = true }}{{ end }}{{ end }}
{{- if $wanted }}
- name: secret-{{ .name }}
  secret: { secretName: {{ .secret }}, defaultMode: 0440 }
{{- end }}
{{- end }}
{{- if $single }}
{{- range $roles }}
- name: {{ . }}-account
  secret: { secretName: firebreak-{{ . }}-account, defaultMode: 0440 }
{{- end }}
{{- else }}
- name: keys
  projected:
    defaultMode: 0440
    sources:
      - configMap: { name: firebreak-keys-public }
      - secret: { name: firebreak-keys-shared }
      - secret: { name: firebreak-keys-{{ first $roles }} }
      {{- if has (first $roles) (list "cell" "forensics") }}
      - secret: { name: firebreak-keys-evidence }
      {{- end }}
{{- if and $root.Values.evidence.existingClaim (has (first $roles) (list "cell" "forensics")) }}
- name: evidence
  persistentVolumeClaim: { claimName: {{ $root.Values.evidence.existingClaim }} }
{{- end }}
{{- end }}
{{- end -}}
