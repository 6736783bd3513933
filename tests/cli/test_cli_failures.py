"""What goes wrong with a training run is said before the work, in one line, and leaves files and folders as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import adjoint as ad
from adjoint.cli import main, parser, report
from adjoint.train.registry import ACTIVATIONS, OPTIMIZERS

pytest.importorskip("rich", reason="the command line is in the extra 'cli'")
QUICK = ["--hidden", "4", "--epochs", "2"]
Refusal = Callable[..., str]


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """Runs a command that fails, and gives the one line that it says."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1, error
        return error

    return run


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """No epoch may begin."""

    def fit(*arguments: Any, **options: Any) -> None:
        raise AssertionError("the training began")

    monkeypatch.setattr(ad.nn.Module, "fit", fit)


@pytest.fixture
def kinds(tmp_path: Path) -> str:
    path = tmp_path / "kinds.csv"
    names = ("[red]x", "[/]", ":heart:")
    path.write_text("size,kind\n" + "".join(f"{i % 3 + i / 100},{names[i % 3]}\n" for i in range(60)), encoding="utf-8")
    return str(path)


@pytest.fixture
def iris_run(tmp_path: Path) -> str:
    out = str(tmp_path / "run")
    assert main(["train", "iris", *QUICK, "--out", out]) == 0
    return out


@pytest.fixture
def line(tmp_path: Path) -> str:
    path = tmp_path / "line.csv"
    path.write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(40)), encoding="utf-8")
    return str(path)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("below", ["", "sub", "sub/sub"])
def test_an_out_that_is_a_file_or_under_one_is_refused_before_the_work(below: str, tmp_path: Path, refusal: Refusal) -> None:
    file = tmp_path / "file"
    file.touch()
    assert str(file) in refusal("train", "iris", "--out", str(file / below))


