"""Write the files that are generated from the settings: `python -m lungpipe.settings.generate [ROOT]`."""

import sys
from pathlib import Path

from lungpipe.settings.environments import environment_texts
from lungpipe.settings.render import config_text, page_text, schema_text


def generated(root: Path) -> dict[Path, str]:
    """Return path (relative to `root`, the checkout) and text of every generated file."""
    files = {
        Path("config.yaml"): config_text(),
        Path("workflow/schemas/config.schema.json"): schema_text(),
        Path("docs/configuration.md"): page_text(),
    }
    return files | {Path("envs") / name: text for name, text in environment_texts(root).items()}


def write(root: Path) -> None:
    """Write every generated file below `root`."""
    for path, text in generated(root).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
