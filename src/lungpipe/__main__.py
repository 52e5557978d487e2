"""`python -m lungpipe`, the same as `lungpipe`."""

from lungpipe.cli.main import app

if __name__ == "__main__":
    app(prog_name="lungpipe")
