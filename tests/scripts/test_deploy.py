"""What deploy/ ships founds a network, fits together, and keeps to what it promises."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
NAMES = ("ada", "grace", "alan", "barbara")


def _yaml(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    return content


def _found(directory: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        [DEPLOY / "found-network", directory],
        check=True,
        capture_output=True,
        env=os.environ | {"PATH": path},
        timeout=600,
    )


def test_a_network_of_four_is_founded_once_with_one_genesis_and_private_directories(
    tmp_path: Path,
) -> None:
    _found(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    _found(tmp_path)
    assert {path: path.read_bytes() for path in before} == before, "the second time changes nothing"
    genesis = (tmp_path / "genesis.json").read_text()
    ports = set()
    for name in NAMES:
        home = tmp_path / name
        assert (home / "genesis.json").read_text() == genesis
        assert home.stat().st_mode & 0o777 == 0o700
        cell = yaml.safe_load((home / "config.yaml").read_text())["cell"]
        assert cell["name"] == name
        assert len(cell["bootstrap"]) == len(NAMES)
        ports |= {cell["listen"][0], cell["gateway_port"]}
    assert len(ports) == 2 * len(NAMES)


def test_the_containers_are_shut_off_and_nothing_is_published() -> None:
    services = _yaml("compose.yaml")["services"]
    assert set(services) == {"founder", *NAMES, "prometheus", "grafana"}
    for name, service in services.items():
        assert "ports" not in service, name
        assert "privileged" not in service, name
    for name in (*NAMES, "founder"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
    homes = {services[name]["environment"]["MYCELD_HOME"] for name in NAMES}
    assert homes == {f"/var/lib/myceld/{name}" for name in NAMES}
    assert "127.0.0.1" in services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"]
    assert any("127.0.0.1" in word for word in services["prometheus"]["command"])


def test_every_file_that_the_containers_are_given_is_here() -> None:
    for service in _yaml("compose.yaml")["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
    (founder,) = _yaml("compose.yaml")["services"]["founder"]["entrypoint"]
    assert f"found-network {founder}" in (ROOT / "Dockerfile").read_text()


def test_prometheus_asks_each_cell_where_the_network_was_founded() -> None:
    jobs = _yaml("prometheus/compose.yml")["scrape_configs"]
    asked = {
        config["labels"]["cell"]: target
        for job in jobs
        for config in job["static_configs"]
        for target in config["targets"]
    }
    assert asked == {name: f"127.0.0.1:{8711 + at}" for at, name in enumerate(NAMES)}
    for job in [*jobs, *_yaml("prometheus/prometheus.yml")["scrape_configs"]]:
        assert job["metrics_path"] == "/api/v1/metrics"
        assert all(one["labels"].get("job", "myceld") == "myceld" for one in job["static_configs"])


def test_the_image_runs_without_root_and_says_how_it_is() -> None:
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    last = stages[-1]
    assert len(stages) == 3  # the comment, what builds, what runs
    assert re.search(r"^USER myceld$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert "gcc" not in last


def test_the_service_may_do_little_and_ends_by_the_signal_that_a_cell_knows() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells capitals apart
    unit.read(DEPLOY / "systemd" / "myceld.service")
    service = dict(unit["Service"])
    assert service["User"] == "myceld"
    for name in ("NoNewPrivileges", "PrivateDevices", "MemoryDenyWriteExecute", "ProtectHome"):
        assert service[name] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["KillSignal"] == "SIGTERM"
    assert service["ExecStart"].endswith("/bin/myceld run --log-json")
