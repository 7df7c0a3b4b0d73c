"""Rules on imports and forbidden calls, checked in the source and not by running it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import (
    ROOT,
    find_imports,
    find_imports_at_once,
    find_sources,
    is_within,
    module_of,
    name_of,
    tree_of,
)

# torch takes seconds and 200 MB to import: these files alone import it at module level
TORCH = {"service/classifier/model.py", "service/inference/engines/reference.py"}
# what training may import of the service, beside the command line, which starts all of it
SHARED = {
    # tasks of Label Studio have the form that its backend answers with
    "valence.service.annotation",
    "valence.service.classifier",
    "valence.service.errors",
    # what is measured of feedback
    "valence.service.feedback.record",
    "valence.service.files",
    "valence.service.inference.engines",
    "valence.service.inference.explain",
    # how answers are counted: the counts of the held-out texts lie beside those that are served
    "valence.service.monitoring.language",
    "valence.service.monitoring.signals",
    # texts are asked for by what the sample of texts is kept by
    "valence.service.monitoring.worth",
    # an engine says in the log why a faster one is not available
    "valence.service.observability.log",
    "valence.service.registry",
    # what a model for MLflow is made of, and the sources to which training publishes
    "valence.service.score.mlflow_model",
    "valence.service.score.recipe",
    "valence.service.sources",
    "valence.service.version",
}
# what only scikit-learn or MLflow calls, which bring these packages
GUESTS = {"service/estimator/scikit_learn.py", "service/score/mlflow_model.py"}
MAX_PARAMETERS = 6
RUNS_CODE = {
    "pickle",
    "cPickle",
    "dill",
    "joblib",
    "cloudpickle",
    "marshal",
    "shelve",
    "torch.package",
}
RUN = {"eval", "exec", "compile", "__import__"}


@pytest.fixture(params=find_sources(), ids=name_of)
def source(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_source_files_are_found() -> None:
    names = set(map(name_of, find_sources()))
    assert {"service/app.py", "training/__main__.py", *TORCH} <= names


def test_serving_imports_nothing_from_training(source: Path) -> None:
    if name_of(source).startswith("service/"):
        tree = tree_of(source)
        forbidden = {"valence.training", "torchtext", "sklearn", "pandas", "ftfy"}
        at_once = name_of(source) in GUESTS
        found = find_imports_at_once(tree) if at_once else find_imports(tree)
        assert not [name for name in found if is_within(name, forbidden)]


def test_classifier_and_engines_import_no_web_framework(source: Path) -> None:
    if name_of(source).startswith(("service/classifier/", "service/inference/")):
        forbidden = {"starlette", "bentoml", "uvicorn", "fastapi", "httpx"}
        assert not [name for name in find_imports(tree_of(source)) if is_within(name, forbidden)]


def test_only_listed_modules_import_torch_at_module_level(source: Path) -> None:
    if name_of(source).startswith("service/") and name_of(source) not in TORCH:
        found = find_imports_at_once(tree_of(source))
        torch_modules = {module_of(ROOT / path) for path in TORCH}
        assert not [name for name in found if is_within(name, {"torch", *torch_modules})]


def test_training_imports_only_shared_parts_of_the_service(source: Path) -> None:
    name = name_of(source)
    if name.startswith("training/") and not name.startswith("training/cli/"):
        modules = {module_of(path) for path in find_sources()}
        imports = modules & set(find_imports(tree_of(source)))
        of_service = {module for module in imports if module.startswith("valence.service.")}
        packages = {module.rpartition(".")[0] for module in of_service}
        of_service -= packages - SHARED
        assert not [module for module in of_service if not is_within(module, SHARED)]


def test_no_function_takes_more_than_six_parameters(source: Path) -> None:
    """Keyword-only parameters count; ``self`` and ``cls`` do not."""
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
            taken = len(names) + len(arguments.kwonlyargs) - (names[:1] in (["self"], ["cls"]))
            assert taken <= MAX_PARAMETERS, f"{name_of(source)}: {node.name} takes {taken}"


def test_no_source_calls_a_loader_that_can_run_code(source: Path) -> None:
    tree = tree_of(source)
    assert not [name for name in find_imports(tree) if is_within(name, RUNS_CODE)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in RUN
            assert called not in {"torch.load", "np.load", "numpy.load", "os.system", "os.popen"}
            for keyword in node.keywords:
                set_true = not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                )
                assert not (keyword.arg in {"shell", "allow_pickle"} and set_true)


def test_the_product_does_not_import_its_tests(source: Path) -> None:
    forbidden = {"tests", "conftest", "pytest", "hypothesis"}
    assert not [name for name in find_imports(tree_of(source)) if is_within(name, forbidden)]


def test_every_exported_name_is_defined(source: Path) -> None:
    tree = tree_of(source)
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            defined = {name.rpartition(".")[2] for name in find_imports(tree)}
            for other in tree.body:
                if isinstance(other, ast.Assign | ast.AnnAssign):
                    targets = other.targets if isinstance(other, ast.Assign) else [other.target]
                    defined.update(map(ast.unparse, targets))
                elif isinstance(other, ast.ClassDef | ast.FunctionDef):
                    defined.add(other.name)
            assert set(ast.literal_eval(node.value)) <= defined


def test_texts_and_artifacts_are_read_without_heavy_imports() -> None:
    """Reading texts and artifacts imports neither torch, a web framework nor BentoML."""
    code = (
        "import sys\n"
        "import valence.service.classifier.tokenizer, valence.service.classifier.vocabulary\n"
        "import valence.service.classifier.artifact, valence.service.classifier.classifier\n"
        "heavy = {'torch', 'torchtext', 'bentoml', 'starlette', 'valence.training', 'pyarrow',"
        " 'sklearn'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_importing_the_service_reads_no_environment_or_torch() -> None:
    """The import neither reads the environment nor imports torch."""
    code = (
        "import sys\n"
        "import valence.service.api.application, valence.service.inference.models\n"
        "import valence.service.inference.engines.factory, valence.service.settings\n"
        "import valence.service.observability.metrics, valence.service.observability.log\n"
        "import valence.service.registry.models\n"
        "print(sorted({'torch', 'bentoml', 'valence.training'} & sys.modules.keys()))\n"
    )
    environment = {"VALENCE_MAX_TEXTS": "not a number", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
