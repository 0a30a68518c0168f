"""What the code of the product does not do: S15, H11."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "plugins" / "iterable_sync"
FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if "sandbox" not in path.relative_to(PACKAGE).parts
)

# What runs, or turns bytes into, code; or sends elsewhere than the client does.
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
FORBIDDEN_MODULES = {
    "code",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "pickle",
    "shelve",
    "subprocess",
    "yaml",
    "http.client",
    "netrc",
    "telnetlib",
}
# By these alone something of the network is imported.
NETWORK = {
    "answers.py": {"requests"},
    "client.py": {"requests", "urllib3"},
    "wire.py": {"http", "requests", "socket", "ssl", "urllib3"},
}


def found_in(tree: ast.AST) -> list[str]:
    """Give what a file must not do."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func) if ast.unparse(func) in FORBIDDEN_CALLS:
                found.append(f"{ast.unparse(func)}()")
            case ast.Import(names=names):
                found += [one.name for one in names if one.name in FORBIDDEN_MODULES]
            case ast.ImportFrom(module=str(module), level=0):
                # http.client's names of errors are no connection.
                names = {one.name for one in node.names}
                is_harmless = names <= {"HTTPException", "HTTPResponse"}
                found += [module] if module in FORBIDDEN_MODULES and not is_harmless else []
            case ast.keyword(arg="verify", value=ast.Constant(value=False | None)):
                found.append("verify=False")
            case ast.Attribute(attr="CERT_NONE" | "_create_unverified_context") as attribute:
                found.append(ast.unparse(attribute))
            case ast.Assign(targets=[ast.Attribute(attr="check_hostname" | "verify")]):
                found.append(ast.unparse(node))
            case ast.Call(func=ast.Attribute(attr="disable_warnings")):
                found.append("disable_warnings()")
            case _:
                pass
    return found


@pytest.mark.failure("H11", "S15")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_runs_data_as_code_or_trusts_a_certificate_unseen(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))

    assert [] == found_in(tree)


@pytest.mark.parametrize(
    "code",
    [
        "eval(x)",
        "exec(x)",
        "import pickle",
        "from pickle import loads",
        "def f():\n    import yaml",
        "from http.client import HTTPConnection",
        "requests.get(u, verify=False)",
        "context.check_hostname = False",
        "context.verify_mode = ssl.CERT_NONE",
        "session.verify = False",
        "urllib3.disable_warnings()",
        "os.system(x)",
    ],
)
def test_the_check_finds_it(code: str):
    assert found_in(ast.parse(code))


def test_only_the_client_speaks_to_the_network():
    """One door: what is proved of it is proved of all."""
    known = {
        "aiohttp",
        "httpx",
        "requests",
        "socket",
        "ssl",
        "urllib3",
        "http",
        "ftplib",
        "smtplib",
    }
    found: dict[str, set[str]] = {}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    modules = {one.name.partition(".")[0] for one in names}
                case ast.ImportFrom(module=str(module), level=0):
                    modules = {module.partition(".")[0]}
                case _:
                    continue
            if both := modules & known:
                found.setdefault(str(path.relative_to(PACKAGE)), set()).update(both)

    assert NETWORK == {
        name: modules for name, modules in found.items() if modules != {"socket"} or name in NETWORK
    }
