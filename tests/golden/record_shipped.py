"""Put a model into the package, and record what it finds in a phantom and in a real crop: make ship MODEL=FOLDER."""

import argparse
import json
import shutil
from pathlib import Path

from shipped_outputs import outputs_in_crop, outputs_in_phantom

from lungpipe import shipped

RECORD = Path(__file__).with_name("shipped_outputs.json")


def ship(model: Path) -> None:
    """Copy the model's folder into the package and write the outputs beside this script."""
    for name in ("MODEL_CARD.md", shipped.DETECTOR_FILE):
        if not (model / name).is_file():
            raise SystemExit(f"{model}: expected the folder of `snakemake final_model` with {name}, found none")
    folder = Path(shipped.__file__).parent / shipped.SHIPPED_MODEL
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model, folder)
    outputs = {"phantom": outputs_in_phantom(folder), "crop": outputs_in_crop(folder)}
    RECORD.write_text(json.dumps(outputs, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder with detector.safetensors, scorer.safetensors, MODEL_CARD.md")
    ship(parser.parse_args().model)
