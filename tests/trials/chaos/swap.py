"""Versions of a model are swapped under load: what fails, what is wrong, what grows.

The clients of the load are in a process of their own. Beside them a few clients compare each answer
with the right one of the version that it names.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from valence.service.classifier import artifact, golden, seal
from valence.service.files.atomic_write import write_file
from valence.service.registry import aliases
from valence.service.registry.aliases import Alias
from valence.service.registry.tag import CHAMPION

from tests.trials.bench import load, texts, versions
from tests.trials.bench.load import Job, Result, post
from tests.trials.bench.measure import median, say
from tests.trials.bench.processes import Server, free_port, generator_cpu, server_cpu
from tests.trials.chaos.clients import Clients, alike, right_answers
from tests.trials.chaos.finding import Finding
from tests.trials.chaos.restarts import Supervised
from tests.trials.chaos.served import ask, handles, memory, serve

MODEL = "sentiment"
_SETTINGS = {"VALENCE_RELOAD_SECONDS": "0.2", "VALENCE_MODELS": MODEL}
_WINDOW_SECONDS = 8.0
# of a client that compares, so that all of them are a small part of the load
_PAUSE = 0.05
_SEEN_SECONDS = 60.0
_LOOK_SECONDS = 0.02
# how often the swaps rest for a window: the machine is not equally fast all the time
_PAUSES = 10
_MOST_P99 = 1.5
_MOST_MEMORY = 1.05
_READY_SECONDS = 10.0


@dataclass(frozen=True)
class Store:
    """A store with two versions of one model, whose answers differ."""

    folder: Path
    versions: tuple[str, str]

    def promote(self, version: str) -> None:
        """Make ``version`` the champion."""
        self.name(version, CHAMPION)

    def name(self, version: str, alias: str) -> None:
        """Let ``alias`` name ``version``, in one step, as the product does."""
        write_file(aliases.find_file(self.folder, alias), Alias(version=version).model_dump_json())


def add_version(models: Path) -> Store:
    """Save a second version beside the trained one, and promote the trained one."""
    folder = models / MODEL
    first = next(path for path in folder.iterdir() if path.is_dir())
    second = versions.add_version(first)
    store = Store(folder, (first.name, second.name))
    store.promote(first.name)
    return store


def run(*, swaps: int = 1_000, damaged: int = 100, kills: int = 50) -> Iterator[Finding]:
    """Swap two versions, promote damaged ones, and kill the service in the middle of swaps."""
    sentences = texts.sentences(2_000)
    prepared: list[Store] = []
    os.sched_setaffinity(0, {generator_cpu()})
    with (
        serve(
            settings=_SETTINGS, prepare=lambda models: prepared.append(add_version(models))
        ) as server,
        _generator() as generator,
    ):
        service = _Service(server, generator, prepared[0], sentences)
        yield service.swap(swaps)
        yield service.refuse(damaged)
    yield _kill(kills, sentences[:100])


class _Service:
    """The service under load, and its store."""

    def __init__(
        self,
        server: Server,
        generator: ProcessPoolExecutor,
        store: Store,
        sentences: Sequence[str],
    ) -> None:
        self._server = server
        self._generator = generator
        self._store = store
        self._bodies = [
            post("/v1/classify", json.dumps({"text": text}).encode()) for text in sentences
        ]
        self._right = {}
        for version in store.versions:
            self._serve(version)
            self._right[version] = right_answers(server.port, sentences[:200])
        self._rate = 0.5 * self._load(None).result().per_second

    def swap(self, swaps: int) -> Finding:
        """Swap the versions ``swaps`` times."""
        clients = self._check()
        quiet = [self._rest()]
        windows: list[Result] = []
        cut: list[Result] = []
        seconds: list[float] = []
        sizes: list[tuple[int, int]] = []
        running = self._load(self._rate)
        for number in range(swaps):
            seconds.append(self._serve(self._store.versions[number % 2]))
            if running.done():
                windows.append(running.result())
                running = self._load(self._rate)
                say(f"swap {number + 1}: {dict(clients.seen)}, p99 {windows[-1].p99 * 1e3:.2f} ms")
            if (number + 1) % max(swaps // _PAUSES, 2) == 0:
                # the swaps end before this window
                cut.append(running.result())
                sizes.append(self._size())
                quiet.append(self._rest())
                say(f"  without swaps: p99 {quiet[-1].p99 * 1e3:.2f} ms")
                running = self._load(self._rate)
        cut.append(running.result())
        sizes.append(self._size())
        clients.stop()
        first, last = sizes[0], sizes[-1]
        usual = median([r.p99 for r in quiet])
        ratio = median([r.p99 for r in windows or cut]) / usual
        loads = [*windows, *cut, *quiet]
        failed = sum(result.failed for result in loads)
        answered = sum(result.answered for result in loads)
        growth = last[0] / first[0]
        return Finding(
            fault="versions swapped under load",
            tried=f"{swaps:,} swaps of two versions by promotion, at {self._rate:,.0f} requests/s, "
            f"half of the peak: {answered + failed:,} requests, and {sum(clients.seen.values()):,} "
            "whose answers were compared with those of the version that they name",
            lost=f"{failed} failed; compared: {_list(clients.seen)}; p99 {ratio:.2f} times that "
            f"without swaps ({usual * 1e3:.2f} ms, medians of {len(windows)} and {len(quiet)} "
            f"windows of {_WINDOW_SECONDS:g} s, by turns); from promotion to the first answer "
            f"{median(seconds):.2f} s, at most {max(seconds):.2f} s; memory "
            f"{first[0] / 2**20:.0f} to {last[0] / 2**20:.0f} MiB ({growth:.3f} times), "
            f"descriptors {first[1]} to {last[1]}",
            promise=f"none failed, none wrong; p99 within {_MOST_P99} times; memory within "
            f"{_MOST_MEMORY} times of that after a tenth of the swaps; descriptors constant",
            held=not failed
            and set(clients.seen) <= {"right"}
            and ratio <= _MOST_P99
            and growth <= _MOST_MEMORY
            and first[1] == last[1],
        )

    def refuse(self, damaged: int) -> Finding:
        """Promote ``damaged`` versions, each in one of several ways."""
        serving = self._store.versions[0]
        self._serve(serving)
        clients = self._check()
        draw = random.Random(0)
        wrong = 0
        for number in range(damaged):
            spoil = _DAMAGES[number % len(_DAMAGES)]
            folder = self._store.folder / f"{serving}-damaged-{number}"
            shutil.copytree(self._store.folder / serving, folder)
            spoil(folder, draw)
            before = self._refused()
            self._store.promote(folder.name)
            _wait(lambda: self._refused() > before)  # noqa: B023
            wrong += self._refused() != before + 1 or self._version() != serving
            shutil.rmtree(folder)
            self._store.promote(serving)
            _wait(lambda: self._metric("valence_model_refused", "") == 0)
            say(f"damaged {number + 1}: {spoil.__name__}, {dict(clients.seen)}")
        clients.stop()
        return Finding(
            fault="damaged versions promoted",
            tried=f"{damaged} versions: {', '.join(_words(d.__name__) for d in _DAMAGES)}; "
            f"{sum(clients.seen.values()):,} requests meanwhile",
            lost=f"{wrong} were served, or not refused exactly once; answers of the version "
            f"before: {_list(clients.seen)}",
            promise="each refused once; no answer failed, none wrong",
            held=not wrong and set(clients.seen) <= {"right"},
        )

    def _load(self, rate: float | None) -> Future[Result]:
        job = Job(
            port=self._server.port,
            requests=self._bodies,
            connections=64,
            seconds=_WINDOW_SECONDS,
            rate=rate,
            spacing="poisson",
        )
        return self._generator.submit(load.run, job)

    def _rest(self) -> Result:
        """A window without a swap, with all else that runs beside swaps: they share a core."""
        running = self._load(self._rate)
        while not running.done():
            self._version()
            time.sleep(_LOOK_SECONDS)
        return running.result()

    def _check(self) -> Clients:
        version = self._store.versions[0]
        return Clients(self._server.port, self._right[version], others=self._right, pause=_PAUSE)

    def _serve(self, version: str) -> float:
        """Promote ``version``; return the seconds until it is served."""
        started = time.perf_counter()
        self._store.promote(version)
        _wait(lambda: self._version() == version)
        return time.perf_counter() - started

    def _version(self) -> str:
        answer = ask(self._server.port, "/v1/classify", {"text": "which version is this"})
        return str(answer["model"]["version"])

    def _refused(self) -> float:
        total = self._metric("valence_model_reload_total", "")
        return total - self._metric("valence_model_reload_total", 'outcome="reloaded"')

    def _metric(self, name: str, label: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._server.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith(name + "{") and label in line
        )

    def _size(self) -> tuple[int, int]:
        """Return the memory and the descriptors of the server, between two swaps."""
        time.sleep(1.0)
        return memory(self._server), handles(self._server)[0]


def _flip_a_byte(folder: Path, draw: random.Random) -> None:
    path = folder / draw.choice((artifact.WEIGHTS, artifact.VOCABULARY, artifact.MANIFEST))
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def _cut_the_weights(folder: Path, draw: random.Random) -> None:
    path = folder / artifact.WEIGHTS
    os.truncate(path, draw.randrange(path.stat().st_size))


def _lose_a_file(folder: Path, draw: random.Random) -> None:
    files = (artifact.WEIGHTS, artifact.VOCABULARY, artifact.MANIFEST, artifact.CHECKSUMS)
    (folder / draw.choice(files)).unlink()


def _add_a_pickle(folder: Path, _draw: random.Random) -> None:
    (folder / artifact.REPORT).mkdir(exist_ok=True)
    (folder / artifact.REPORT / "model.pkl").write_bytes(b"\x80\x04K\x01.")
    seal.seal(folder)


def _rename_a_label(folder: Path, _draw: random.Random) -> None:
    manifest = json.loads((folder / artifact.MANIFEST).read_bytes())
    manifest["version"] = folder.name
    label = manifest["labels"][0]
    text = json.dumps(manifest).replace(json.dumps(label), json.dumps(f"not-{label}"))
    (folder / artifact.MANIFEST).write_text(text, encoding="utf-8")
    seal.seal(folder)


def _record_other_answers(folder: Path, _draw: random.Random) -> None:
    manifest = json.loads((folder / artifact.MANIFEST).read_bytes())
    manifest["version"] = folder.name
    (folder / artifact.MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    (folder / artifact.REPORT).mkdir(exist_ok=True)
    certain = (1.0, *(0.0 for _ in manifest["labels"][1:]))
    answer = golden.GoldenAnswer(text="good", probabilities=certain)
    golden.write(folder / artifact.REPORT / golden.FILE, [answer])
    seal.seal(folder)


_DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    _flip_a_byte,
    _cut_the_weights,
    _lose_a_file,
    _add_a_pickle,
    _rename_a_label,
    _record_other_answers,
)


def _kill(kills: int, sentences: Sequence[str]) -> Finding:
    """Kill the service at random moments of swaps; each start serves the champion."""
    draw = random.Random(1)
    seen: dict[str, int] = {}
    stale, longest = 0, 0.0
    with tempfile.TemporaryDirectory(prefix="valence-chaos-") as scratch:
        home = Path(scratch) / "home"
        shutil.copytree(Path(os.environ["BENTOML_HOME"]) / "models", home / "models")
        store, port = add_version(home / "models"), free_port()
        service = Supervised(home, port, _SETTINGS)
        try:
            service.wait_until_ready()
            right = {}
            for version in store.versions:
                store.promote(version)
                _wait(lambda: _serves(port, version))  # noqa: B023
                right[version] = right_answers(port, sentences)
            for number in range(kills):
                version = store.versions[number % 2]
                store.promote(version)
                time.sleep(draw.uniform(0.0, 1.0))
                # the first process and the answering process, alternately
                (service.tree()[0] if number // 2 % 2 else service.worker()).kill()
                started = time.perf_counter()
                service.wait_until_down()
                service.wait_until_ready()
                longest = max(longest, time.perf_counter() - started)
                stale += not _serves(port, version)
                for text, answer in right_answers(port, sentences[:20]):
                    same = alike(answer, dict(right[version])[text])
                    what = "right" if same else "wrong"
                    seen[what] = seen.get(what, 0) + 1
                say(f"kill {number + 1}: {seen}, {stale} stale")
        finally:
            service.end()
    return Finding(
        fault="SIGKILL in the middle of a swap",
        tried=f"{kills} times, at random moments after a promotion",
        lost=f"{stale} starts did not serve the champion; answers after the starts: {_list(seen)}; "
        f"ready again within {longest:.1f} s",
        promise=f"each start serves the champion, none wrong; ready within {_READY_SECONDS:g} s",
        held=not stale and set(seen) <= {"right"} and longest <= _READY_SECONDS,
    )


def _serves(port: int, version: str) -> bool:
    answer = ask(port, "/v1/classify", {"text": "which version is this"})
    return bool(answer["model"]["version"] == version)


def _wait(condition: Callable[[], bool]) -> None:
    ends = time.perf_counter() + _SEEN_SECONDS
    while not condition():
        if time.perf_counter() > ends:
            raise TimeoutError(f"not within {_SEEN_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)


def _list(seen: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in sorted(seen.items())) or "none"


def _words(name: str) -> str:
    return name.strip("_").replace("_", " ")


@contextlib.contextmanager
def _generator() -> Iterator[ProcessPoolExecutor]:
    """Yield a process that runs jobs, away from the core of the server if possible."""
    spawn = multiprocessing.get_context("spawn")
    cpus = {generator_cpu()} if generator_cpu() != server_cpu() else None
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_pin, initargs=(cpus,)) as pool:
        yield pool


def _pin(cpus: set[int] | None) -> None:
    if cpus:
        os.sched_setaffinity(0, cpus)
