"""What every key means: the string below its field, read from the source where a page or a schema is written.

pydantic reads these strings as it makes a class (`use_attribute_docstrings`). Every job that takes settings would then
parse the source of all settings classes as it starts: more than a third of the time of their import.
"""

import ast
import inspect
import textwrap
from itertools import pairwise

from pydantic import BaseModel

from lungpipe.settings.explain import section_models


def describe(model: type[BaseModel]) -> None:
    """Set the descriptions of the fields of a settings class, and of all classes that its fields name."""
    for field in model.model_fields.values():
        for section in section_models(field.annotation):
            describe(section)
    texts: dict[str, str] = {}
    # a class's own string replaces that of a class it is made from
    for origin in reversed(model.__mro__):
        if issubclass(origin, BaseModel) and origin is not BaseModel:
            texts.update(read_descriptions(origin))
    for name, field in model.model_fields.items():
        field.description = texts.get(name, field.description)
    model.model_rebuild(force=True)


def read_descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the strings below the fields that a class itself declares, by the field's name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = [
        statement for definition in tree.body if isinstance(definition, ast.ClassDef) for statement in definition.body
    ]
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
