"""What mount(8) says to its helper, and what `datomfs mount` is told then; tests/kernel has it for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cli.fstab import parse_request
from datomfs.errors import ConfigInvalid

PLACE = ("datomfs", "/mnt/datom")


def arguments(options: str, *flags: str) -> list[str]:
    """What `datomfs mount` is told for some mount options."""
    return list(parse_request([*PLACE, *flags, "-o", options]).arguments)


def test_the_line_of_the_manual_is_understood() -> None:
    # As mount(8) of util-linux 2.38 hands it over: noauto and x-* are gone, the rest stands.
    request = parse_request([*PLACE, "-o", "ro,config=/etc/datomfs.toml,allow_other,_netdev,nofail"])
    assert ["--config=/etc/datomfs.toml", "--allow-other"] == request.arguments
    assert (Path("/mnt/datom"), False, False) == (request.mountpoint, request.is_fake, request.is_verbose)


@pytest.mark.parametrize(
    ("option", "argument"),
    [
        ("config=/etc/d.toml", "--config=/etc/d.toml"),
        ("store=s3://bucket/prefix", "--store=s3://bucket/prefix"),
        ("project=STUDY_001", "--project=STUDY_001"),
        ("repo=git@host:acme/data.git", "--repo=git@host:acme/data.git"),
        ("gov_repo=https://host/gov.git?a=b", "--gov-repo=https://host/gov.git?a=b"),
        ("gov_store=/data/gov", "--gov-store=/data/gov"),
        ("allow_root=/data", "--allow-root=/data"),
        ("cache_dir=/var/cache/datomfs", "--cache-dir=/var/cache/datomfs"),
        ("cache_size=200GiB", "--cache-size=200GiB"),
        ("refresh=5", "--refresh=5"),
        ("verify=deferred", "--verify=deferred"),
        ("list_versions", "--list-versions"),
        ("allow_other", "--allow-other"),
        ("log_file=/var/log/datomfs.log", "--log-file=/var/log/datomfs.log"),
        ("pid_file=/run/datomfs.pid", "--pid-file=/run/datomfs.pid"),
        ("metrics_file=/m/datomfs.prom", "--metrics-file=/m/datomfs.prom"),
        ("lock=/etc/analysis.lock", "--lock=/etc/analysis.lock"),
    ],
)
def test_every_option_of_a_mount_has_its_name(option: str, argument: str) -> None:
    assert [argument] == arguments(option)
    assert [argument] == arguments(f"ro,{option},nofail")


def test_options_may_be_repeated_and_keep_their_order() -> None:
    assert ["--allow-root=/a b", "--allow-root=/c"] == arguments("allow_root=/a b,rw,allow_root=/c")
    several = parse_request([*PLACE, "-o", "allow_root=/a", "-o", "allow_root=/b"])
    assert ["--allow-root=/a", "--allow-root=/b"] == several.arguments


def test_a_comma_in_quotes_belongs_to_the_value() -> None:
    assert ["--config=/etc/a,b.toml", "--allow-other"] == arguments('config="/etc/a,b.toml",allow_other')


@pytest.mark.parametrize(
    "option",
    [
        "ro", "rw", "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "user=dana", "nofail",
        "_netdev", "dev", "nodev", "suid", "nosuid", "exec", "noexec", "sync", "async", "atime", "noatime",
        "relatime", "comment=what for", "x-systemd.automount", "x-systemd.idle-timeout=60", "X-mount.mkdir", "", ",,",
    ],
)  # fmt: skip
def test_what_is_for_mount_itself_or_for_systemd_is_passed_over(option: str) -> None:
    assert ["--allow-other"] == arguments(f"{option},allow_other")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("foreground", "mount option foreground: it is unknown; known are allow_other, allow_root, cache_dir"),
        ("quiet", "mount option quiet: it is unknown"),
        ("remount", "mount option remount: it is unknown"),
        ("configs=/etc/x", "mount option configs: it is unknown"),
        ("config", "mount option config: write config=VALUE"),
        ("config=", "mount option config: write config=VALUE"),
        ("allow_root", "mount option allow_root: write allow_root=VALUE"),
        ("allow_other=yes", "mount option allow_other: it takes no value"),
        ("ro=1", "mount option ro: it is unknown"),
        ("help", "mount option help: it is unknown"),
    ],
)
def test_what_cannot_be_meant_is_refused(option: str, words: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        arguments(f"allow_other,{option}")
    assert caught.value.what.startswith(words)


def test_a_sloppy_call_passes_over_what_is_unknown_but_not_over_what_is_wrong() -> None:
    assert ["--allow-other"] == arguments("configs=/etc/x,allow_other,intr", "-s")
    with pytest.raises(ConfigInvalid, match="write config=VALUE"):
        arguments("config", "-s")


def test_flags_of_mount_are_known_wherever_they_stand() -> None:
    request = parse_request(["-n", *PLACE, "-sfv", "-t", "fuse.datomfs", "-o", "ro"])
    assert (True, True, []) == (request.is_fake, request.is_verbose, request.arguments)


def test_a_source_that_mount_took_for_a_file_of_that_name_is_the_source() -> None:
    assert Path("/mnt/datom") == parse_request(["/home/dana/datomfs", "/mnt/datom"]).mountpoint


@pytest.mark.parametrize(
    "given", [[], ["datomfs"], ["datomfs", "/a", "/b"], ["s3://x", "/mnt"], [*PLACE, "-q"], [*PLACE, "-o"]]
)
def test_another_call_than_mounts_is_refused(given: list[str]) -> None:
    with pytest.raises(ConfigInvalid):
        parse_request(given)


@given(st.text(alphabet='abc_=,"/ \\\nxX-', max_size=40))
def test_whatever_stands_in_fstab_is_arguments_or_a_refusal(options: str) -> None:
    try:
        parsed = arguments(options)
    except ConfigInvalid:
        return
    assert all(argument.startswith("--") for argument in parsed)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ("configs=/etc/x", 1, "mount option configs: it is unknown"),
        ("verify=perhaps", 1, "'perhaps' is not one of"),
        ("project=STUDY_001", 1, "give both"),
        ("store=/nowhere/at/all,project=STUDY_001", 32, "does not exist"),
    ],
)
def test_failures_have_the_exit_codes_of_mount(tmp_path: Path, options: str, code: int, words: str) -> None:
    program = Path(sys.executable).with_name("mount.fuse.datomfs")
    command = [program, "datomfs", tmp_path, "-o", options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (code, "") == (done.returncode, done.stdout)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_to_pretend_is_to_do_nothing() -> None:
    program = Path(sys.executable).with_name("mount.fuse.datomfs")
    done = subprocess.run([program, *PLACE, "-f", "-o", "ro"], capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
