"""Mistakes in the manifests, each with a part of the finding that names it.

Name of the mistake -> file, text before, text after, part of the finding.
"""

from __future__ import annotations

from tests.deploy.agreement import RUNBOOK

BASE = "deploy/base/release/deployment.yaml"
KSERVE = "deploy/kserve/inference-service.yaml"
GATEWAY = "deploy/components/gateway/body-limit.yaml"
SIGNATURE = "deploy/components/signature/policy.yaml"
FETCHING = "deploy/components/workspace/admit-fetching.yaml"
RULES = "deploy/components/monitoring/rules.yaml"

FROM_STORE = "deploy/components/model-from-store"

MISTAKES = {
    "a copy of models that cannot be written": (
        f"{FROM_STORE}/pods.yaml", "name: models\n    mountPath: /var/cache/valence",
        "name: models\n    mountPath: /var/cache/other", "VALENCE_MODEL_CACHE",
    ),
    "a rollback that nobody asked for": (
        f"{FROM_STORE}/rollback.yaml", "suspend: true", "suspend: false", "without anybody asking",
    ),
    "wrong probe path": (BASE, "path: /livez", "path: /alive", "livenessProbe asks /alive"),
    "liveness asks readiness": (BASE, "path: /livez", "path: /readyz", "livenessProbe asks"),
    "wrong port": (BASE, "containerPort: 3000", "containerPort: 8080", "listens on 3000"),
    "port that nobody listens on": (
        BASE, "containerPort: 3001", "containerPort: 3002", "listens on 3000 and 3001",
    ),
    "probes on the port of clients": (
        BASE, "port: admin", "port: http", "livenessProbe asks port http",
    ),
    "missing seccomp": (BASE, "type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
    "uid that is not the image's": (BASE, "runAsUser: 10001", "runAsUser: 10002", "runAsUser"),
    "root that can be written": (
        BASE, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRoot",
    ),
    "links to Services": (
        BASE, "enableServiceLinks: false", "enableServiceLinks: true", "links to Services",
    ),
    "unknown field": (BASE, "periodSeconds: 10", "periodSecond: 10", "periodSecond"),
    "unknown setting": (BASE, "VALENCE_API_KEYS_FILE", "VALENCE_API_KEY_FILE", "is not a setting"),
    "leaving told twice": (
        BASE, "- name: VALENCE_API_KEYS_FILE",
        '- {name: VALENCE_DRAIN_SECONDS, value: "5"}\n            - name: VALENCE_API_KEYS_FILE',
        "VALENCE_DRAIN_SECONDS",
    ),
    "home that cannot be written": (
        "deploy/image/Dockerfile", "BENTOML_HOME=/tmp/bentoml", "BENTOML_HOME=/var/lib/bentoml",
        "is not in /tmp",
    ),
    "readiness that waits for no time of its own": (
        BASE, "            timeoutSeconds: 2\n          livenessProbe", "          livenessProbe",
        "readinessProbe says no timeoutSeconds",
    ),
    "a hang that waits as long as a rollout": (
        BASE, "            terminationGracePeriodSeconds: 15\n", "", "grace of the livenessProbe",
    ),
    "a hang that cuts off answers": (
        BASE, "terminationGracePeriodSeconds: 15", "terminationGracePeriodSeconds: 10",
        "grace of the livenessProbe",
    ),
    "KServe in the mode that cannot drain": (
        KSERVE, "deploymentMode: Standard", "deploymentMode: Knative", "Knative refuses lifecycle",
    ),
    "KServe in a mode that the cluster chooses": (
        KSERVE, "    serving.kserve.io/deploymentMode: Standard\n", "", "name Standard or Knative",
    ),
    "KServe's autoscaler with a metric of Knative's": (
        KSERVE, "scaleMetric: cpu", "scaleMetric: concurrency", "takes no scaleMetric concurrency",
    ),
    "KServe's pods without the label of the policies": (
        KSERVE, "app.kubernetes.io/name: valence", "app.kubernetes.io/name: other",
        "no network policy admits the port http",
    ),
    "KServe's probes on the port of clients": (
        KSERVE, "port: admin", "port: http", "livenessProbe asks port http",
    ),
    "unknown field of KServe": (KSERVE, "scaleTarget: 35", "scaleTargets: 35", "scaleTargets"),
    "a port that no policy admits": (
        "deploy/base/namespace/admit-callers.yaml", "port: admin", "port: metrics",
        "no network policy admits the port admin",
    ),
    "grace too short": (BASE, "PeriodSeconds: 75", "PeriodSeconds: 30", "terminationGrace"),
    "kind that nothing validates": (
        "deploy/base/namespace/service-account.yaml", "kind: ServiceAccount", "kind: ServiceAcount",
        "no validator covers v1/ServiceAcount",
    ),
    "port that the Service does not find": (
        "deploy/base/release/service.yaml", "targetPort: http", "targetPort: https",
        "no port https",
    ),
    "typo in a metric": (
        RULES, "valence_rejected_requests_total", "valence_reject_requests_total", "exposes no",
    ),
    "value that a label never has": (RULES, "overloaded|", "overload|", "reason='overload'"),
    "bucket that is none": (RULES, 'le="0.25"', 'le="0.3"', "le='0.3'"),
    "expression that does not parse": (RULES, "> 0.01", "> > 0.01", "ValenceRejects"),
    "alert without a runbook": (
        "docs/operations/runbook.md", "## ValenceRejects", "## Rejects",
        "no section ValenceRejects",
    ),
    "runbook that only the repository has": (
        RULES, "https://docs.example.com/valence/operations/runbook.html", RUNBOOK,
        "is no address of operations/runbook.html",
    ),
    "link to the section of another alert": (
        RULES, "#valencerejects", "#valencerestarts", "ValenceRejects: its runbook_url",
    ),
    "metric that the adapter does not define": (
        "deploy/components/autoscaling/autoscaler.yaml", "name: valence_saturation_ratio",
        "name: valence_saturation", "the adapter does not define valence_saturation",
    ),
    "backend that is not there": (
        "deploy/components/canary/weights.yaml", "name: valence-canary", "name: valence-next",
        "no Service valence-next:80",
    ),
    "path that is not served": (
        "deploy/components/route/stream.yaml", "/v1/classify/stream", "/v1/classify/streams",
        "/v1/classify/streams is not served",
    ),
    "gateway that lets more in than the service": (
        GATEWAY, "limit: 4Mi", "limit: 5Mi", "the service's is 4194304",
    ),
    "gateway that holds streams back": (
        "deploy/components/gateway/stream-connections.yaml", "  timeout:",
        "  requestBuffer: {limit: 4Mi}\n  timeout:", "holds back the stream",
    ),
    "gateway without a limit": (GATEWAY, "requestBuffer", "responseBuffer", "no limit for bodies"),
    "connections that the service closes first": (
        GATEWAY, "Timeout: 60s", "Timeout: 80s", "closes connections after 75 s",
    ),
    "policy for a route that is not there": (
        GATEWAY, "      name: valence\n", "      name: valance\n", "no HTTPRoute valance",
    ),
    "texts in the clear": (
        "deploy/components/gateway/gateway.yaml", "from: Same", "from: All",
        "the listener http takes routes of other namespaces",
    ),
    "unknown field of a gateway's policy": (
        GATEWAY, "connectionIdleTimeout", "idleTimeout", "spec.timeout.http.idleTimeout",
    ),
    "unknown field of an image policy": (
        SIGNATURE, "predicateType", "predicate", "attestations[0].predicate",
    ),
    "list of contents in another format": (
        SIGNATURE, "predicateType: cyclonedx", "predicateType: cdx", "is cdx, not one of",
    ),
    "training that reaches the whole Internet": (
        FETCHING, "cidr: 151.101.0.0/16", "cidr: 0.0.0.0/0", "0.0.0.0/0 is most of the Internet",
    ),
    "training that reaches every port": (
        FETCHING, "      ports:\n        - port: 443\n          protocol: TCP\n", "",
        "can be reached at every port",
    ),
    "training without names": (
        FETCHING, "port: 53", "port: 5353", "no network policy lets it reach port 53",
    ),
    "volume that is not claimed": (
        "deploy/components/training/job.yaml", "claimName: valence-workspace",
        "claimName: workspace", "on no volume that is claimed",
    ),
    "command that is none": (
        "deploy/components/retrain/retrain.yaml", "- retrain\n", "- retrian\n",
        "there is no command retrian",
    ),
    "option that is none": (
        "deploy/components/retrain/retrain.yaml", "- --kept-exit-code", "- --kept-code", "retrain:",
    ),
    "more ranks than pods": (
        "deploy/components/training/job.yaml", "--nnodes=2", "--nnodes=3", "not as many as pods",
    ),
    "rendezvous that nobody keeps": (
        "deploy/components/training/service.yaml", "port: 29400", "port: 29500", "--rdzv-endpoint",
    ),
    "store that outlives processes": (
        "deploy/components/training-kubeflow/job.yaml", "TORCH_DISABLE_SHARE", "TORCH_SHARE",
        "would look for dead ones",
    ),
    "unknown field of a PyTorchJob": (
        "deploy/components/training-kubeflow/job.yaml", "maxRestarts", "maxRestart", "maxRestart",
    ),
    "unknown field of a PyTorchJob's pod": (
        "deploy/components/training-kubeflow/job.yaml", "enableServiceLinks", "serviceLinks",
        "serviceLinks",
    ),
    "uid of the image": (
        "deploy/image/Dockerfile", "USER 10001:10001", "USER 10003:10003", "10003",
    ),
}  # fmt: skip
CUSTOM_MISTAKES = (
    ("deploy/components/monitoring/service-monitor.yaml", "scrapeTim", "scrapeTIM", "scrapeTIM"),
    ("deploy/components/autoscaling-keda/scaled-object.yaml", "15", "15s", "not assignable"),
    ("deploy/components/canary/weights.yaml", "weight: 5\n", "weigth: 5\n", "weigth"),
    ("deploy/components/gateway/gateway.yaml", "hostname:", "hostnam:", "hostnam"),
)
