"""`python -m lungpipe`: the same as the command `lungpipe`."""

from lungpipe.cli.main import app

if __name__ == "__main__":
    app(prog_name="lungpipe")
