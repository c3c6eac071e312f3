{{/* Labels of every object of the release. */}}
{{- define "shop.labels" -}}
app.kubernetes.io/part-of: shop
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The Secret with the key that signs the ids of orders. */}}
{{- define "shop.referenceKeySecret" -}}
{{- default "orders-reference-key" .Values.referenceKey.existingSecret }}
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
