"""CSV files: what is read from them, and what is said about those that cannot be."""

from __future__ import annotations

import csv
import math

import pytest
from hypothesis import given, strategies as st

from adjoint.data import Table, read_csv


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "file.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_columns_are_numbers_or_text_by_what_they_hold(written):
    table = read_csv(written("n,x,text,mixed,empty\n1, 2.5 ,a,1,\n-3,1e3,NA,b,na\n,inf,c d,2,NaN\n"))
    assert table.names == ["n", "x", "text", "mixed", "empty"]
    assert table["n"] == [1, -3, None]
    assert table["x"] == [2.5, 1000.0, math.inf]
    assert table["text"] == ["a", None, "c d"]
    assert table["mixed"] == ["1", "b", "2"]
    assert [table.is_numeric(name) for name in table.names] == [True, True, False, False, True]
    assert [table.missing(name) for name in table.names] == [1, 0, 1, 0, 3]
    assert type(table["n"][0]) is int


def test_what_pandas_reads_as_missing_is_missing_and_the_word_none_is_not(written):
    table = read_csv(written("a,b\nNone,none\n#NA,mild\n2,NA\n"))
    assert table["a"] == [None, None, 2]
    assert table["b"] == ["none", "mild", None]


def test_digits_joined_by_underscores_are_text(written):
    assert read_csv(written("a\n1_000\n")).is_numeric("a") is False


@pytest.mark.parametrize("name", ["", "rownames", "RowNames"])
def test_row_names_in_the_first_column_are_no_feature(written, name):
    table = read_csv(written(f"{name},a\nx,1\ny,2\n"))
    assert (table.names, table.row_names) == (["a"], name)
    assert read_csv(written(f"a,{name or 'b'}\n1,x\n")).row_names is None


def test_what_looks_like_a_large_number_among_text_is_text(written):
    assert read_csv(written("a\n1E400\nx\n"))["a"] == ["1E400", "x"]


def test_quotes_byte_order_mark_blank_lines_and_windows_ends_are_read(written):
    table = read_csv(written('\ufeffa,"b ""c"", d"\r\n1,"x,\r\ny"\r\n\r\n2,z\r\n'))
    assert table.names == ["a", 'b "c", d']
    assert table['b "c", d'] == ["x,\r\ny", "z"]


cells = st.none() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False)
words = st.text(st.characters(codec="utf-8", categories=["L", "P"]), min_size=1, max_size=6)


@given(data=st.data(), n=st.integers(1, 6))
def test_what_was_written_is_read(tmp_path_factory, data, n):
    numbers = data.draw(st.lists(cells, min_size=n, max_size=n))
    texts = ["_" + word for word in data.draw(st.lists(words, min_size=n, max_size=n))]
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "text"])
        writer.writerows(zip(numbers, texts, strict=True))
    table = read_csv(path)
    assert table["number"] == numbers
    assert table["text"] == [text.strip() for text in texts]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "a header and no rows"),
        ("a,b\n1,2\n3\n", "line 3 has 1 field, but the header has 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 fields, but the header has 2"),
        ("a,b,a\n1,2,3\n", "line 1: two columns have the name 'a'"),
        ("a,,b\n1,2,3\n", "line 1: column 2 has no name"),
        ("rownames\nx\n", "line 1: there is no column"),
        ("a;b\n1;2\n", "line 1: the fields are separated by ;"),
        ("a\tb\n1\t2\n", "line 1: the fields are separated by tabs"),
        (b"a,b\n1,2\nM\xfcller,3\n", "line 3: not UTF-8 text .byte 0xfc"),
        (b"a,b\n\x00\x01,3\n", "line 2: not a text file"),
        ("a\n1\n\n-1E400\n", "line 4: -1E400 in column 'a' is too large for a number"),
        ("a\n" + "9" * 400 + "\n", "line 2: 999.* in column 'a' is too large"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
        ('a,b\n1,"2"3\n', "line 2: ',' expected after"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name_and_line(written, content, message):
    path = written(content)
    with pytest.raises(ValueError, match=f"file.csv.*{message}"):
        read_csv(path)


def test_a_file_that_is_not_there_is_named_with_the_nearest_data_set():
    with pytest.raises(FileNotFoundError, match=r"airqualty.*did you mean 'airquality'"):
        read_csv("airqualty")
    with pytest.raises(FileNotFoundError, match=r"no/such\.csv"):
        read_csv("no/such.csv")


def test_a_data_set_is_read_by_its_name(files):
    table, dropped = read_csv("airquality").drop_missing()
    assert (len(table), dropped) == (111, 42)
    assert repr(read_csv("airquality.csv")).startswith("Table(153 rows: Ozone (numeric, 37 missing), Solar.R (numeric, 7 missing)")
    assert read_csv(f"{files}/titanic.csv").names == ["survived", "sex", "age", "passengerClass"]
    assert len(read_csv("penguins")) == 344


def test_columns_and_rows_are_chosen():
    table = Table({"a": [1, None, 3], "b": ["x", "y", None], "c": [1.5, 2.5, 3.5]})
    assert table.select(["c", "a"]).names == ["c", "a"]
    assert table.without("b").names == table.without(["b"]).names == ["a", "c"]
    assert table.take([2, 0])["a"] == [3, 1]
    kept, dropped = table.drop_missing()
    assert (kept["a"], dropped) == ([1], 2)
    kept, dropped = table.drop_missing(["b"])
    assert (kept["a"], dropped) == ([1, None], 1)
    assert "a" in table
    assert len(Table({f"c{i}": [i] for i in range(12)}).names) == 12
    assert repr(Table({f"c{i}": [i] for i in range(12)})).endswith("c9 (numeric), … 2 more)")


def test_an_unknown_column_is_told_with_the_nearest():
    table = Table({"Ozone": [1], "Wind": [2]})
    for ask in (
        lambda: table["ozon"],
        lambda: table.select(["ozon"]),
        lambda: table.without("ozon"),
        lambda: table.missing("ozon"),
    ):
        with pytest.raises(ValueError, match=r"no column 'ozon' \(did you mean 'Ozone'\?\); the columns are Ozone, Wind"):
            ask()


def test_tables_have_columns_of_equal_length():
    with pytest.raises(ValueError, match="no column"):
        Table({})
    with pytest.raises(ValueError, match="equal lengths"):
        Table({"a": [1], "b": []})
