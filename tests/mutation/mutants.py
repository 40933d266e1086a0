"""The mutants of a module: each is the module with one change.

Code that tests of behaviour cannot notice is not changed: annotations that nothing reads at run time, documentation,
sentences for people and logs, and crash points.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

# The first is the nearest mistake, the second the negation. A whole condition is not negated: replacing it by True
# and by False covers that.
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop] | None, type[ast.cmpop]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (None, ast.NotEq),
    ast.NotEq: (None, ast.Eq),
    ast.Is: (None, ast.IsNot),
    ast.IsNot: (None, ast.Is),
    ast.In: (None, ast.NotIn),
    ast.NotIn: (None, ast.In),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
}
OPPOSITES = {"filter": "exclude", "exclude": "filter", "any": "all", "all": "any", "min": "max", "max": "min"}
# Methods that return their object slightly changed, so that the call can be left out.
REFINEMENTS = frozenset({"strip", "lower", "upper", "rstrip", "lstrip", "order_by", "distinct", "select_for_update"})
# Calls and assignments that only serve people, type checkers, tests or Python itself. The argument of NotFound is a
# word of its message.
UNSEEN_CALLS = frozenset({"TypeVar", "ParamSpec", "getLogger", "crash_point", "log", "cast", "NotFound"})
GENERIC_TYPES = frozenset({"Callable", "dict", "list", "tuple"})
UNSEEN_NAMES = frozenset({"__slots__", "__all__"})
# `frozen` prevents a mistake that the code does not make.
UNSEEN_KEYWORDS = frozenset({"kw_only", "frozen", "extra_json_schema", "verbose_name", "help_text"})


@dataclass(frozen=True)
class Mutant:
    """A module with one change: its line, the line before and after, and the compiled code.

    `function` is the qualified name of the function whose body is changed. It is "" for code that runs on import and
    for cached functions: they run once, but any later test may notice the change.
    """

    line: int
    function: str
    before: str
    after: str
    code: CodeType


def mutants(source: str, filename: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    for position in _positions(tree, None, _Scope()):
        for replacement in _replacements(position):
            ast.fix_missing_locations(ast.copy_location(replacement, position.statement))
            before = ast.unparse(position.statement)
            position.put(replacement)
            after = ast.unparse(replacement if position.node is position.statement else position.statement)
            code = compile(tree, filename, "exec")
            position.put(position.node)
            yield Mutant(position.line, position.function, *_first_difference(before, after), code)


# --- Where to change --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Position:
    """A node in the tree, and the statement that it is part of."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    statement: ast.stmt
    function: str

    @property
    def is_condition(self) -> bool:
        """Whether the node is a whole condition."""
        return self.field in ("test", "ifs") and not isinstance(self.parent, ast.While)

    @property
    def line(self) -> int:
        return int(getattr(self.node, "lineno", self.statement.lineno))

    def put(self, node: ast.AST) -> None:
        """Put another node here."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True)
class _Scope:
    """The surroundings of a node: names of classes and functions, the function, and whether annotations count."""

    names: str = ""
    function: str = ""
    read_at_run_time: bool = True

    def inside(self, node: ast.AST) -> "_Scope":
        """Return the scope of a node's body. Annotations count only in classes that msgspec decodes.

        Such a class has a tag or derives from the classes of `realtime.wire.bodies`; a bare Struct only holds values.
        """
        match node:
            case ast.ClassDef(name=name, bases=bases, keywords=keywords, decorator_list=decorators):
                is_bare = [ast.unparse(base) for base in bases] == ["msgspec.Struct"]
                is_tagged = any(keyword.arg == "tag" for keyword in keywords)
                is_dataclass = any("dataclass" in ast.unparse(decorator) for decorator in decorators)
                read = not is_dataclass and (is_tagged or not is_bare)
                return _Scope(f"{self.names}{name}.", self.function, read)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                is_kept = any("cache" in ast.unparse(decorator) for decorator in node.decorator_list)
                function = "" if is_kept else self.names + name
                return _Scope(f"{self.names}{name}.<locals>.", function, read_at_run_time=False)
        return self


def _positions(parent: ast.AST, statement: ast.stmt | None, around: _Scope) -> Iterator[_Position]:
    """Yield the positions below a node."""
    body = around.inside(parent)
    for field, value in ast.iter_fields(parent):
        if field in ("decorator_list", "bases", "returns", "type_params"):
            continue
        if field == "annotation" and not (around.read_at_run_time and isinstance(parent, ast.AnnAssign)):
            continue
        scope = body if field == "body" else around
        for index, node in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(node, ast.AST) or _is_unseen(node):
                continue
            nearest = node if isinstance(node, ast.stmt) else statement
            if nearest is not None:
                yield _Position(parent, field, index, node, nearest, scope.function)
            yield from _positions(node, nearest, scope)


def _is_unseen(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Assert():
            return True
        case ast.Expr(value=ast.Constant()):  # documentation
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id=generic))) if generic in GENERIC_TYPES:
            return True  # a type alias
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in UNSEEN_NAMES
        case ast.keyword(arg=name):
            return name in UNSEEN_KEYWORDS
        case ast.Expr(value=ast.Call() as call) | (ast.Call() as call):
            names = {part.id for part in ast.walk(call.func) if isinstance(part, ast.Name)}
            names |= {call.func.attr} if isinstance(call.func, ast.Attribute) else set()
            return bool(names & UNSEEN_CALLS)
    return False


# --- Replacements -------------------------------------------------------------------------


def _replacements(position: _Position) -> Iterator[ast.AST]:
    """Yield the nodes that may replace a node."""
    node = position.node
    if isinstance(node, ast.stmt):
        yield from _other_statements(node)
        return
    match node:
        case ast.Constant(value=value):
            yield from map(ast.Constant, _other_values(value))
        case ast.Compare(left=left, ops=ops, comparators=others):
            for index, op in enumerate(ops):
                near, contrary = COMPARISONS[type(op)]
                for other in (near, None if position.is_condition else contrary):
                    if other is not None:
                        yield ast.Compare(left, [*ops[:index], other(), *ops[index + 1 :]], others)
        case ast.BoolOp(op=op, values=values):
            for index in range(len(values)):
                rest = values[:index] + values[index + 1 :]
                yield ast.BoolOp(op, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=ast.BitOr(), right=ast.Name(id="UnsetType") as right):
            yield right  # the left operand alone is equivalent for msgspec, which ignores defaults
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Mod() | ast.Pow(), right=right):
            yield left
            yield right
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.comprehension(ifs=ifs) if ifs:
            for index in range(len(ifs)):
                yield ast.comprehension(node.target, node.iter, ifs[:index] + ifs[index + 1 :], node.is_async)
        case ast.Set(elts=elements) if len(elements) > 1:
            for index in range(len(elements)):
                yield ast.Set(elements[:index] + elements[index + 1 :])
        case ast.Call():
            yield from _other_calls(node)


def _other_values(value: object) -> Iterator[object]:
    match value:
        case bool():
            yield not value
        case int() | float() if value + 1 != value:  # equal for a float that means "never"
            yield value + 1
        case str() if " AND " in value:  # a condition in SQL
            parts = value.split(" AND ")
            yield from (" AND ".join(parts[:index] + parts[index + 1 :]) for index in range(len(parts)))
        case str() if " " not in value:  # not a sentence for people
            yield f"other{value}"


def _other_calls(call: ast.Call) -> Iterator[ast.AST]:
    for index, keyword in enumerate(call.keywords):
        if keyword.arg is not None and keyword.arg not in UNSEEN_KEYWORDS:
            yield ast.Call(call.func, call.args, call.keywords[:index] + call.keywords[index + 1 :])
    match call.func:
        case ast.Attribute(value=value, attr=name, ctx=context):
            if name in REFINEMENTS:
                yield value
            if name in OPPOSITES:
                yield ast.Call(ast.Attribute(value, OPPOSITES[name], context), call.args, call.keywords)
        case ast.Name(id=name, ctx=context) if name in OPPOSITES:
            yield ast.Call(ast.Name(OPPOSITES[name], context), call.args, call.keywords)


def _other_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield()) | ast.Raise() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) | ast.AugAssign():
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Return(value=None):
            yield ast.Pass()
        case ast.Return(value=value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.If() | ast.While():
            if not isinstance(node.test, ast.Constant):
                for always in (True, False):
                    if always and isinstance(node, ast.While):
                        continue
                    yield type(node)(test=ast.Constant(always), body=node.body, orelse=node.orelse)
        case ast.With(items=items, body=body):
            for index, item in enumerate(items):
                rest = items[:index] + items[index + 1 :]
                if item.optional_vars is None:
                    yield ast.With(items=rest, body=body) if rest else ast.If(ast.Constant(True), body, [])
        case ast.ClassDef(keywords=keywords):
            for index, keyword in enumerate(keywords):
                if keyword.arg not in UNSEEN_KEYWORDS:
                    yield ast.ClassDef(
                        node.name, node.bases, keywords[:index] + keywords[index + 1 :], node.body, node.decorator_list
                    )


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """Return of two statements the first line in which they differ."""
    lines = before.splitlines() or [""], after.splitlines() or [""]
    for old, new in zip(*lines, strict=False):
        if old != new:
            return old.strip(), new.strip()
    return lines[0][-1].strip(), lines[1][-1].strip()
