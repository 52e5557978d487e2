"""Follow names from an entry point to every definition of the package that it can run."""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from lungpipe.services.sources.bindings import Bindings, read_bindings
from lungpipe.services.sources.definition import Context, Definition
from lungpipe.services.sources.messages import message_parameters
from lungpipe.services.sources.package import Package, Target
from lungpipe.services.sources.reader import read_definition
from lungpipe.services.sources.scopes import FUNCTIONS

Key = tuple[str, str]
"""A definition: its module and its name. Without a name: the statements of the module that only have effects."""

DESCRIPTIONS = frozenset({"meaning", "description"})
"""Fields whose texts are descriptions for people."""


class SourceTree:
    """The definitions of one package, each read at most once."""

    def __init__(self, root: Path, values: Target | None = None) -> None:
        """Read the package in folder `root`.

        `values` names a class whose fields, and those of its subclasses, are values that reach a job by another way:
        of these classes only the methods count, without validators and serializers.
        """
        self._package = Package(root)
        self._values = values
        self._bindings: dict[str, Bindings] = {}
        self._definitions: dict[Key, Definition] = {}
        self._digests: dict[Key, str] = {}
        self._next: dict[Key, frozenset[Key]] = {}
        self._loads: dict[str, frozenset[Key]] = {}
        self._effective: dict[str, list[ast.stmt]] = {}

    def closure(self, entries: Iterable[str], aside: Iterable[str] = ()) -> list[Key]:
        """Return every definition that the entries can reach, sorted by module and name.

        An entry is `package.module:name`, or `package.module` for all that a module defines. Entries in `aside`
        are neither counted nor followed; a module there stands for its own definitions, not for what it imports.

        Raises:
            ModuleNotFoundError: a module, or one that is imported on the way, has no file.
            AttributeError: a module that does not bind the name of an entry.
        """
        apart = {key for entry in aside for key in self._set_aside(entry)}
        found: set[Key] = set()
        waiting = [key for entry in entries for key in self._enter(entry)]
        while waiting:
            key = waiting.pop()
            if key not in found and key not in apart:
                found.add(key)
                waiting += self._follow(key) - found
        return sorted(found)

    def digest(self, key: Key) -> str:
        """Return the SHA-256 of the counted text of a definition and of the targets of its imported names."""
        if key not in self._digests:
            definition = self._definition(key)
            imports = self._bound(key[0]).imports
            lines = [definition.text]
            for module, attributes in sorted(definition.references):
                if module == key[0] and attributes and attributes[0] not in imports:
                    continue
                keys = sorted(self.resolve((module, attributes)))
                lines.append(f"{module}.{'.'.join(attributes)} {keys or self._external((module, attributes))}")
            self._digests[key] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return self._digests[key]

    def digest_script(self, path: Path) -> str:
        """Return the SHA-256 of the counted text of a script or notebook outside of the package."""
        context = Context("", self._package, self._described, self._is_value)
        definition = read_definition(ast.parse(_read_code(path)).body, context)
        return hashlib.sha256(definition.text.encode()).hexdigest()

    def imported_by(self, path: Path) -> list[str]:
        """Return what a script or notebook outside of the package imports from it, as entries."""
        nodes = (
            node for node in ast.walk(ast.parse(_read_code(path))) if isinstance(node, ast.Import | ast.ImportFrom)
        )
        targets = (target for node in nodes for _, target in self._package.bound_by(node, ""))
        return sorted(":".join([module, *names]) for module, names in targets if self._package.is_internal(module))

    def resolve(self, target: Target) -> frozenset[Key]:
        """Return the definitions of a name; none if the name is built in or belongs to another package."""
        return frozenset(self._resolve(target, ()))

    def _enter(self, entry: str) -> frozenset[Key]:
        module, _, name = entry.partition(":")
        self._bound(module)  # raises an error for an entry of no module of the package
        target: Target = (module, tuple(name.split("."))) if name else (module, ())
        keys = self.resolve(target)
        if name and not keys:
            raise AttributeError(f"{entry}: expected a name of module {module}, found no definition of it")
        return keys | self._loaded(module)

    def _set_aside(self, entry: str) -> frozenset[Key]:
        keys = self._enter(entry)
        module, _, name = entry.partition(":")
        own = (*self._bound(module).definitions, "")
        return self.resolve((module, tuple(name.split(".")))) if name else keys & {(module, one) for one in own}

    def _follow(self, key: Key) -> frozenset[Key]:
        if key not in self._next:
            definition = self._definition(key)
            found = {found for target in definition.references for found in self.resolve(target)}
            found.update(self._annotating(definition.annotated, frozenset()))
            for module in (key[0], *definition.loads):
                found |= self._loaded(module)
            self._next[key] = frozenset(found)
        return self._next[key]

    def _annotating(self, targets: Iterable[Target], seen: frozenset[Key]) -> Iterator[Key]:
        """Yield the classes that annotations name, directly or by an alias such as `Input = Scan | Volume`."""
        for key in {key for target in targets for key in self.resolve(target)} - seen:
            if any(isinstance(statement, ast.ClassDef) for statement in self._bound(key[0]).definitions[key[1]]):
                yield key
            else:
                definition = self._definition(key)
                yield from self._annotating(definition.references | definition.annotated, seen | {key})

    def _loaded(self, module: str) -> frozenset[Key]:
        """Return the effects of importing a module: its own, of the packages around it, and of what it imports."""
        if module not in self._loads:
            seen: set[str] = set()
            waiting = [module]
            while waiting:
                name = waiting.pop()
                if name not in seen:
                    seen.add(name)
                    waiting += [*self._bound(name).loads, *self._package.parents(name)]
            self._loads[module] = frozenset((name, "") for name in seen if self._effects(name))
        return self._loads[module]

    def _effects(self, module: str) -> list[ast.stmt]:
        if module not in self._effective:
            bound = self._bound(module)
            named = (statement for statements in bound.definitions.values() for statement in statements)
            registered = [statement for statement in named if self._is_registered(statement, module)]
            self._effective[module] = [*bound.effects, *registered]
        return self._effective[module]

    def _is_registered(self, statement: ast.stmt, module: str) -> bool:
        """Return whether a decorator or base class of the package may store a definition under no name."""
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            roots = (_root(decorator) for decorator in statement.decorator_list)
            if any(self.resolve((module, (root,))) for root in roots if root):
                return True
        return isinstance(statement, ast.ClassDef) and any(
            isinstance(node, FUNCTIONS) and node.name == "__init_subclass__"
            for base in self._bases(statement, module)
            for node in base.body
        )

    def _definition(self, key: Key) -> Definition:
        if key not in self._definitions:
            module, name = key
            statements = self._bound(module).definitions[name] if name else self._effects(module)
            context = Context(module, self._package, self._described, self._is_value)
            self._definitions[key] = read_definition(statements, context)
        return self._definitions[key]

    def _bound(self, module: str) -> Bindings:
        if module not in self._bindings:
            self._bindings[module] = read_bindings(self._package.parse(module), module, self._package)
        return self._bindings[module]

    def _resolve(self, target: Target, seen: tuple[Target, ...]) -> Iterator[Key]:
        module, attributes = target
        if target in seen or self._package.find(module) is None:
            return
        bound, seen = self._bound(module), (*seen, target)
        if not attributes:
            yield from ((module, name) for name in bound.definitions)
            for targets in bound.imports.values():
                for source, names in targets:
                    if names:  # a module that is passed as a value also passes the names that the module imports
                        yield from self._resolve((source, names), seen)
            for source in bound.stars:
                yield from self._resolve((source, ()), seen)
            return
        name, rest = attributes[0], attributes[1:]
        if name in bound.definitions:
            yield module, name
        for source, names in bound.imports.get(name, ()):
            yield from self._resolve((source, (*names, *rest)), seen)
        if name in bound.definitions or name in bound.imports:
            return
        if self._package.find(f"{module}.{name}") is not None:
            yield from self._resolve((f"{module}.{name}", rest), seen)
            return
        for source in bound.stars:
            yield from self._resolve((source, attributes), seen)
        if "__getattr__" in bound.definitions:
            yield module, "__getattr__"

    def _external(self, target: Target) -> str:
        """Return the full name of an import from another package."""
        module, attributes = target
        if self._package.find(module) is None or not attributes:
            return ".".join([module, *attributes])
        sources = self._bound(module).imports.get(attributes[0], ())
        return " ".join(self._external((source, (*names, *attributes[1:]))) for source, names in sources)

    def _classes(self, target: Target) -> Iterator[tuple[ast.ClassDef, str]]:
        for module, name in self.resolve(target):
            for statement in self._bound(module).definitions[name]:
                if isinstance(statement, ast.ClassDef):
                    yield statement, module

    def _bases(self, node: ast.ClassDef, module: str, depth: int = 8) -> Iterator[ast.ClassDef]:
        for base in node.bases:
            words = ast.unparse(base).split("[")[0].split(".")
            for found, place in self._classes((module, tuple(words))):
                yield found
                if depth:
                    yield from self._bases(found, place, depth - 1)

    def _is_value(self, node: ast.ClassDef, module: str) -> bool:
        if self._values is None:
            return False
        values = [found for found, _ in self._classes(self._values)]
        return node in values or any(base in values for base in self._bases(node, module))

    def _described(self, target: Target) -> dict[str, int]:
        """Return the arguments (names and places) of a class or function of the package that are texts for people."""
        found: dict[str, int] = {}
        for module, name in self.resolve(target):
            for statement in self._bound(module).definitions[name]:
                if isinstance(statement, FUNCTIONS):
                    found |= message_parameters(statement)
                elif isinstance(statement, ast.ClassDef):
                    parts = (node.target for node in statement.body if isinstance(node, ast.AnnAssign))
                    fields = [part.id for part in parts if isinstance(part, ast.Name)]
                    found |= {field: place for place, field in enumerate(fields) if field in DESCRIPTIONS}
        return found


def _root(node: ast.expr) -> str:
    """Return the name that a decorator begins with: `app` of `@app.command()`."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _read_code(path: Path) -> bytes:
    """Return the code of a script, or of all code cells of a notebook; outputs and texts of a notebook are no code."""
    content = path.read_bytes()
    if path.suffix != ".ipynb":
        return content
    cells = (cell for cell in json.loads(content)["cells"] if cell["cell_type"] == "code")
    return "\n".join("".join(cell["source"]) for cell in cells).encode()
