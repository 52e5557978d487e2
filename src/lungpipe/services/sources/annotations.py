"""Read annotations and decorators of classes whose fields are values, such as settings."""

import ast

from lungpipe.services.sources.messages import assigned_variable
from lungpipe.services.sources.scopes import FUNCTIONS


def parse_annotation(text: str) -> ast.expr | None:
    """Return the expression in an annotation that is written as a string; None if the text is not an expression."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None  # a word of a Literal


def is_field(statement: ast.AnnAssign) -> bool:
    """Return whether a statement of a class of values declares a value; a ClassVar and a private name do not."""
    is_public = isinstance(statement.target, ast.Name) and not statement.target.id.startswith("_")
    return is_public and "ClassVar" not in ast.unparse(statement.annotation)


def is_validation(statement: ast.stmt) -> bool:
    """Return whether a statement is a validator, whose effect is visible in the params."""
    if isinstance(statement, ast.Assign):
        return assigned_variable(statement) == "model_config"
    decorators = statement.decorator_list if isinstance(statement, FUNCTIONS) else []
    names = (ast.unparse(node.func if isinstance(node, ast.Call) else node) for node in decorators)
    return any(name.endswith(("validator", "serializer")) for name in names)