@pytest.mark.usefixtures("untrained")
def test_a_folder_where_a_file_is_to_be_written_is_refused_before_the_work(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "weights.safetensors").mkdir()
    assert "weights.safetensors" in refusal("train", "iris", "--out", str(tmp_path))


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("package", "extra"), [("rich", "cli"), ("safetensors", "files"), ("matplotlib", "plot"), ("sklearn.linear_model", "data")]
)
def test_a_package_that_is_missing_is_named_before_the_work(
    package: str, extra: str, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refusal: Refusal
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert f"adjoint[{extra}]" in refusal("train", line, "--target", "y", "--out", str(tmp_path / "run"))


@pytest.mark.parametrize("more", [[], ["--capture"]], ids=["plain", "captured"])
def test_training_that_diverges_is_no_success_and_writes_nothing(
    more: list[str], line: str, tmp_path: Path, refusal: Refusal
) -> None:
    out = tmp_path / "run"
    error = refusal("train", line, "--target", "y", "--optimizer", "sgd", "--lr", "1e30", "--out", str(out), *more)
    assert "diverged in epoch 1" in error
    assert "--lr" in error
    assert not out.exists()


def test_an_interrupted_save_leaves_no_folder_and_keeps_an_earlier_run(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    earlier = tmp_path / "earlier"
    command = ["train", line, "--target", "y", *QUICK, "--out"]
    assert main([*command, str(earlier)]) == 0
    before = {path.name: path.read_bytes() for path in earlier.iterdir()}

    def interrupted(history: Any, title: str, path: str) -> None:
        Path(path).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "learning_curve", interrupted)
    assert "nothing was written" in refusal(*command, str(tmp_path / "new" / "run"))
    assert not (tmp_path / "new").exists()
    refusal(*command, str(earlier), "--seed", "1")
    assert {path.name: path.read_bytes() for path in earlier.iterdir()} == before


def test_replacing_an_earlier_run_is_said(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for _ in range(2):
        assert main(["train", line, "--target", "y", *QUICK, "--out", str(tmp_path / "run")]) == 0
        shown.append(capsys.readouterr().out)
    assert ["earlier run" in text for text in shown] == [False, True]


def test_class_names_are_shown_as_they_are(kinds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", kinds, "--target", "kind", *QUICK, "--out", str(tmp_path / "[b]run")]) == 0
    shown = capsys.readouterr().out
    assert all(shown.count(name) == 2 for name in ("[red]x", "[/]", ":heart:"))
    assert "[b]run" in shown


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": {"categories": []}},
        {"encoder": {"categories": {"size": 3}}},
        {"encoder": {"scale": []}},
        {"encoder": {"numeric": 5}},
        {"encoder": {"classes": None}},
        {"hidden": [99_999_999_999_999]},
        {"hidden": 4},
        {"activation": "none"},
    ],
)
def test_a_description_that_was_tampered_with_is_refused_with_the_files_name(
    change: dict[str, Any], line: str, tmp_path: Path, refusal: Refusal
) -> None:
    out = tmp_path / "run"
    assert main(["train", line, "--target", "y", *QUICK, "--out", str(out)]) == 0
    weights = out / "weights.safetensors"
    description = json.loads(ad.files.load_metadata(weights)["model"])
    description |= {**change, "encoder": description["encoder"] | change.get("encoder", {})}
    ad.save(ad.load(weights), weights, {"model": json.dumps(description)})
    assert "weights.safetensors: the description" in refusal("predict", str(out), line)


def test_a_model_beyond_the_memory_is_refused_in_one_line(line: str, tmp_path: Path, refusal: Refusal) -> None:
    refusal("train", line, "--target", "y", "--hidden", "99999999999999", "--out", str(tmp_path / "run"))


def test_mnist_is_said_to_be_no_table(refusal: Refusal) -> None:
    assert "images, not a table" in refusal("train", "mnist", "--target", "digit")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no broken pipes of this kind")
def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = [sys.executable, "-m", "adjoint", "info"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_output_that_can_not_be_written_is_no_success(iris_run: str) -> None:
    for command in (["info"], ["predict", iris_run, "iris"], ["predict", iris_run, "iris", "--out", "/dev/full"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([sys.executable, "-m", "adjoint", *command], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "No space left on device" in done.stderr
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["iris", "--held-out", "0.999"], "--held-out 0.999 of 150 rows leaves 0 to train on"),
        (["iris", "--held-out", "0.01"], "--held-out: 3 labels do not fit"),
        (["iris", "--task", "regression"], "use --task classification"),
        (["digit"], "did you mean 'digits'?); the names are iris, digits, airquality, penguins, titanic"),
    ],
)
def test_errors_speak_of_options_and_not_of_functions(arguments: list[str], words: str, tmp_path: Path, refusal: Refusal) -> None:
    error = refusal("train", *arguments, "--out", str(tmp_path / "run"))
    assert words in error
    assert not any(name in error for name in ("Encoder", "train_test_split", "task=", "test_size"))


def test_a_price_with_a_currency_sign_is_said_to_be_text(tmp_path: Path, refusal: Refusal) -> None:
    path = tmp_path / "cars.csv"
    path.write_text("age,price\n" + "".join(f'{i},"${1000 + i:,}"\n' for i in range(20)), encoding="utf-8")
    command = ["train", str(path), "--target", "price", "--out", str(tmp_path / "run")]
    assert "'price' looks numeric but was read as text ('$1,000'); remove currency" in refusal(*command)
    assert "has a single row" in refusal(*command, "--task", "classification")


def test_an_unknown_category_is_named_with_its_row_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text("x,kind,y\n" + "".join(f"{i},{'ab'[i % 2]},{i}\n" for i in range(20)), encoding="utf-8")
    assert main(["train", str(table), "--target", "y", *QUICK, "--out", str(tmp_path / "run")]) == 0
    table.write_text("x,kind\n1,a\nNA,b\n3,c\n", encoding="utf-8")
    assert main(["predict", str(tmp_path / "run"), str(table)]) == 2
    assert "row 3: unknown category 'c' in 'kind' (known: a, b)" in capsys.readouterr().err


def test_the_only_complete_row_is_not_enough(tmp_path: Path, refusal: Refusal) -> None:
    path = tmp_path / "one.csv"
    path.write_text("x,y\n1,2\n3,NA\n", encoding="utf-8")
    assert "only 1 row without missing values; need at least 2" in refusal("train", str(path), "--target", "y")


def test_an_error_without_a_file_has_no_file_in_its_line(monkeypatch: pytest.MonkeyPatch, refusal: Refusal) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adjoint.cli.command.info", full)
    assert refusal("info") == "adjoint info: No space left on device\n"


@pytest.mark.parametrize(("text", "value"), [("0.00", 0.0), ("0", 0.0), ("1e-3", 0.001)])
def test_a_penalty_may_be_zero_however_it_is_written(text: str, value: float) -> None:
    assert parser().parse_args(["train", "iris", "--penalty", text]).penalty == value


@pytest.mark.parametrize(
    "arguments", [["--seed", "²"], ["--epochs", "٣"], ["--hidden", "5_0"], ["--penalty", "nan"], ["--lr", "0"], ["--lr", "inf"]]
)
def test_numbers_of_other_kinds_are_refused_with_what_is_expected(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["train", "iris", *arguments])
    assert " must be " in capsys.readouterr().err


def test_the_help_is_ascii_and_names_choices_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ([], ["train"], ["predict"], ["info"]):
        with pytest.raises(SystemExit):
            parser().parse_args([*command, "--help"])
        shown = " ".join(capsys.readouterr().out.split())
        assert shown.isascii()
        if command == ["train"]:
            assert ",".join(ACTIVATIONS) in shown
            assert ", ".join(OPTIMIZERS) in shown
            assert shown.count("(default: ") == 11
