"""Rules on imports and forbidden calls, checked in the source and not by running it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for part in ("service", "training") for path in (ROOT / part).rglob("*.py"))
# torch takes seconds and 200 MB to import: only these modules may import it at module level
TORCH = {"service/classifier/model.py", "service/inference/reference.py"}
# a layer may import the layers after it in this list, never those before it
LAYERS = (
    "valence.service.app",
    "valence.service.api",
    "valence.service.inference",
    "valence.service.classifier",
)
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


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every module that ``tree`` imports, at any depth; ``from a import b`` is a, a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_at_once(tree: ast.Module) -> set[str]:
    """Return the imports at module level: those in functions and for type checkers do not count."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(imported(node))
        waiting.extend(ast.iter_child_nodes(node))
    return found


def within(module: str, packages: set[str] | tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.fixture(params=SOURCES, ids=name_of)
def source(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_source_files_are_found() -> None:
    names = set(map(name_of, SOURCES))
    assert {"service/app.py", "training/__main__.py", *TORCH} <= names


def test_serving_imports_nothing_from_training(source: Path) -> None:
    if name_of(source).startswith("service/"):
        forbidden = {"training", "torchtext", "sklearn", "pandas", "ftfy"}
        assert not [name for name in imported(tree_of(source)) if within(name, forbidden)]


def test_classifier_and_engines_import_no_web_framework(source: Path) -> None:
    if name_of(source).startswith(("service/classifier/", "service/inference/")):
        forbidden = {"starlette", "bentoml", "uvicorn", "fastapi", "httpx"}
        assert not [name for name in imported(tree_of(source)) if within(name, forbidden)]


def test_a_layer_imports_only_lower_layers(source: Path) -> None:
    module = module_of(source)
    own = [place for place, layer in enumerate(LAYERS) if within(module, (layer,))]
    if own:
        above = LAYERS[: own[0]]
        assert not [name for name in imported(tree_of(source)) if within(name, above)]


def test_only_listed_modules_import_torch_at_module_level(source: Path) -> None:
    if name_of(source).startswith("service/") and name_of(source) not in TORCH:
        found = imported_at_once(tree_of(source))
        torch_modules = {path.removesuffix(".py").replace("/", ".") for path in TORCH}
        assert not [name for name in found if within(name, {"torch", *torch_modules})]


def test_training_imports_only_classifier_and_engine_of_service(source: Path) -> None:
    if name_of(source).startswith("training/"):
        # the log is allowed because it tells why the fastest engine is not available
        names = ("errors", "version", "log", "encodings", "tables", "champion")
        plain = {f"service.{name}" for name in names}
        allowed = {"valence.service.classifier", "valence.service.inference", *plain}
        of_service = {name for name in imported(tree_of(source)) if within(name, {"service"})}
        assert not [name for name in of_service - {"service"} if not within(name, allowed)]


def test_no_source_calls_a_loader_that_can_run_code(source: Path) -> None:
    tree = tree_of(source)
    assert not [name for name in imported(tree) if within(name, RUNS_CODE)]
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
    assert not [name for name in imported(tree_of(source)) if within(name, forbidden)]


def test_every_exported_name_is_defined(source: Path) -> None:
    tree = tree_of(source)
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            defined = {name.rpartition(".")[2] for name in imported(tree)}
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
        "heavy = {'torch', 'torchtext', 'bentoml', 'starlette', 'training', 'pyarrow', 'sklearn'}\n"
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
        "import valence.service.api.application, valence.service.inference.models, valence.service.inference.engines.factory\n"
        "import valence.service.observability.metrics, valence.service.settings, valence.service.observability.log, valence.service.registry.models\n"
        "print(sorted({'torch', 'bentoml', 'training'} & sys.modules.keys()))\n"
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
