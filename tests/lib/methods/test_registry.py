from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.contract.documents import read_yaml
from components.contract.errors import ParameterError
from components.lib.change.nets.config import ChangeConfig
from components.lib.config.loader import load_parameters
from components.lib.methods import registry
from components.lib.methods.registry import (
    load_change,
    load_method,
    load_teacher,
    method_names,
    own_network,
    parameters_of,
)
from components.lib.nets.factory import SHARED_KINDS, network_class


def methods(repository: Path) -> list[str]:
    document = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    return list(document["methods"])


def is_change(name: str) -> bool:
    """Return True for a method of the stage `change`; these are folders."""
    return (Path(registry.__file__).parent / name).is_dir()


def test_every_change_method_has_its_modules_name_and_fits_its_section(repository: Path) -> None:
    names = [name for name in methods(repository) if is_change(name)]
    assert names == ["sgsln", "siamese_unet", "exchange_unet"]
    for name in names:
        method = load_change(name)
        assert method.name == name
        assert method.description
        assert method.parameters is parameters_of(name)
        options = method.network_options(
            load_parameters(f"methods.{name}", method.parameters, repository / "params.yaml")
        )
        assert options.keys() <= ChangeConfig.model_fields.keys()
        with pytest.raises(ParameterError, match=f"unknown method '{name}'; .* declares none"):
            load_method(name)
    with pytest.raises(ParameterError, match=r"unknown change method 'concord'; .* declares none"):
        load_change("concord")


def test_the_list_and_the_folder_agree(repository: Path) -> None:
    teachers = {"deeplabv3plus"}  # a module that declares a teacher and no method
    assert set(methods(repository)) == set(method_names()) - teachers


def test_every_method_has_its_modules_name_and_fits_its_section(repository: Path) -> None:
    for name in methods(repository):
        if is_change(name):
            continue
        method = load_method(name)
        assert method.name == name
        assert method.description
        assert method.network is None or method.kind == name
        assert issubclass(network_class(method.kind), method.network or object)
        assert method.teacher is None or load_teacher(method.teacher).kind == method.teacher
        assert ("optical" in method.layers) <= (method.teacher is not None)
        load_parameters(f"methods.{name}", method.parameters, repository / "params.yaml")


def test_a_misspelt_parameter_of_a_method_is_named(repository: Path, tmp_path: Path) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("    relation: 0.25", "    relatoin: 0.25", 1), encoding="utf-8")
    with pytest.raises(ParameterError, match=r"methods\.concord\.relatoin: .*'relation'"):
        load_parameters("methods.concord", load_method("concord").parameters, path)
    with pytest.raises(ParameterError, match=r"has no section 'methods\.concrod'.*'concord'"):
        load_parameters("methods.concrod", load_method("concord").parameters, path)


@pytest.mark.parametrize("name", ["base", "registry", "os", "..none", "__init__", "concord.METHOD", ""])
def test_only_modules_that_declare_something_are_found(name: str) -> None:
    for load in (load_method, load_teacher, load_change, parameters_of, own_network):
        with pytest.raises(ParameterError, match="unknown"):
            load(name)


def test_a_teacher_is_no_method() -> None:
    with pytest.raises(ParameterError, match=r"unknown method 'deeplabv3plus'; .*\.py declares none"):
        load_method("deeplabv3plus")


def test_a_shared_network_is_no_methods_own() -> None:
    with pytest.raises(ParameterError, match="unknown network 'concord'"):
        network_class("concord")
    assert {network_class(kind).__name__ for kind in SHARED_KINDS} == {"DeepLab", "TwoBranchNetwork"}


def test_a_methods_training_imports_no_other_method(repository: Path) -> None:
    """DVC's cache of ``distill@concord`` need not see ``hfd_reading.py``."""
    code = (
        "import sys; from components.distill import train; from components.lib.methods.registry import *; "
        "from components.lib.nets.factory import network_class; "
        "method = load_method('concord'); network_class(method.kind); network_class(method.teacher); "
        "print(*(name for name in sys.modules if name.startswith('components.')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.split()
    own = {name.rpartition(".")[2] for name in loaded if name.startswith("components.lib.methods.")}
    assert own == {"base", "registry", "concord"}
    for folder in (
        "report",
        "experiments",
        "evaluate",
        "simulation",
        "lib.report",
        "lib.geo.vectorise",
        "lib.scoring",
    ):
        assert not any(name.startswith(f"components.{folder}") for name in loaded), folder


def test_every_profile_names_every_method(repository: Path) -> None:
    """dvc.yaml depends on ``profiles.<profile>.methods.<method>``, which `dvc repro` misses late."""
    document = read_yaml(repository / "params.yaml")
    for name, profile in document["profiles"].items():
        assert set(profile["methods"]) == set(document["methods"]), name
