{{/* Labels of every object of the release. */}}
{{- define "shop.labels" -}}
app.kubernetes.io/part-of: shop
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Roles of Postgres that own a database of their name. */}}
{{- define "shop.databases" -}}
{{ include "shop.withData" . }} bank
{{- end }}

{{/* The services that keep data and take part in events. */}}
{{- define "shop.withData" -}}
orders inventory payments shipping notifications
{{- end }}

{{/* What a service needs that has a database: (dict "name" "orders" "secrets" (list "more")). */}}
{{- define "shop.data" -}}
envFrom:
- secretRef: {name: {{ .name }}-database}
{{- range .secrets }}
- secretRef: {name: {{ . }}}
{{- end }}
# It waits for Postgres, which may be starting at this moment.
migrate: {command: [python, -m, chassis, migrate, {{ .name }}], timeout: 3m}
{{- end }}

{{/* Two entries of `calls`: a database, and events. */}}
{{- define "shop.callsData" -}}
- service: postgres
- service: nats
{{- end }}

{{/* A data service's pod: labels, what the mesh is told, and as few rights as Pod Security's level restricted wants. */}}
{{- define "shop.dataLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "shop.dataAnnotations" -}}
kubectl.kubernetes.io/default-container: {{ . }}
sidecar.istio.io/proxyCPU: 10m
sidecar.istio.io/proxyMemory: 48Mi
{{- end }}

{{- define "shop.dataPodSecurity" -}}
{runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, fsGroup: 999, fsGroupChangePolicy: OnRootMismatch, seccompProfile: {type: RuntimeDefault}}
{{- end }}

{{- define "shop.dataSecurity" -}}
{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}

{{/* The claim of a StatefulSet, (dict "root" $ "size" "2Gi"). */}}
{{- define "shop.claim" -}}
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .root.Values.storage.className }}
  storageClassName: {{ . }}
  {{- end }}
  resources: {requests: {storage: {{ .size }}}}
{{- end }}

{{/* The part of a MeshService's spec that all services have: (dict "root" $ "name" "orders"). */}}
{{- define "shop.process" -}}
{{- $values := index .root.Values .name -}}
image: {{ printf "%s/%s:%s" .root.Values.image.repository .name .root.Values.image.tag }}
{{- with $values.autoscaling }}
autoscaling: {{- toYaml . | nindent 2 }}
{{- else }}
replicas: {{ $values.replicas }}
{{- end }}
port: 8080
env:
  # Before SIGTERM comes, callers have already been given some seconds to learn of it.
  SHUTDOWN_SETTLE: 1s
  SHUTDOWN_DRAIN: 20s
  FAULTS: {{ .root.Values.faults }}
  {{- if has .name (splitList " " (include "shop.withData" .)) }}
  BROKER_URL: nats://nats:4222
  {{- end }}
  {{- if .root.Values.collector.name }}
  OTEL_EXPORTER_OTLP_ENDPOINT: {{ include "shop.collectorUrl" .root }}
  {{- end }}
  {{- with $values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
probes: {startup: /livez, live: /livez, ready: /readyz}
shutdown: {drain: 20s, grace: 30s}
podTemplate:
  spec:
    containers:
    - {name: app, securityContext: {readOnlyRootFilesystem: true}}
    {{- with .containers }}
    {{- . | nindent 4 }}
    {{- end }}
traffic: {{- toYaml $values.traffic | nindent 2 }}
{{- with $values.rollout }}
rollout: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The collector's base URL. */}}
{{- define "shop.collectorUrl" -}}
{{- with .Values.collector -}}
http://{{ .name }}{{ with .namespace }}.{{ . }}{{ end }}:{{ default 4318 .port }}
{{- end }}
{{- end }}

{{/* The entry of `calls` for the collector; empty without one. */}}
{{- define "shop.callsCollector" -}}
{{- with .Values.collector.name -}}
- service: {{ . }}
  {{- with $.Values.collector.namespace }}
  namespace: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
