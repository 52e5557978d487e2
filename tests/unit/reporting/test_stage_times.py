import pandas as pd
import pytest

from lungpipe.reporting.stage_times import duration, read_benchmarks, stages_table
from lungpipe.tables.errors import InputError

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def write(path, seconds, mib, cpu):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t{mib}\t1\t1\t1\t0\t0\t50\t{cpu}\n")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "a" / "train" / "fold0.tsv", 100.0, 1024.0, 150.0)
    write(tmp_path / "a" / "train" / "fold1.tsv", 200.0, 2048.0, 250.0)
    write(tmp_path / "b" / "draw.tsv", 0.4, "-", "-")
    write(tmp_path / "b" / "write_report.tsv", 9.0, 1.0, 1.0)
    return tmp_path


def test_stages_are_summed_the_longest_first_and_the_running_one_is_left_out(folder):
    table = stages_table(read_benchmarks([folder / "a", folder / "b"], aside="write_report"))
    assert table.rows == (
        ("train", "2", "5 min 0 s", "3 min 20 s", "6 min 40 s", "2.00 GiB"),
        ("draw", "1", "0.4 s", "0.4 s", "not measured", "not measured"),
        ("all stages", "3", "5 min 0 s", "3 min 20 s", "6 min 40 s", "2.00 GiB"),
    )
    assert table.caption == "Time and memory by stage (3 jobs)"


def test_no_folder_is_no_table(tmp_path):
    assert stages_table(read_benchmarks([tmp_path / "none"])) is None
    assert stages_table(pd.DataFrame()) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (75.2, "75 s"), (725, "12 min 5 s"), (12000, "3 h 20 min")]
)
def test_a_time_is_short_text(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("content", ["", "s\n1\n", HEAD[:20], HEAD + "x\t" * 9 + "x\n"])
def test_a_file_that_is_no_benchmark_is_named(tmp_path, content):
    (tmp_path / "draw.tsv").write_text(content)
    with pytest.raises(InputError, match=r"draw\.tsv: expected Snakemake's benchmark with s, cpu_time, max_rss"):
        read_benchmarks([tmp_path])
