{{/* Labels of every object. */}}
{{- define "seatrial.labels" -}}
app.kubernetes.io/part-of: seatrial
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The image; a tag that is a digest is joined with @. */}}
{{- define "seatrial.image" -}}
{{- $join := hasPrefix "sha256:" .Values.image.tag | ternary "@" ":" -}}
{{ .Values.image.repository }}{{ $join }}{{ .Values.image.tag }}
{{- end }}

{{/* What every pod here has: the account, and all that Pod Security `restricted` asks for. */}}
{{- define "seatrial.pod" -}}
serviceAccountName: seatrial-operator
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every container here has. */}}
{{- define "seatrial.container" -}}
image: {{ include "seatrial.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: SEATRIAL_LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: SEATRIAL_ISTIO_TOKEN_FILE, value: /var/run/secrets/seatrial/istio-token}
{{- with .Values.prometheus.addresses }}
- {name: SEATRIAL_PROMETHEUS_ADDRESSES, value: {{ join " " . | quote }}}
{{- end }}
{{- with .Values.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
- {name: tmp, mountPath: /tmp}
- {name: istio-token, mountPath: /var/run/secrets/seatrial, readOnly: true}
{{- end }}

{{/* istiod answers its debug API for a token of this audience only, and only from this namespace. */}}
{{- define "seatrial.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 16Mi}
- name: istio-token
  projected:
    sources:
    - serviceAccountToken: {audience: istio-ca, expirationSeconds: 3600, path: istio-token}
{{- end }}

{{/* The Deployment of a role: operator or janitor. Takes root, role, replicas. */}}
{{- define "seatrial.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: seatrial-{{ .role }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    app.kubernetes.io/name: seatrial-{{ .role }}
    {{- include "seatrial.labels" .root | nindent 4 }}
spec:
  replicas: {{ .replicas }}
  revisionHistoryLimit: 2
  selector:
    matchLabels: {app.kubernetes.io/name: seatrial-{{ .role }}}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: seatrial-{{ .role }}
        sidecar.istio.io/inject: "false"
        {{- include "seatrial.labels" .root | nindent 8 }}
      {{- with .root.Values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "seatrial.pod" .root | nindent 6 }}
      terminationGracePeriodSeconds: 20
      containers:
      - name: {{ .role }}
        args: [{{ .role }}]
        {{- include "seatrial.container" .root | nindent 8 }}
        ports:
        - {name: metrics, containerPort: 8080}
        - {name: health, containerPort: 8081}
        livenessProbe:
          httpGet: {path: /livez, port: health}
          initialDelaySeconds: 10
          periodSeconds: 10
          timeoutSeconds: 5
        readinessProbe:
          httpGet: {path: /readyz, port: health}
          periodSeconds: 2
          timeoutSeconds: 2
      volumes: {{- include "seatrial.volumes" .root | nindent 6 }}
{{- end }}
