"""The JSON Schema of result.json: `python -m lungpipe.prediction.schema FILE` writes the schema."""

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter

from lungpipe.prediction.document import Refusal, Result


def schema_text() -> str:
    """Return the schema of a result, or of a refusal, as JSON."""
    schema = TypeAdapter(Result | Refusal).json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A prediction of lungpipe"}
    return json.dumps(head | schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
