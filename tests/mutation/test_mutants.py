"""The mutants are the documented ones, and each compiles and runs."""

from textwrap import dedent

import pytest

from tests.harness.product import PROJECT
from tests.mutation.mutants import mutants
from tests.mutation.targets import THEMES
from tests.mutation.trial import source_of


def changes(source: str) -> list[tuple[str, str]]:
    return [(mutant.before, mutant.after) for mutant in mutants(dedent(source), "example.py")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a < b", {"x = a <= b", "x = a >= b"}),
        ("x = a == b", {"x = a != b"}),
        ("x = a and b", {"x = a", "x = b"}),
        ("x = not a", {"x = a"}),
        ("x = a - 1", {"x = a + 1", "x = a - 2"}),
        ("x = a | b", {"x = a", "x = b"}),
        ("x = True", {"x = False"}),
        ("x = 1e18", set()),
        ("x = 'code'", {"x = 'othercode'"}),
        ("x = 'A sentence.'", set()),
        ("x = 'a = 1 AND b = 2 AND c'", {"x = 'b = 2 AND c'", "x = 'a = 1 AND c'", "x = 'a = 1 AND b = 2'"}),
        ("x = a if b else c", {"x = a", "x = c"}),
        ("x = [a for a in b if a]", {"x = [a for a in b]"}),
        ("x = {a, b}", {"x = {a}", "x = {b}"}),
        ("x = f(a, b=c, **d)", {"x = f(a, **d)"}),
        ("x = a.filter(b=c)", {"x = a.filter()", "x = a.exclude(b=c)"}),
        ("x = a.strip()", {"x = a"}),
        ("x = any(a)", {"x = all(a)"}),
        ("f(a)", {"pass"}),
        ("a.b = c", {"pass"}),
        ("a += b", {"pass"}),
        ("raise Refused", {"pass"}),
        ("raise NotFound('user')", {"pass"}),
        ("x: Final = TypeVar('x')", set()),
        ("X = Callable[[int | None], str]", set()),
        ("X = tuple[str | None, int]", set()),
        ("log.info('said', a=1)", set()),
        ("crash_point('before_commit')", set()),
        ("from a import b", set()),
        ("assert a > 1", set()),
        ("__slots__ = ('a', 'b')", set()),
        ("class A(B, tag='a', kw_only=True):\n    pass", {
            "class A(B, kw_only=True):", "class A(B, tag='othera', kw_only=True):"
        }),
        ("class A(B):\n    x: int | None", {"x: int", "x: None"}),
        ("class A(B):\n    x: int | UnsetType", {"x: UnsetType"}),
        ("class A(msgspec.Struct, tag='a'):\n    x: int | None", {
            "class A(msgspec.Struct):", "class A(msgspec.Struct, tag='othera'):", "x: int", "x: None"
        }),
        ("class A(msgspec.Struct):\n    x: int | None", set()),
        ("@dataclass\nclass A:\n    x: int | None", set()),
        ("def f(x: int | None) -> str | None:\n    return x", {"return None"}),
        ("with a:\n    f = 1", {"if True:", "f = 2"}),
        ("if a == b:\n    f = ''", {"if True:", "if False:", "f = 'other'"}),
        ("while a < b:\n    break", {"while False:", "while a <= b:", "while a >= b:", "continue"}),
    ],
)  # fmt: skip
def test_each_statement_yields_the_expected_mutants(before: str, after: set[str]) -> None:
    assert {changed for _, changed in changes(before)} == after


def test_a_mutant_names_its_function_unless_that_runs_only_once() -> None:
    source = """
    a = 1
    class B:
        c = 2
        def d(self, e=3):
            def f():
                return 4
            return f
    @cache
    def g():
        return 5
    """
    found = {mutant.after: mutant.function for mutant in mutants(dedent(source), "example.py")}
    assert found == {
        "a = 2": "",
        "c = 3": "",
        "def d(self, e=4):": "",
        "return 5": "B.d.<locals>.f",
        "return None": "B.d",
        "return 6": "",
    }


def test_each_mutant_has_one_change() -> None:
    made = list(mutants("a = 1\nb = 2\n", "example.py"))
    values = []
    for mutant in made:
        space: dict[str, int] = {}
        exec(mutant.code, space)  # noqa: S102 - the test made this code
        values.append((mutant.line, space["a"], space["b"]))
    assert values == [(1, 2, 2), (2, 1, 3)]


def test_every_module_and_test_of_the_themes_exists() -> None:
    for modules in THEMES.values():
        for module, tests in modules.items():
            assert source_of(module).is_file(), module
            assert tests
            assert all((PROJECT / test.partition("::")[0]).is_file() for test in tests), module
