{{/* The name of the Deployment, its Service and so on: the release, with `valence` in it. */}}
{{- define "valence.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "valence" $name) }}{{ $name = printf "%s-valence" $name }}{{ end -}}
{{- $name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The labels by which a release finds its pods. */}}
{{- define "valence.labels" -}}
app.kubernetes.io/name: valence
app.kubernetes.io/instance: {{ include "valence.name" . }}
{{- end }}

{{- define "valence.image" -}}
{{- $image := .Values.image -}}
{{- $tag := $image.tag | default (compact (list .Chart.AppVersion $image.variant) | join "-") -}}
{{- if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest }}
{{- else }}{{ printf "%s:%s" $image.repository $tag }}{{ end -}}
{{- end }}

{{/* Of every pod: nothing of the machine, and no root. */}}
{{- define "valence.podSecurity" -}}
automountServiceAccountToken: false
# Kubernetes would add a variable VALENCE_PORT, among others, for the Service `valence`. The service
# refuses to start with a VALENCE_ variable that it does not know.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "valence.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{/* An egress rule for DNS. */}}
{{- define "valence.dns" -}}
to:
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: kube-system
    podSelector:
      matchLabels:
        k8s-app: kube-dns
ports:
  - port: 53
    protocol: UDP
  - port: 53
    protocol: TCP
{{- end }}
