"""The shape of the code: which way imports point, what is never imported or called, and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Low to high: a package, or a file of the root, imports from itself and from what stands before it.
LAYERS = (
    *(
        "errors",
        "checks",
        "thumbnail",
        "control_spec",
        "types",
        "ranges",
        "latent_shape",
        "protocols",
        "geometry",
        "memory",
        "threads",
    ),
    *("progress", "media", "registry", "weights", "options", "display"),
    *("shots", "flow", "embedded", "store", "diffusion", "finishing", "keyframes"),
    *("models", "preprocessors", "masks", "control_maps", "pipelines"),
    *("sample_clip", "doctor"),
    *("render", "evaluation", "testing", "edits", "gallery", "session", "api"),
    *("nle", "nle_hosts", "cli", "__main__"),
)
RANK = {name: rank for rank, name in enumerate(LAYERS)}
ROOT_MODULE = "__init__"
# The root names where each public name lives, and the registry where each entry does: both load them when asked.
LAZY_HOMES = {ROOT_MODULE, "registry"}

NETWORK_MODULES = {
    "socket",
    "urllib",
    "http",
    "requests",
    "httpx",
    "httpx2",
    "aiohttp",
    "ftplib",
    "smtplib",
    "websockets",
}
PICKLE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
HUB_NAMES = {"hf_hub_download", "snapshot_download", "huggingface_hub", "http_get", "http_stream_backoff"}
FETCHING = {"vedit.weights.hub", "vedit.weights.large_files"}
HEAVY = {"torch", "diffusers", "transformers", "kornia", "cv2", "av"}
SHELL_CALLS = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput"), ("subprocess", "getstatusoutput")}


def module_files() -> list[tuple[str, Path]]:
    """Every module of the package by its dotted name, the two top-level folders under their real names."""
    packages = {"vedit": "vedit", "pipelines": "vedit.pipelines", "preprocessors": "vedit.preprocessors"}
    return [found for folder, package in packages.items() for found in _modules(ROOT / folder, package)]


def _modules(folder: Path, package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if folder.name == "vedit" and parts[0] in ("pipelines", "preprocessors"):
            continue  # the links for type checkers; their files are listed under the real folders
        named = parts[:-1] if parts[-1] == "__init__" else parts
        yield ".".join((package, *named)), path


FILES = module_files()
PYTHON_FILES = sorted(
    path
    for folder in ("vedit", "pipelines", "preprocessors", "tests", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if not any(part.is_symlink() for part in path.parents)
)


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def top(module: str) -> str:
    """`vedit.media.reading.read` -> media; the root package -> __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ROOT_MODULE


def rank(name: str) -> int:
    return -1 if name == ROOT_MODULE else RANK[name]


def own_imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module of vedit that the code imports, at any depth, by statement or by `import_module` of a literal."""
    known = {name for name, _ in FILES}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name.split(".")[0] == "vedit")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "vedit":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in known else node.module), node.lineno
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__") and node.args:
            target = node.args[0]
            if isinstance(target, ast.Constant) and str(target.value).startswith("vedit"):
                yield str(target.value), node.lineno


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The first part of every absolute import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0], node.lineno


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def test_every_module_has_a_layer() -> None:
    unplaced = {top(module) for module, _ in FILES} - set(RANK) - {ROOT_MODULE}
    assert not unplaced, f"place {sorted(unplaced)} in LAYERS"


def test_imports_point_one_way() -> None:
    upward = [
        f"{by_name(path)}:{line} imports {target}"
        for module, path in FILES
        if top(module) not in LAZY_HOMES
        for target, line in own_imports(parse(path))
        if rank(top(target)) > rank(top(module))
    ]
    assert not upward, "\n".join(upward)


def test_no_file_imports_itself_round_a_corner() -> None:
    """Tarjan's strongly connected components (1972) of the graph of imports, those for type checkers included."""
    arrows = {
        module: {target for target, _ in own_imports(parse(path)) if target != module and top(module) not in LAZY_HOMES}
        for module, path in FILES
    }
    circles = [found for found in components(arrows) if len(found) > 1]
    assert not circles, "\n".join(" -> ".join(sorted(found)) for found in circles)


