"""The compose files are valid, and say nothing that the commands and settings do not know."""

import importlib.resources
import json
import os
import re
import shlex

import jsonschema
import pytest
import yaml

from tests.house.commands import assert_understood
from tests.house.house import ROOT
from tests.kafka import broker
from vcd import __version__
from vcd.config import Settings, load_settings

_BASE = "docker-compose.yml"
_GPU = "docker-compose.gpu.yml"
_ONE_SHOTS = {"topics", "demo-producer"}
_OWN_IMAGE = f"vcd:{__version__}"
_OTHER_VARIABLES = {"VCD_CACHE"}
"""Of ours, and no settings."""


def _read(name):
    return yaml.safe_load((ROOT / name).read_text())


def _services():
    return _read(_BASE)["services"]


def _own_services():
    return {name: one for name, one in _services().items() if one["image"] == _OWN_IMAGE}


def _workers():
    return {
        name for name, one in _own_services().items() if one.get("command", [""])[0] == "worker"
    }


def _mounts():
    """Every (service, volume or path, folder in the container, whether read-only)."""
    for name, service in _services().items():
        for mount in service.get("volumes", []):
            origin, target, *options = mount.split(":")
            yield name, origin, target, "ro" in options


def _command_lines():
    """Every ``vcd`` command of the file, without the ``vcd``."""
    for name, service in _own_services().items():
        if "entrypoint" not in service:
            yield pytest.param(service["command"], id=name)
            continue
        (script,) = service["command"]
        for line in re.split(r"\n|&&|\|\|", script):
            words = shlex.split(line)
            if "vcd" in words[:2]:
                yield pytest.param(words[words.index("vcd") + 1 :], id=f"{name}: {line.strip()}")


@pytest.mark.parametrize("name", [_BASE, _GPU])
def test_the_file_keeps_the_published_schema(name):
    folder = importlib.resources.files("check_jsonschema").joinpath("builtin_schemas/vendor")
    schema = json.loads(folder.joinpath("compose-spec.json").read_text())

    jsonschema.validate(_read(name), schema)


def test_there_are_a_broker_two_workers_a_producer_and_those_who_watch():
    assert len(_workers()) == 2
    assert {"kafka", "demo-producer", "prometheus", "grafana", *_ONE_SHOTS} <= set(_services())


@pytest.mark.parametrize("service", sorted(_services()))
def test_an_image_is_pinned_to_a_version(service):
    name, _, tag = _services()[service]["image"].rpartition(":")

    assert name
    assert re.search(r"\d+\.\d+", tag)


def test_the_broker_is_the_one_that_the_tests_run():
    assert _services()["kafka"]["image"] == f"apache/kafka:{broker.VERSION}"


