"""Read one definition: the text that counts, and the names of modules that are used."""

import ast
from collections.abc import Callable, Sequence

from lungpipe.services.sources.annotations import is_field, is_validation, parse_annotation
from lungpipe.services.sources.definition import Context, Definition
from lungpipe.services.sources.messages import (
    WORDS,
    assigned_variable,
    is_exception,
    is_message,
    is_text,
    message_arguments,
    message_variables,
)
from lungpipe.services.sources.package import Target
from lungpipe.services.sources.scopes import (
    Scope,
    bound_names,
    function_scope,
    is_bare_string,
    is_type_checking,
)

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params"})
_NO_TEXTS: frozenset[str] = frozenset()


def read_definition(statements: Sequence[ast.stmt], context: Context) -> Definition:
    """Return the counted text of the statements that define a name, and the names used.

    Comments, layout, docstrings, bare strings, texts of messages and descriptions do not count, nor do annotations
    outside of class bodies. Classes in annotations of parameters count as used, since their methods run on the
    arguments.
    """
    reader = _Reader(context)
    reader.body(statements)
    reader.found.text = "\n".join(reader.words)
    return reader.found


class _Reader:
    def __init__(self, context: Context) -> None:
        self.context, self.found = context, Definition()
        self.words: list[str] = []
        self._scopes: list[Scope] = []
        self._texts = _NO_TEXTS
        self._is_class_body = self._is_exception = self._is_wording = False
        self._handlers: dict[type[ast.AST], Callable[..., None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Constant: self._constant,
            ast.JoinedStr: self._joined,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._lambda,
            ast.ClassDef: self._class,
            ast.Assign: self._assign,
            ast.AugAssign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.Raise: self._raise,
            ast.Assert: self._assert,
            ast.Call: self._call,
            ast.If: self._if,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            **dict.fromkeys(_COMPREHENSIONS, self._comprehension),
        }

    def body(self, statements: Sequence[ast.AST]) -> None:
        self.words.append("[")
        for statement in statements:
            if not isinstance(statement, ast.Pass) and not is_bare_string(statement):
                self._node(statement)
        self.words.append("]")

    def _node(self, node: ast.AST) -> None:
        handler = self._handlers.get(type(node))
        if handler is not None:
            handler(node)
        else:
            self._plain(node)

    def _plain(self, node: ast.AST, without: tuple[str, ...] = ()) -> None:
        self.words.append(f"<{type(node).__name__}>")
        for name in node._fields:
            value = getattr(node, name, None)
            # absent fields are left out, since later versions of Python add fields
            if value is None or value == [] or name in _SKIPPED or name in without:
                continue
            self.words.append(name)
            if isinstance(value, ast.AST):
                self._node(value)
            elif not isinstance(value, list):
                self.words.append(repr(value))
            elif isinstance(value[0], ast.stmt):
                self.body(value)
            else:
                self._list(value)

    def _list(self, values: Sequence[object]) -> None:
        self.words.append("[")
        for value in values:
            if isinstance(value, ast.AST):
                self._node(value)
            else:
                self.words.append(repr(value))  # a name, or the None before `**` in a dictionary
        self.words.append("]")

    def _constant(self, node: ast.Constant) -> None:
        self.words.append("..." if self._is_wording and isinstance(node.value, str) else repr(node.value))

    def _joined(self, node: ast.JoinedStr) -> None:
        if self._is_wording:
            self.words.append("...")
        else:
            self._plain(node)

    def _name(self, node: ast.Name) -> None:
        self.words.append(node.id)
        if isinstance(node.ctx, ast.Load):
            self._refer(node.id, ())

    def _attribute(self, node: ast.Attribute) -> None:
        attributes: list[str] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            attributes.append(base.attr)
            base = base.value
        attributes.reverse()
        if isinstance(base, ast.Name):
            self.words.append(base.id)
            self._refer(base.id, tuple(attributes))
        else:
            self._node(base)
        self.words += ["." + name for name in attributes]

    def _refer(self, name: str, attributes: tuple[str, ...]) -> None:
        target = self._target(name)
        if target is not None:
            self.found.references.add((target[0], (*target[1], *attributes)))

    def _target(self, name: str) -> Target | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self.context.module, (name,)

    def _annotation(self, node: ast.expr | None) -> None:
        """Add the names of an annotation, also of names in strings, without counting the text."""
        num_words, references = len(self.words), self.found.references
        self.found.references = self.found.annotated
        waiting: list[ast.AST | None] = [node]
        while waiting:
            part = waiting.pop()
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                waiting.append(parse_annotation(part.value))
            elif isinstance(part, ast.Name | ast.Attribute):
                self._node(part)
            elif part is not None:
                waiting += ast.iter_child_nodes(part)
        del self.words[num_words:]
        self.found.references = references

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.words += [f"<{type(node).__name__}>", node.name]
        self._list(node.decorator_list)
        self._arguments(node.args)
        outer = self._texts, self._is_wording
        self._texts |= message_variables(node)
        self._is_wording |= node.name == WORDS or (self._is_exception and node.name == "__str__")
        self._inner(node.args, node.body)
        self._texts, self._is_wording = outer

    def _lambda(self, node: ast.Lambda) -> None:
        self.words.append("<Lambda>")
        self._arguments(node.args)
        self._inner(node.args, [node.body])

    def _arguments(self, arguments: ast.arguments) -> None:
        for kind in ("posonlyargs", "args", "kwonlyargs", "vararg", "kwarg"):
            value = getattr(arguments, kind)
            listed = value if isinstance(value, list) else [value] if value else []
            self.words += [kind, *(argument.arg for argument in listed)]
            for argument in listed:
                self._annotation(argument.annotation)
        self._list(arguments.defaults)
        self._list(arguments.kw_defaults)

    def _inner(self, arguments: ast.arguments, statements: Sequence[ast.AST]) -> None:
        scope = function_scope(arguments, statements, self.context.module, self.context.package)
        outer, self._is_class_body = self._is_class_body, False
        self._scopes.append(scope)
        self.body(statements)
        self._scopes.pop()
        self._is_class_body = outer

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.words.append(f"<{type(node).__name__}>")
        self._node(node.generators[0].iter)  # runs outside of the comprehension
        targets = (name for part in node.generators for name in bound_names(part.target))
        self._scopes.append(dict.fromkeys(targets))
        for number, part in enumerate(node.generators):
            self._plain(part, () if number else ("iter",))
        self._plain(node, ("generators",))
        self._scopes.pop()

    def _class(self, node: ast.ClassDef) -> None:
        self.words += ["<ClassDef>", node.name]
        self._list([*node.decorator_list, *node.bases, *node.keywords])
        # names of a class body are no names of its methods, and hide no name of the module from itself for certain
        is_value = self.context.is_value(node, self.context.module)
        outer = self._is_class_body, self._is_exception
        self._is_class_body, self._is_exception = True, is_exception(node)
        self.words.append("[")
        for statement in node.body:
            if not is_value:
                self.body([statement])
            elif isinstance(statement, ast.AnnAssign) and is_field(statement):
                self._annotation(statement.annotation)
            elif not is_validation(statement):
                self.body([statement])
        self.words.append("]")
        self._is_class_body, self._is_exception = outer

    def _assign(self, node: ast.Assign | ast.AugAssign) -> None:
        if assigned_variable(node) in self._texts:
            return
        self._plain(node)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._refer(node.target.id, ())  # an augmented assignment also reads its target

    def _annotated(self, node: ast.AnnAssign) -> None:
        if self._is_class_body:
            self._plain(node)
            self._annotation(node.annotation)
        elif node.value is not None:
            self._plain(ast.Assign([node.target], node.value))

    def _raise(self, node: ast.Raise) -> None:
        self.words.append("<Raise>")
        if isinstance(node.exc, ast.Call):
            self._without_texts(node.exc, message_arguments(node))
        elif node.exc is not None:
            self._node(node.exc)
        if node.cause is not None:
            self._node(node.cause)

    def _assert(self, node: ast.Assert) -> None:
        self._plain(node, ("msg",))

    def _call(self, node: ast.Call) -> None:
        if is_message(node):
            self._without_texts(node, message_arguments(node))
            return
        described = self._described(node.func)
        starred = (place for place, value in enumerate(node.args) if isinstance(value, ast.Starred))
        num_placed = next(starred, len(node.args))  # behind a star the places are unknown
        places = [place for place in described.values() if place < num_placed]
        named = [keyword.value for keyword in node.keywords if keyword.arg in described]
        self._without_texts(node, [*(node.args[place] for place in places), *named])

    def _described(self, function: ast.expr) -> dict[str, int]:
        target = self._target(function.id) if isinstance(function, ast.Name) else None
        return self.context.described(target) if target is not None else {}

    def _without_texts(self, call: ast.Call, messages: Sequence[ast.expr]) -> None:
        self.words.append("<Call>")
        self._node(call.func)
        self.words.append("(")
        for argument in (*call.args, *call.keywords):
            value = argument.value if isinstance(argument, ast.keyword) else argument
            if value in messages and is_text(value, self._texts):
                self.words.append("...")
            else:
                self._node(argument)
        self.words.append(")")

    def _if(self, node: ast.If) -> None:
        if is_type_checking(node.test):
            self.body(node.orelse)
        else:
            self._plain(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.found.loads += self.context.package.loaded_by(node, self.context.module)
        if self._is_class_body:  # not a scope of this reader: imports count, used or not
            self.found.references |= {target for _, target in self.context.package.bound_by(node, self.context.module)}