def components(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of a graph: node -> where its arrows lead."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for target in sorted(arrows.get(node, ())):
            if target not in number:
                visit(target)
                lowest[node] = min(lowest[node], lowest[target])
            elif target in stack:
                lowest[node] = min(lowest[node], number[target])
        if lowest[node] == number[node]:
            place = stack.index(node)
            found.append(stack[place:])
            del stack[place:]

    for node in sorted(arrows):
        if node not in number:
            visit(node)
    return found


def test_the_search_for_circles_sees() -> None:
    arrows = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set[str](), "e": {"d"}}
    assert sorted(map(sorted, components(arrows))) == [["a", "b", "c"], ["d"], ["e"]]


def test_tests_lie_in_rooms() -> None:
    flat = {path.name for path in (ROOT / "tests").glob("*.py")} - {"conftest.py"}
    assert not flat, f"put {sorted(flat)} beside the tests of what they test"


def test_the_root_loads_lazily() -> None:
    body = parse(ROOT / "vedit" / "__init__.py").body
    eager = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {node.module for node in eager if isinstance(node, ast.ImportFrom)} <= {"__future__", "importlib", "typing"}
    assert not [node for node in eager if isinstance(node, ast.Import)]


def test_files_are_short_and_imports_are_absolute() -> None:
    long = [by_name(path) for path in PYTHON_FILES if len(path.read_text("utf-8").splitlines()) > 400]
    assert not long, f"over 400 lines: {long}"
    relative = [
        f"{by_name(path)}:{node.lineno}"
        for path in PYTHON_FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, f"relative imports: {relative}"


def test_nothing_unsafe() -> None:
    faults = [fault for module, path in FILES for fault in unsafe_in(module, path)]
    assert not faults, "\n".join(faults)


def unsafe_in(module: str, path: Path) -> list[str]:
    """What is unsafe in a file, by line."""
    tree = parse(path)
    faults = [
        f"{by_name(path)}:{line} imports {name}"
        for name, line in imported_modules(tree)
        if name in NETWORK_MODULES | PICKLE_MODULES
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            faults += [f"{by_name(path)}:{node.lineno} {fault}" for fault in unsafe_call(node)]
        # These two alone may reach for a hub, and only because a user asked for it.
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in HUB_NAMES and module not in FETCHING:
            faults.append(f"{by_name(path)} uses {name}")
    return faults


def unsafe_call(node: ast.Call) -> Iterator[str]:
    """What is wrong with a call: code from data, a shell, or a pickle."""
    owner = node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
    name = _called(node)
    if (
        (owner, name) in SHELL_CALLS
        or (owner, name) == ("torch", "load")
        or (isinstance(node.func, ast.Name) and name in ("eval", "exec"))
    ):
        yield f"calls {owner}.{name}".replace(" .", " ")
    if name.startswith("from_pretrained") or name == "from_single_file":
        here = [keyword.value for keyword in node.keywords if keyword.arg == "local_files_only"]
        if not any(isinstance(value, ast.Constant) and value.value is True for value in here):
            yield f"calls {name} without local_files_only"
    for keyword in node.keywords:
        on = not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        if on and keyword.arg in ("trust_remote_code", "custom_pipeline", "allow_pickle", "shell"):
            yield f"passes {keyword.arg}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("torch.load('x')", "calls torch.load"),
        ("eval('1')", "calls eval"),
        ("os.system('ls')", "calls os.system"),
        ("run('ls', shell=True)", "passes shell"),
        ("load('x', trust_remote_code=flag)", "passes trust_remote_code"),
        ("A.from_pretrained('x', local_files_only=here)", "calls from_pretrained without local_files_only"),
        ("A.from_pretrained('x', local_files_only=True)", None),
        ("model.eval()", None),
        ("pair[0].unet.eval()", None),
        ("run(['ls'], shell=False)", None),
    ],
)
def test_the_safety_check_sees(text: str, fault: str | None) -> None:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert list(unsafe_call(call)) == ([] if fault is None else [fault])


def test_torch_is_not_imported() -> None:
    """After each of these, one after the other in one process."""
    steps = (
        "import vedit; dir(vedit)",
        "import vedit.types, vedit.options.request, vedit.errors, vedit.protocols",
        "from vedit.cli import main; assert main(['--help'], standalone_mode=False) == 0",
        "assert main(['restyle', '--help'], standalone_mode=False) == 0",
        "assert main(['restyle', 'x.mp4', '--prompt', ''], standalone_mode=False) == 2",
    )
    check = f"heavy = {HEAVY} & set(sys.modules); assert not heavy, heavy"
    program = "\n".join(["import sys", *(f"{step}\n{check}" for step in steps)])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