@pytest.mark.parametrize("service", sorted(set(_services()) - _ONE_SHOTS))
def test_what_goes_on_running_says_whether_it_is_well_and_is_started_again(service):
    assert _services()[service]["healthcheck"]["test"]
    assert _services()[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", sorted(_services()))
def test_a_service_waits_for_what_it_needs(service):
    waits_for = _services()[service].get("depends_on", {})

    for other, how in waits_for.items():
        if other in _ONE_SHOTS:
            assert how["condition"] == "service_completed_successfully"
        else:
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in _services()[other]
    if service in {*_workers(), "demo-producer"}:
        assert set(waits_for) == {"kafka", "topics"}


def test_every_volume_is_declared_and_used():
    named = {origin for _, origin, _, _ in _mounts() if not origin.startswith(".")}

    assert named == set(_read(_BASE)["volumes"])


def test_every_file_that_is_handed_in_is_there_and_cannot_be_written():
    own = [(origin, is_ro) for _, origin, _, is_ro in _mounts() if origin.startswith(".")]

    assert own
    assert [origin for origin, is_ro in own if not is_ro or not (ROOT / origin).is_dir()] == []


def test_a_worker_has_an_index_of_its_own_and_only_reads_what_is_shared():
    shared = [
        (origin, target, is_ro)
        for name, origin, target, is_ro in _mounts()
        if name in _workers() and not origin.startswith("index")
    ]
    indexes = [
        origin
        for name, origin, target, is_ro in _mounts()
        if name in _workers() and (target, is_ro) == ("/var/lib/vcd/index", False)
    ]

    assert len(set(indexes)) == len(_workers())
    assert {origin for origin, _, _ in shared} == {"descriptors", "uploads"}
    assert all(is_ro for _, _, is_ro in shared)


def test_every_port_is_for_this_machine_alone():
    ports = [port for service in _services().values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", [_BASE, _GPU])
def test_there_is_no_secret_in_the_file(name):
    text = (ROOT / name).read_text()

    assert re.findall(r"(?i)\w*(?:password|secret|token|passwd)\w*\s*[:=]\s*\S+", text) == []


@pytest.mark.parametrize("words", list(_command_lines()))
def test_every_command_is_one_that_vcd_understands(words, monkeypatch):
    assert_understood(words, monkeypatch)


def test_all_commands_speak_of_the_broker_that_is_there():
    logs = {
        words[words.index("--log") + 1]
        for (words,) in (param.values for param in _command_lines())
        if "--log" in words
    }

    assert logs == {"kafka:kafka:19092"}
    assert "PLAINTEXT://kafka:19092" in str(_services()["kafka"]["environment"])


def _environments():
    for name in (_BASE, _GPU):
        for service, one in _read(name)["services"].items():
            ours = {
                key: value
                for key, value in one.get("environment", {}).items()
                if key.startswith("VCD_")
            }
            if ours:
                yield pytest.param(ours, id=f"{name} {service}")


@pytest.mark.parametrize("variables", list(_environments()))
def test_every_variable_is_a_setting_and_changes_it(variables, monkeypatch):
    for name in list(os.environ):
        if name.startswith("VCD_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    settings = load_settings(None, {})

    assert [name for name in variables if "__" not in name and name not in _OTHER_VARIABLES] == []
    for name in variables:
        room, _, key = name.removeprefix("VCD_").lower().partition("__")
        chosen = getattr(getattr(settings, room), key)
        assert chosen != getattr(getattr(Settings(), room), key)


def test_a_worker_has_time_to_finish_before_it_is_killed():
    for name in _workers():
        period_s = float(_services()[name]["stop_grace_period"].removesuffix("s"))

        assert period_s >= Settings().stream.grace_s + 10


def test_prometheus_asks_every_worker_where_it_answers():
    scraped = _read("deploy/prometheus/prometheus.yml")["scrape_configs"]
    (targets,) = [
        one["static_configs"][0]["targets"] for one in scraped if one["job_name"] == "vcd"
    ]
    ports = {
        _services()[name]["environment"]["VCD_STREAM__METRICS_ADDRESS"].rpartition(":")[2]
        for name in _workers()
    }

    assert sorted(targets) == sorted(f"{name}:{port}" for name in _workers() for port in ports)
    for name in _workers():
        assert f":{ports.copy().pop()}/readyz" in " ".join(_services()[name]["healthcheck"]["test"])


def test_grafana_finds_its_dashboard_and_its_data():
    targets = {origin: target for name, origin, target, _ in _mounts() if name == "grafana"}
    (provider,) = _read("deploy/grafana/provisioning/dashboards/vcd.yml")["providers"]
    (data,) = _read("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    home = _services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert provider["options"]["path"] == targets["./deploy/grafana/dashboards"]
    assert home == f"{provider['options']['path']}/vcd.json"
    assert targets["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert data["url"] == "http://prometheus:9090"


def test_the_gpu_file_adds_a_gpu_to_the_workers_and_nothing_else():
    services = _read(_GPU)["services"]

    assert set(services) == _workers()
    for service in services.values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]
        assert set(service) == {"environment", "deploy"}


def test_the_image_is_built_for_a_user_without_rights_from_files_that_are_there():
    text = (ROOT / "Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", text).splitlines()
    copied = [line.split()[1:-1] for line in lines if re.match(r"COPY (?!--)", line)]
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    mounted = {target for name, _, target, _ in _mounts() if name in _own_services()}

    assert [name for names in copied for name in names if not (ROOT / name).exists()] == []
    assert [name for names in copied for name in names if f"!{name}" not in let_in] == []
    assert [line for line in lines if line.startswith("USER ")] == ["USER vcd"]
    assert "--constraint constraints.txt" in text
    assert re.findall(r"https?://\S+", text) == []
    assert mounted <= set(text.split())


def test_the_image_has_the_python_that_the_tests_run_on():
    images = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)

    assert {re.sub(r":3\.1[1-3]-slim-\w+$", "", name) for name in images} == {"python"}
