from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.config.columns import Columns
from valence.training.config.loader import parse_configuration
from valence.training.config.schema import Configuration, Text
from valence.training.corpora import ranges
from valence.training.corpora.example import Example
from valence.training.corpora.ranges import Range
from valence.training.data import large_files, preparation, vocabulary
from valence.training.data import stream as streaming
from valence.training.data.batches import EncodedTexts
from valence.training.data.large_files import Source
from valence.training.data.split import assign_split
from valence.training.data.stream import StreamedTexts
from valence.training.pipeline import training_run
from valence.training.pipeline.training_run import Trained
from valence.training.registry import store
from valence.training.runtime import distributed
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.workspace import Workspace

from tests.support.big_files import LABELS, write

pytestmark = pytest.mark.integration

TABLE = Columns(text="text", label="label")


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set ranges of 4 KiB, so that small files have many ranges."""
    monkeypatch.setattr(ranges, "RANGE_BYTES", 2**12)
    monkeypatch.setattr(streaming, "POOL_RANGES", 8)
    monkeypatch.setattr(large_files, "SAMPLE_RANGES", 16)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streamed") / "made.jsonl"
    write(path, 2**18)
    return path


def configured(path: Path, **optimization: object) -> Configuration:
    content = {
        "name": "made",
        "labels": list(LABELS),
        "data": {"files": [str(path)], "streamed": True},
        "text": {"max_tokens": 48},
        "words": {"vectors": None, "learned_size": 8},
        "network": {"hidden_size": 4},
        "optimization": {
            "learning_rate": 0.03,
            "batch_tokens": 600,
            "steps": 40,
            "evaluate_every": 16,
            "warmup_steps": 2,
            **optimization,
        },
    }
    return parse_configuration(content, source="the test")


def opened(path: Path, silent: type[Reporter]) -> Source:
    return large_files.open_source([str(path)], TABLE, path.parent / "cache", silent())


def stream(path: Path, silent: type[Reporter]) -> StreamedTexts:
    source = opened(path, silent)
    words = vocabulary.build_vocabulary(
        (e.text for e in large_files.load_sample(source).examples),
        Text(minimum_count=1, maximum_words=9999),
    )
    return StreamedTexts(source, words, configured(path), silent())


def ids(texts: StreamedTexts, path: Path, count: int) -> list[torch.Tensor]:
    optimization = configured(path, steps=count, evaluate_every=count).optimization
    return [batch.ids for batch in texts.get_epoch(1, optimization).batches]


def pool(texts: StreamedTexts, number: int) -> EncodedTexts:
    return texts._join_pool(number, texts._read(number, seed=0))


def test_every_line_is_in_exactly_one_range(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = file.read_bytes().splitlines()
    for size in (1, 100, 331, 4096, 2**30):
        monkeypatch.setattr(ranges, "RANGE_BYTES", size)
        short = file.with_name("short.jsonl")
        short.write_bytes(b"\n".join(whole[:7]))  # the last line may lack a line feed
        texts = [
            e.text
            for part in ranges.cut_into_ranges([short])
            for e in ranges.read_range(part, TABLE, corpus="")
        ]
        assert texts == [json.loads(line)["text"] for line in whole[:7]]


def test_a_fault_of_a_row_is_reported_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    good = b'{"text": "fine", "label": "a"}\n'
    path.write_bytes(good * 3 + b'{"text": "fine"}\n')
    with pytest.raises(
        ConfigurationError, match=r"bad.jsonl, line 3 from byte 10: column 'label' is empty"
    ):
        list(ranges.read_range(Range(path, 10, path.stat().st_size), TABLE, corpus=""))


@pytest.mark.parametrize("name", ["made.csv", "made.jsonl.gz", "made.parquet"])
def test_files_without_random_access_are_copied_once(
    tmp_path: Path, name: str, silent: type[Reporter]
) -> None:
    rows = [{"text": f"text {n}\nof two lines", "label": str(n % 2)} for n in range(50)]
    path = tmp_path / name
    if name.endswith(".csv"):
        lines = [f'"{row["text"]}",{row["label"]}\r\n' for row in rows]
        path.write_text("text,label\r\n" + "".join(lines), newline="")
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    source = opened(path, silent)
    found = [example for part in source.ranges for example in source.read(part)]
    assert [example.text for example in found] == [row["text"] for row in rows]
    assert {example.corpus for example in found} == {name}
    assert source.records[0].texts == 50
    (copy,) = (tmp_path / "cache").iterdir()
    before = copy.stat().st_mtime_ns
    opened(path, silent)
    assert copy.stat().st_mtime_ns == before


def test_an_interrupted_copy_is_not_used(tmp_path: Path, silent: type[Reporter]) -> None:
    path = tmp_path / "made.csv"
    path.write_text("text,label\none,a\ntwo\n")
    with pytest.raises(ConfigurationError, match="line 3"):
        opened(path, silent)
    assert not list((tmp_path / "cache").iterdir())


def test_the_sample_is_spread_over_the_file_without_duplicates(
    file: Path, silent: type[Reporter]
) -> None:
    source = opened(file, silent)
    loaded = large_files.load_sample(source)
    texts = [example.text for example in loaded.examples]
    assert len(set(texts)) == len(texts)
    lines = file.read_text().splitlines()
    assert len(texts) == pytest.approx(len(lines) * source.sampled, rel=0.1)
    places = [lines.index(line) for line in lines if json.loads(line)["text"] in set(texts)]
    assert min(places) < len(lines) * 0.1
    assert max(places) > len(lines) * 0.9


def test_a_pass_covers_exactly_the_texts_of_train(file: Path, silent: type[Reporter]) -> None:
    texts = stream(file, silent)
    wanted = Counter(
        tuple(texts._vocabulary.encode(row["text"], max_tokens=48)[0].tolist())
        for row in map(json.loads, file.read_text().splitlines())
        if assign_split(Example(row["text"], "", "")) == "train"
    )
    pools = -(-len(texts._source.ranges) // 8)
    found: Counter[tuple[int, ...]] = Counter()
    for number in range(pools):
        read = pool(texts, number)
        batch = read.batch(np.arange(len(read)))
        found.update(
            tuple(row[:length].tolist())
            for row, length in zip(batch.ids, batch.lengths, strict=True)
        )
    assert found == wanted


@pytest.mark.parametrize("processes", [2, 3, 9])  # with nine, one process has no range of a pool
def test_several_processes_share_the_pool_of_one_process(
    file: Path, silent: type[Reporter], monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    texts = stream(file, silent)
    for number in range(-(-len(texts._source.ranges) // 8) + 1):
        alone = pool(texts, number)
        with monkeypatch.context() as patch:
            patch.setenv("WORLD_SIZE", str(processes))
            shares = []
            for rank in range(processes):
                patch.setenv("RANK", str(rank))
                shares.append(texts._read(number, seed=0))
            patch.setattr(distributed, "all_gather", lambda _, shares=shares: shares)
            together = texts._join_pool(number, shares[0])
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        everything = np.arange(len(alone))
        assert together.lengths.tolist() == alone.lengths.tolist()
        assert torch.equal(together.batch(everything).ids, alone.batch(everything).ids)
        assert torch.equal(together.batch(everything).targets, alone.batch(everything).targets)


def test_passes_have_different_orders(file: Path, silent: type[Reporter]) -> None:
    texts = stream(file, silent)
    pools = -(-len(texts._source.ranges) // 8)
    first, second = pool(texts, 0), pool(texts, pools)
    assert first.lengths.tolist() != second.lengths.tolist()


def test_a_stream_resumes_at_its_position(file: Path, silent: type[Reporter]) -> None:
    whole = ids(stream(file, silent), file, 30)
    first = stream(file, silent)
    ids(first, file, 17)
    second = stream(file, silent)
    second.seek(first.position)
    rest = ids(second, file, 13)
    assert all(torch.equal(a, b) for a, b in zip(whole[17:], rest, strict=True))


def test_a_label_outside_the_sample_is_refused(tmp_path: Path, silent: type[Reporter]) -> None:
    path = tmp_path / "made.jsonl"
    write(path, 2**17)
    lines = path.read_text().splitlines()
    line = next(
        n
        for n in range(20, 40)
        if assign_split(Example(json.loads(lines[n])["text"], "", "")) == "train"
    )
    lines[line] = json.dumps({**json.loads(lines[line]), "label": "unheard"})
    path.write_text("\n".join(lines))
    texts = stream(path, silent)
    with pytest.raises(ConfigurationError, match="unheard"):
        ids(texts, path, 400)


@pytest.fixture
def train(workspace: Workspace, silent: type[Reporter]) -> Callable[..., Trained]:
    def train(configuration: Configuration, *, reporter: Reporter | None = None) -> Trained:
        return training_run.train_classifier(
            configuration,
            run=Run(workspace, reporter or silent()),
            with_baselines=False,
        )

    return train


def test_a_resumed_run_reaches_the_same_weights(
    file: Path, train: Callable[..., Trained], silent: type[Reporter]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(configured(file), reporter=silent(stop_at=20))
    reporter = silent()
    continued = train(configured(file), reporter=reporter)
    assert reporter.batches == 40 - 16
    whole = train(configured(file))
    assert whole.manifest.training.splits["dev"] > 20
    left, right = (artifact.load(store.find_model(made.tag)).tensors for made in (continued, whole))
    assert all(np.array_equal(left[name], right[name]) for name in left)


def test_streaming_requires_a_number_of_steps(file: Path, train: Callable[..., Trained]) -> None:
    with pytest.raises(ConfigurationError, match=r"optimization\.steps"):
        train(configured(file, steps=None))


def test_large_files_are_streamed_and_others_on_request(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.touch()
    data = configured(path).data.model_copy(update={"streamed": None})
    os.truncate(path, large_files.LARGE_BYTES)  # a hole, which takes no space
    assert not large_files.is_streamed(data)
    os.truncate(path, large_files.LARGE_BYTES + 1)
    assert large_files.is_streamed(data)
    assert not large_files.is_streamed(data.model_copy(update={"streamed": False}))


def test_a_later_evaluation_reads_the_same_dev_and_test_texts(
    file: Path, workspace: Workspace, silent: type[Reporter]
) -> None:
    prepared = preparation.prepare(configured(file), Run(workspace, silent()))
    _, again = preparation.load_splits(configured(file), Run(workspace, silent()))
    assert again == prepared.raw.splits
    assert (
        len(list(islice(prepared.train.get_epoch(1, configured(file).optimization).batches, 2)))
        == 2
    )
