"""The command line trains, saves, predicts and says what is wrong in one line, with exit code 2."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import adjoint as ad
from adjoint.cli import main, report

pytest.importorskip("rich", reason="the command line is in the extra 'cli'")
QUICK = ["--hidden", "8", "--epochs", "3"]


def write(path: Path, header: str, rows: list[str]) -> str:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def flowers(tmp_path: Path) -> str:
    """Two kinds that differ in size and in colour, three rows with something missing, and a constant column."""
    rows = [f"{i % 10 + (0 if i % 2 else 20)},{'red' if i % 2 else 'blue'},7,{'rose' if i % 2 else 'iris'}" for i in range(60)]
    return write(tmp_path / "flowers.csv", "size,colour,same,kind", [*rows, ",red,7,rose", "3,NA,7,rose", "4,blue,7,"])


@pytest.fixture
def line(tmp_path: Path) -> str:
    return write(tmp_path / "line.csv", "x,y", [f"{i},{2 * i + 1}" for i in range(80)])


def test_training_on_iris_is_accurate_and_the_same_for_the_same_seed_captured_or_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, more in (("a", []), ("b", []), ("c", ["--capture"])):
        assert main(["train", "iris", "--seed", "0", "--out", str(tmp_path / folder), *more]) == 0
    shown = capsys.readouterr().out
    accuracies = [float(row.split()[-1]) for row in shown.splitlines() if row.startswith("held-out accuracy")]
    assert len(accuracies) == 3
    assert accuracies[0] == accuracies[1] == accuracies[2] >= 0.93
    assert "5,503" in shown
    assert "virginica" in shown
    a, b, c = ((tmp_path / folder / "weights.safetensors").read_bytes() for folder in ("a", "b", "c"))
    assert a == b == c
    assert (tmp_path / "a" / "learning-curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_csv_with_text_and_missing_values_is_classified_and_predicted(
    flowers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", flowers, "--target", "kind", "--out", out, "--hidden", "16", "--epochs", "30"]) == 0
    shown = capsys.readouterr().out
    assert "3 of 63 rows have missing values" in shown
    assert "constant columns, left out: same" in shown
    assert "held-out accuracy 1.0000" in shown
    assert main(["predict", out, flowers]) == 0
    captured = capsys.readouterr()
    rows = list(csv.DictReader(captured.out.splitlines()))
    assert captured.err.startswith("2 of 63 rows have missing values")  # the third lacks only what is predicted
    assert [row["kind"] for row in rows[:60]] == ["rose" if i % 2 else "iris" for i in range(60)]
    assert [row["row"] for row in rows[-2:]] == ["60", "63"]


def test_a_numeric_target_is_a_regression_with_a_linear_model_beside_it(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", line, "--target", "y", "--out", str(out), "--epochs", "40", "--penalty", "0"]) == 0
    assert "held-out mean absolute error" in capsys.readouterr().out
    predictions = tmp_path / "predictions.csv"
    assert main(["predict", str(out / "weights.safetensors"), line, "--out", str(predictions)]) == 0
    rows = list(csv.DictReader(predictions.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 80
    assert sum(abs(float(row["y"]) - (2 * i + 1)) for i, row in enumerate(rows)) / 80 < 5


def test_airqualitys_ozone_is_predicted_better_than_by_a_linear_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = Path(os.environ.get("ADJOINT_DATA") or Path(__file__).parents[3] / "shared" / "data") / "airquality.csv"
    if not table.exists():
        pytest.skip("the data files are not here: set ADJOINT_DATA to a folder that has them")
    assert main(["train", str(table), "--target", "Ozone", "--out", str(tmp_path / "run")]) == 0
    found = re.search(r"held-out mean absolute error (\S+); a linear model's (\S+)", capsys.readouterr().out)
    assert found is not None
    own, linear = map(float, found.groups())
    assert own < linear


def test_task_overrides_the_type_of_the_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "n.csv", "x,y", [f"{i},{i % 2}" for i in range(40)])
    assert main(["train", path, "--target", "y", "--task", "classification", "--out", str(tmp_path / "r"), *QUICK]) == 0
    assert "Confusion matrix" in capsys.readouterr().out


def test_the_backend_flag_chooses_for_the_run_alone(flowers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("array_api_strict", reason="the strict backend is in the extra 'test'")
    before = ad.backends.default()
    assert main(["train", flowers, "--target", "kind", "--backend", "strict", "--out", str(tmp_path / "r"), *QUICK]) == 0
    assert "backend strict" in capsys.readouterr().out
    assert ad.backends.default() is before


def test_digits_are_numbers_where_a_regression_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for task in ("classification", "regression"):
        out = str(tmp_path / task)
        assert main(["train", "digits", "--out", out, *QUICK, "--task", task]) == 0
        assert f"{task} of digit: 1437 rows" in capsys.readouterr().out
    assert main(["train", "digits", "--out", out, *QUICK]) == 0
    assert "classification of digit" in capsys.readouterr().out
    assert main(["predict", out, "digits"]) == 0
    assert {row["digit"] for row in csv.DictReader(capsys.readouterr().out.splitlines())} <= {str(digit) for digit in range(10)}


def test_a_model_of_iris_predicts_the_iris_of_r(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "iris", "--out", out, *QUICK]) == 0
    table = write(
        tmp_path / "iris.csv", "rownames,Sepal.Length,Sepal.Width,Petal.Length,Petal.Width,Species", ["1,5.1,3.5,1.4,0.2,setosa"]
    )
    predicted = []
    for source in (table, "iris"):
        capsys.readouterr()
        assert main(["predict", out, source]) == 0
        predicted.append(capsys.readouterr().out.splitlines()[:2])
    assert predicted[0] == predicted[1]


def test_what_is_odd_about_the_columns_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{i},{'oops' if i == 6 else i % 20},n{i},{'NA' if i % 2 else 'a'},{i % 2}" for i in range(60)]
    path = write(tmp_path / "odd.csv", "rownames,size,name,kind,y", rows)
    assert main(["train", path, "--target", "y", "--out", str(tmp_path / "r"), *QUICK]) == 2  # kind is constant
    shown = capsys.readouterr().out
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("note: ")] == ["the", "size", "name", "y"]
    assert "the first column (rownames) is taken for the rows' names" in shown
    assert "size is read as text, though 59 of its 60 values are numbers: row 7 has 'oops'" in shown
    assert "name is text with 60 different values in 60 rows" in shown
    assert "--task classification" in shown


def test_an_ordinary_table_gives_no_notes(flowers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", flowers, "--target", "kind", "--out", str(tmp_path / "r"), *QUICK]) == 0
    assert "note" not in capsys.readouterr().out


def test_the_first_line_says_the_penalty(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", line, "--target", "y", "--penalty", "2.5", "--out", str(tmp_path / "r"), *QUICK]) == 0
    assert "penalty 2.5" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(("classes", "whole"), [(2, True), (12, True), (26, False), (10_000, False)])
def test_a_confusion_matrix_is_whole_or_the_most_frequent_confusions(
    classes: int, whole: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"c{i}" for i in range(classes)]
    true = [*range(classes), *[0] * 5]
    predicted = [*range(1, classes), 0, *[1] * 5]
    report.console().print(report.confusion(true, predicted, names, 80))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    if whole:
        assert all(len(re.findall(rf"\b{name}\b", shown)) == 2 for name in names)
        assert re.search(r"c0 +│ +0 │ +6 │", shown)
    else:
        assert f"of {classes} confusions among {classes} classes" in shown
        assert re.search(r"c0 +│ c1 +│ 6 of 6 │", shown)
        assert len(re.findall(r" of \d+ │", shown)) == 10


def test_info_names_versions_and_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert f"adjoint {ad.__version__}" in shown
    assert "numpy: 1 device(s), 'cpu'" in shown
    assert "cupy" in shown


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("a,b\n1,2\n3\n", [], ["line 3"]),
        ("", [], ["empty"]),
        ("a,b\n", [], ["no rows"]),
        ("a,b\n1,x\n2,x\n3,x\n", [], ["single class"]),
        ("a,b\n1,5\n2,5\n3,5\n", [], ["constant"]),
        ("a,b\n7,1\n7,2\n7,3\n", [], ["no feature is left"]),
        ("a,b\n1,1\n2,2\n", ["--target", "bb"], ["no column 'bb'", "did you mean 'b'"]),
        ("a,b\n1,1\n2,2\n3,4\n", ["--backend", "nympy"], ["unknown backend", "nympy"]),
        ("a,b\n1,1\n2,2\n3,4\n", ["--optimizer", "adm"], ["unknown optimizer", "did you mean 'adam'"]),
        ("a,b\n1,x\n2,y\n3,x\n4,y\n", ["--task", "regression"], ["text"]),
    ],
)
def test_bad_tables_and_options_give_one_line_and_leave_nothing(
    content: str, arguments: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    out = tmp_path / "out"
    assert main(["train", str(path), "--target", "b", "--out", str(out), *QUICK, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(word in error for word in words), error
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments", [["--hidden", "5,x"], ["--lr", "-1"], ["--epochs", "0"], ["--held-out", "1"], ["--seed", "-1"]]
)
def test_an_option_out_of_range_is_refused_by_name(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "iris", *arguments])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert arguments[0] in error
    assert error.count("\n") == 1


def test_unknown_data_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "pengins", "--target", "species"]) == 2
    assert "did you mean 'penguins'" in capsys.readouterr().err


def test_weights_that_are_broken_or_foreign_are_refused_by_name(
    flowers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", flowers, "--target", "kind", "--out", str(out), *QUICK]) == 0
    weights = out / "weights.safetensors"
    whole = weights.read_bytes()
    foreign = tmp_path / "foreign.safetensors"
    ad.save({"w": ad.ones(2)}, foreign)
    pickled = tmp_path / "model.pt"
    pickled.write_bytes(b"\x80\x04\x95abcdefgh")
    weights.write_bytes(whole[: len(whole) // 2])
    for path in (weights, foreign, pickled, tmp_path / "absent.safetensors"):
        capsys.readouterr()
        assert main(["predict", str(path), flowers]) == 2
        error = capsys.readouterr().err
        assert path.name in error
        assert error.count("\n") == 1


def test_predicting_with_a_column_missing_names_it(
    flowers: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", flowers, "--target", "kind", "--out", out, *QUICK]) == 0
    assert main(["predict", out, line]) == 2
    assert "'size'" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_in_training_ends_with_one_line_and_no_file(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "adjoint", "train", "iris", "--epochs", "1000000", "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("classification")  # it has begun
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error == "adjoint: stopped; nothing was written\n"
    assert not out.exists()
