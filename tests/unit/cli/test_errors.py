import pytest
import typer

from lungpipe.cli.errors import refusing


@pytest.mark.parametrize("error", [KeyError("wrong key"), FileNotFoundError(2, "No such file", "a.csv")])
def test_named_errors_and_unreadable_files_become_one_message_and_exit_two(error, capsys):
    with pytest.raises(typer.Exit) as caught, refusing(KeyError):
        raise error
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == f"lungpipe: {error}\n"


def test_an_error_nobody_named_is_a_defect_and_stays_visible():
    with pytest.raises(ZeroDivisionError), refusing(KeyError):
        raise ZeroDivisionError
