"""`vedit nle`: which files go where, and that a user's own are neither replaced nor removed."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from vedit.cli import main
from vedit.errors import InputError
from vedit.nle.looks import parse_looks
from vedit.nle_hosts.install import install, installed, uninstall, vedit_command
from vedit.nle_hosts.launch import RECORD, find_vedit
from vedit.nle_hosts.places import HOSTS, Computer, Place, places
from vedit.nle_hosts.resolve import read_settings
from vedit.nle_hosts.single_file import single_file

SCRIPTS = {"blender": "bpy", "resolve": "DaVinciResolveScript", "timeline_file": ""}


def computer(home: Path, system: str = "linux", **environ: str) -> Computer:
    return Computer(system=system, home=home, environ=environ)


@pytest.mark.parametrize(
    ("host", "system", "folder"),
    [
        ("resolve", "linux", ".local/share/DaVinciResolve/Fusion/Scripts/Utility"),
        (
            "resolve",
            "darwin",
            "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts/Utility",
        ),
        (
            "resolve",
            "win32",
            "AppData/Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion/Scripts/Utility",
        ),
        ("kdenlive", "linux", ".local/share/vedit/nle/kdenlive"),
        ("final-cut", "darwin", "Library/Application Support/vedit/nle/final-cut"),
        ("premiere", "win32", "AppData/Local/vedit/nle/premiere"),
    ],
)
def test_folders(tmp_path: Path, host: str, system: str, folder: str) -> None:
    (place,) = places(host, computer(tmp_path, system))
    assert place.folder == tmp_path / folder


@pytest.mark.parametrize(
    ("system", "base"),
    [
        ("linux", ".config/blender"),
        ("darwin", "Library/Application Support/Blender"),
        ("win32", "AppData/Roaming/Blender Foundation/Blender"),
    ],
)
def test_blender_gets_an_addon_or_an_extension_for_each_version(tmp_path: Path, system: str, base: str) -> None:
    with pytest.raises(InputError, match="start Blender once"):
        places("blender", computer(tmp_path, system))
    for name in ("2.93", "3.3", "3.4", "4.1", "4.2", "5.10", "cache"):
        (tmp_path / base / name).mkdir(parents=True)
    found = [
        place.folder.relative_to(tmp_path / base).as_posix() for place in places("blender", computer(tmp_path, system))
    ]
    assert found == [
        "3.4/scripts/addons/vedit_restyle",
        "4.1/scripts/addons/vedit_restyle",
        "4.2/extensions/user_default/vedit_restyle",
        "5.10/extensions/user_default/vedit_restyle",
    ]


def test_variables_move_the_folders(tmp_path: Path) -> None:
    told = computer(tmp_path, XDG_DATA_HOME=str(tmp_path / "data"), XDG_CONFIG_HOME=str(tmp_path / "conf"))
    assert places("kdenlive", told)[0].folder == tmp_path / "data/vedit/nle/kdenlive"
    (tmp_path / "conf/blender/4.5").mkdir(parents=True)
    assert places("blender", told)[0].folder.is_relative_to(tmp_path / "conf/blender/4.5")
    roaming = computer(tmp_path, "win32", APPDATA=str(tmp_path / "R"))
    assert places("resolve", roaming)[0].folder.is_relative_to(tmp_path / "R")


@pytest.fixture(params=HOSTS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    (tmp_path / ".config/blender/3.4").mkdir(parents=True)
    return places(request.param, computer(tmp_path))[0]


@pytest.fixture
def command(tmp_path: Path) -> Path:
    path = tmp_path / "vedit"
    path.touch()
    return path


def test_what_is_installed_is_removed_and_nothing_else(
    place: Place, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VEDIT_EXECUTABLE", raising=False)
    place.folder.mkdir(parents=True)
    (place.folder / "own.py").write_text("mine", "utf-8")
    assert installed(place).vedit == ""
    done = install(place, command)
    assert set(done.written) == {file.name for file in place.files}
    assert find_vedit([place.folder]) == str(command)
    assert installed(place).vedit == str(command)
    assert install(place, command).written == done.written, "again is no fault"
    assert set(uninstall(place).removed) == set(done.written)
    assert [path.name for path in place.folder.iterdir()] == ["own.py"]
    with pytest.raises(InputError, match="nothing of vedit is installed"):
        uninstall(place)


def test_a_folder_of_its_own_goes_too(place: Place, command: Path) -> None:
    install(place, command)
    compiled = place.folder / "__pycache__" / "__init__.cpython-310.pyc"
    compiled.parent.mkdir()
    compiled.touch()
    uninstall(place)
    assert place.folder.exists() is not place.own


def test_a_changed_script_is_neither_replaced_nor_removed(place: Place, command: Path) -> None:
    install(place, command)
    script = place.folder / place.files[0].name
    script.write_text("# mine", "utf-8")
    with pytest.raises(InputError, match="--overwrite"):
        install(place, command)
    assert script.read_text("utf-8") == "# mine"
    assert installed(place).kept == (script.name,)
    assert uninstall(place).kept == (script.name,)
    assert script.read_text("utf-8") == "# mine"
    with pytest.raises(InputError, match="is not as vedit installed it"):
        install(place, command)
    assert not (place.folder / RECORD).exists(), "nothing is written where one file must not be"
    install(place, command, overwrite=True)
    assert script.read_text("utf-8") != "# mine"


def test_changed_settings_are_kept(tmp_path: Path, command: Path) -> None:
    (place,) = places("resolve", computer(tmp_path))
    install(place, command)
    settings = place.folder / "vedit-resolve.json"
    settings.write_text('{"prompt": "ink"}', "utf-8")
    done = install(place, command)
    assert (done.kept, settings.read_text("utf-8")) == (("vedit-resolve.json",), '{"prompt": "ink"}')
    assert uninstall(place).kept == ("vedit-resolve.json",)


def test_an_older_version_is_replaced(tmp_path: Path, command: Path) -> None:
    (place,) = places("resolve", computer(tmp_path))
    install(place, command)
    script, record = place.folder / "vedit_restyle.py", place.folder / RECORD
    script.write_bytes(b"# of an older vedit")
    told = json.loads(record.read_text("utf-8"))
    told["files"]["vedit_restyle.py"] = hashlib.sha256(b"# of an older vedit").hexdigest()
    record.write_text(json.dumps(told), "utf-8")
    assert "vedit_restyle.py" in install(place, command).written
    assert b"# of an older vedit" not in script.read_bytes()


def test_a_forged_record_removes_nothing_elsewhere(tmp_path: Path, command: Path) -> None:
    (place,) = places("resolve", computer(tmp_path))
    install(place, command)
    victim = place.folder.parent / "victim"
    victim.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (place.folder / RECORD).write_text(json.dumps({"vedit": "x", "files": {"../victim": empty, "a": 3}}), "utf-8")
    uninstall(place)
    assert victim.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_is_not_written_through(tmp_path: Path, command: Path) -> None:
    (place,) = places("resolve", computer(tmp_path))
    target = tmp_path / "target"
    target.write_text("mine", "utf-8")
    place.folder.mkdir(parents=True)
    (place.folder / "vedit_restyle.py").symlink_to(target)
    with pytest.raises(InputError):
        install(place, command)
    install(place, command, overwrite=True)
    assert target.read_text("utf-8") == "mine"


def test_the_command_that_is_recorded(tmp_path: Path, command: Path) -> None:
    assert vedit_command(command) == command
    assert vedit_command().name.startswith("vedit")
    with pytest.raises(InputError, match="--vedit"):
        vedit_command(tmp_path / "gone")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_one_file_for_old_pythons_with_the_standard_library_alone(name: str) -> None:
    tree = ast.parse(single_file(name), feature_version=(3, 8))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split(".")[0] for module in modules} <= sys.stdlib_module_names
    named = {
        str(argument.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("import_module", "__import__")
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }
    assert named == {SCRIPTS[name]} - {""}
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    defined += [t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)]
    assert len(defined) == len(set(defined)), "two modules use one name"


def test_the_record_of_blenders_two_forms_agree() -> None:
    tree = ast.parse(single_file("blender"))
    value = next(n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "bl_info")
    info = ast.literal_eval(value)
    manifest = tomllib.loads((Path(__file__).parents[2] / "vedit/nle_hosts/blender_manifest.toml").read_text("utf-8"))
    required = {
        "schema_version",
        "id",
        "version",
        "name",
        "tagline",
        "maintainer",
        "type",
        "blender_version_min",
        "license",
    }
    assert required <= set(manifest)
    assert (manifest["schema_version"], manifest["type"]) == ("1.0.0", "add-on")
    assert manifest["id"].isidentifier()
    assert manifest["tagline"][-1].isalnum() and len(manifest["tagline"]) <= 64
    assert all(len(text) <= 64 and text[-1].isalnum() for text in manifest["permissions"].values())
    assert all(licence.startswith("SPDX:") for licence in manifest["license"])
    assert (info["name"], ".".join(map(str, info["version"]))) == (manifest["name"], manifest["version"])
    assert info["blender"] == (3, 4, 0)


def test_what_is_there_to_be_changed_is_valid(tmp_path: Path, command: Path) -> None:
    (kdenlive,), (resolve,) = (places(host, computer(tmp_path)) for host in ("kdenlive", "resolve"))
    install(kdenlive, command)
    looks = (kdenlive.folder / "looks.toml").read_text("utf-8")
    assert parse_looks(looks).rules == ()
    written_out = re.sub(r"(?m)^# (?=[\[\w]+( =|\]))", "", looks)
    (rule,) = parse_looks(written_out).rules
    assert rule.look.settings["prompt"] == "ink drawing"
    install(resolve, command)
    assert read_settings([resolve.folder])["handles"] == 8


def test_installed_resolve_script_says_where_it_belongs(tmp_path: Path, command: Path) -> None:
    (place,) = places("resolve", computer(tmp_path))
    install(place, command)
    script = place.folder / "vedit_restyle.py"
    done = subprocess.run([sys.executable, "-S", "-E", str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == "vedit: run this from Resolve: Workspace > Scripts\n", done.stderr


def test_the_wheel_holds_every_file() -> None:
    root = Path(__file__).parents[2]
    setuptools = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folder = root / "vedit" / "nle_hosts"
    shipped = {path for pattern in setuptools["package-data"]["vedit.nle_hosts"] for path in folder.glob(pattern)}
    assert shipped == {path for path in folder.iterdir() if path.is_file() and path.suffix != ".py"}
    assert "vedit.nle_hosts" in setuptools["packages"]


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def vedit(*words: str) -> str:
        assert main(["nle", *words], standalone_mode=False) == 0
        return capsys.readouterr().out

    folder = ("--folder", str(tmp_path / "scripts"))
    assert vedit("where", "resolve", *folder).split() == [str(tmp_path / "scripts")]
    told = json.loads(vedit("install", "resolve", *folder, "--json"))
    assert told["places"][0]["written"] == ["vedit_restyle.py", "vedit-resolve.json"]
    assert "removed vedit_restyle.py" in vedit("uninstall", "resolve", *folder)
    assert {entry["host"] for entry in json.loads(vedit("list", "--json"))["hosts"]} == set(HOSTS)
    assert main(["nle", "uninstall", "resolve", *folder], standalone_mode=False) == 2
    assert "vedit nle list" in capsys.readouterr().err
    assert main(["nle", "install", "avid"], standalone_mode=False) == 2
