"""Check that training jobs of a cluster agree with the commands, torchrun and the service."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from torch.distributed.run import get_args_parser
from typer.main import get_command
from valence.service.version import VERSION
from valence.training.cli.main import app

from tests.deploy.rendering import ROOT, Resource, named, title, training_pods

_NO_OLD_STORE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"


def findings(resources: list[Resource], uid: int) -> Iterator[str]:
    """Yield every disagreement of the jobs among ``resources``; ``uid`` is the image's user id."""
    for where, template in training_pods(resources).items():
        pod = template["spec"]
        (container,) = pod["containers"]
        for finding in (
            *_security(pod, container, uid),
            *_volumes(pod, container, named(resources, "PersistentVolumeClaim")),
            *_command(container["args"]),
        ):
            yield f"{where}: {finding}"
    for cron in named(resources, "CronJob").values():
        if cron["spec"]["concurrencyPolicy"] != "Forbid":
            yield f"{title(cron)}: two runs at once"
        if "rollback" in str(cron["spec"]["jobTemplate"]) and not cron["spec"].get("suspend"):
            yield f"{title(cron)}: goes back without anybody asking"
    for job in named(resources, "Job").values():
        yield from (f"{title(job)}: {finding}" for finding in _ranks(job, resources))


def _security(pod: Resource, container: Resource, uid: int) -> Iterator[str]:
    wanted = {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "fsGroup": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    given = pod["securityContext"] | container["securityContext"]
    yield from (f"{key} is {given.get(key)}" for key in wanted if given.get(key) != wanted[key])
    if pod.get("automountServiceAccountToken") is not False:
        yield "a service account's token is mounted"
    if pod.get("enableServiceLinks") is not False:
        yield "links to Services are variables that nobody asked for"
    if container["image"] != f"valence-training:{VERSION}":
        yield f"image {container['image']} is not valence-training:{VERSION}"
    resources, env = container["resources"], _environment(container)
    if "memory" not in resources["limits"]:
        yield "no limit of memory"
    if env.get("OMP_NUM_THREADS") != resources["requests"]["cpu"]:
        yield "OMP_NUM_THREADS is not the number of cores requested"
    if container["args"][0] == "torchrun" and env.get(_NO_OLD_STORE) != "1":
        yield f"{_NO_OLD_STORE} is not set: processes that start again would look for dead ones"


def _volumes(pod: Resource, container: Resource, claims: dict[str, Resource]) -> Iterator[str]:
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    if "emptyDir" not in volumes.get(mounts.get("/tmp", ""), {}):
        yield "/tmp cannot be written"
    arguments = container["args"]
    if "rollback" in arguments:
        # it changes the store of BENTOML_HOME, or that of a source
        if "--source" in arguments:
            return
        workspace = str(Path(_environment(container)["BENTOML_HOME"]).parent)
    elif "--workspace" in arguments:
        workspace = arguments[arguments.index("--workspace") + 1]
    else:
        yield "no --workspace: the image's own folder cannot be written"
        return
    claim = volumes.get(mounts.get(workspace, ""), {}).get("persistentVolumeClaim", {})
    if claim.get("claimName") not in claims:
        yield f"{workspace} is on no volume that is claimed"
    home = _environment(container).get("BENTOML_HOME", "")
    if Path(home).parent != Path(workspace):
        yield f"BENTOML_HOME={home} is not in {workspace}: models would be lost with the pod"


def _command(arguments: list[str]) -> Iterator[str]:
    """Yield what torchrun or the command itself would refuse; no command is run."""
    given = list(arguments)
    if given[0] == "torchrun":
        try:
            parsed = get_args_parser().parse_args(given[1:])
        except SystemExit:
            yield "torchrun refuses its options"
            return
        given = ["python", "-m" if parsed.module else "", parsed.training_script]
        given += parsed.training_script_args
    if given[:3] != ["python", "-m", "valence.training"]:
        yield f"{' '.join(given[:3])} is not python -m valence.training"
        return
    name, *options = given[3:]
    command = get_command(app).commands.get(name)  # type: ignore[attr-defined]
    if command is None:
        yield f"there is no command {name}"
        return
    try:
        command.make_context(name, list(options))
    except Exception as error:  # typer's copies of click's errors have no public common class
        yield f"{name}: {getattr(error, 'message', error)}"
    configuration = options[0]
    file = ROOT / configuration
    if not file.suffix:
        file = ROOT / "training" / "config" / "presets" / f"{configuration}.toml"
    if not file.is_file():
        yield f"there is no configuration {configuration}"
    kept = dict(pairwise(options)).get("--kept-exit-code")
    if name == "retrain" and kept != "0":
        yield "a champion that was kept would be a failed Job"


def _ranks(job: Resource, resources: list[Resource]) -> Iterator[str]:
    spec = job["spec"]
    template = spec["template"]
    arguments = template["spec"]["containers"][0]["args"]
    parsed = get_args_parser().parse_args(arguments[1:])
    if spec["completionMode"] != "Indexed" or not (
        parsed.nnodes == str(spec["completions"]) == str(spec["parallelism"])
    ):
        yield f"--nnodes={parsed.nnodes}, not as many as pods at once"
    service = named(resources, "Service").get(template["spec"]["subdomain"])
    name = job["metadata"]["name"]
    if service is None:
        yield f"no Service {template['spec']['subdomain']} gives its pods names"
        return
    (port,) = service["spec"]["ports"]
    endpoint = f"{name}-0.{service['metadata']['name']}:{port['port']}"
    if parsed.rdzv_endpoint != endpoint:
        yield f"--rdzv-endpoint={parsed.rdzv_endpoint}, the first pod is {endpoint}"
    if not service["spec"]["selector"].items() <= template["metadata"]["labels"].items():
        yield "its Service does not select its pods"


def _environment(container: Resource) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("env", ())}
