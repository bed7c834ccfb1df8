"""Settings: file under environment, every mistake refused where it stands, and what each project gets."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from datomfs.config import default_config_path, load_config
from datomfs.errors import ConfigInvalid, FileMissing
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def refusal(file: Path, text: str, environment: dict[str, str] | None = None) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigInvalid) as caught:
        load_config(file, environment or {})
    return str(caught.value)


# -- where settings come from --------------------------------------------------------------------------------------


def test_without_a_file_everything_has_its_default(quiet_home: Path) -> None:
    config = load_config(None, {})
    assert quiet_home / "config" / "datomfs" / "config.toml" == config.path == default_config_path()
    assert quiet_home / "cache" / "datomfs" == config.cache_path
    assert (60.0, 30.0, False) == (config.refresh_s, config.stall_s, config.list_versions)
    assert (50 << 30, 1 << 30, 128 << 20) == (config.cache_size, config.cache_min_free, config.cache_memory)
    assert (False, "strict") == (config.cache_group_readable, config.verify)
    assert S3Settings() == config.s3
    assert {} == config.projects
    assert {"default"} == {setting.origin for setting in config.settings.values()}


def test_the_default_file_is_read_where_it_is(quiet_home: Path) -> None:
    default_config_path().parent.mkdir(parents=True)
    default_config_path().write_text("[mount]\nrefresh_s = 5\n", encoding="utf-8")
    assert 5.0 == load_config(None, {}).refresh_s


def test_a_named_file_must_be_there(file: Path) -> None:
    with pytest.raises(FileMissing):
        load_config(file, {})


def test_the_environment_outweighs_the_file_and_each_value_tells_its_origin(file: Path) -> None:
    file.write_text("[mount]\nrefresh_s = 5\nstall_s = 7\n", encoding="utf-8")
    config = load_config(file, {"DATOMFS_MOUNT_REFRESH_S": "9"})
    assert (9.0, 7.0) == (config.refresh_s, config.stall_s)
    origins = {name: setting.origin for name, setting in config.settings.items()}
    assert "DATOMFS_MOUNT_REFRESH_S" == origins["mount.refresh_s"]
    assert str(file) == origins["mount.stall_s"]
    assert "default" == origins["mount.list_versions"]


def test_every_setting_has_a_variable_of_its_name(file: Path, tmp_path: Path) -> None:
    file.write_text("", encoding="utf-8")
    values = {
        "gov.repo": "https://github.com/acme/gov.git",
        "gov.store": "s3://acme-gov",
        "gov.allow_roots": "/data:/mnt/studies",
        "s3.endpoint": "http://127.0.0.1:8333",
        "s3.region": "eu-central-1",
        "s3.profile": "acme",
        "s3.addressing": "path",
        "s3.ca_bundle": "/etc/ssl/acme.pem",
        "s3.requester_pays": "true",
        "cache.path": str(tmp_path),
        "cache.size": "2TB",
        "cache.min_free": "0",
        "cache.memory": "64 MiB",
        "cache.group_readable": "yes",
        "mount.refresh_s": "1.5",
        "mount.stall_s": "2",
        "mount.list_versions": "yes",
        "mount.allow_other": "yes",
        "mount.verify": "deferred",
        "log.file": "/var/log/datomfs.log",
        "log.level": "debug",
        "metrics.file": "/var/lib/node/datomfs.prom",
    }
    variables = {f"DATOMFS_{name.replace('.', '_').upper()}": value for name, value in values.items()}
    config = load_config(file, variables)
    assert set(values) == set(config.settings)
    assert set(variables) == {setting.origin for setting in config.settings.values()}
    assert config.s3 == S3Settings("http://127.0.0.1:8333", "eu-central-1", "acme", "path", "/etc/ssl/acme.pem", True)
    assert (tmp_path, 1.5, 2.0, True) == (config.cache_path, config.refresh_s, config.stall_s, config.list_versions)
    assert config.allow_other
    assert (Path("/var/log/datomfs.log"), "debug") == (config.log_file, config.log_level)
    assert Path("/var/lib/node/datomfs.prom") == config.metrics_file
    assert (2 * 10**12, 0, 64 << 20) == (config.cache_size, config.cache_min_free, config.cache_memory)
    assert (True, "deferred") == (config.cache_group_readable, config.verify)


def test_the_settings_of_a_bucket_are_all_in_the_list(file: Path) -> None:
    assert {f"s3.{field.name}" for field in fields(S3Settings)} <= set(load_config(None, {}).settings)


@pytest.mark.parametrize(
    ("text", "flag"), [("true", True), ("Yes", True), ("1", True), ("false", False), ("NO", False), ("0", False)]
)
def test_flags_are_read_from_the_environment(text: str, flag: bool) -> None:
    assert flag is load_config(None, {"DATOMFS_MOUNT_LIST_VERSIONS": text}).list_versions


def test_home_stands_for_itself_in_the_cache_path(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file.write_text('[cache]\npath = "~/blocks"\n', encoding="utf-8")
    assert tmp_path / "blocks" == load_config(file, {}).cache_path


def test_sizes_in_the_file_are_bytes_or_have_a_unit(file: Path) -> None:
    file.write_text("[cache]\nsize = 1000000\nmin_free = 0\nmemory = '10.5MiB'\n", encoding="utf-8")
    config = load_config(file, {})
    assert (1000000, 0, 21 << 19) == (config.cache_size, config.cache_min_free, config.cache_memory)


# -- projects ------------------------------------------------------------------------------------------------------

PROJECTS = """
[s3]
region = "eu-central-1"
profile = "acme"
[project.STUDY_001]
store = "s3://acme-study1/prod"
[project.STUDY_001.s3]
region = "us-west-2"
requester_pays = true
[project.PILOT_7]
store = "/data/pilot7"
[project."a study (1)"]
store = "s3://shared"
"""


def test_projects_have_their_store_under_the_defaults_of_all_buckets(file: Path) -> None:
    file.write_text(PROJECTS, encoding="utf-8")
    projects = load_config(file, {}).projects
    assert ["STUDY_001", "PILOT_7", "a study (1)"] == list(projects)
    assert Location("s3", "acme-study1", "prod", "us-west-2") == projects["STUDY_001"].location
    assert S3Settings(region="us-west-2", profile="acme", requester_pays=True) == projects["STUDY_001"].s3
    assert Location("local", "/data/pilot7") == projects["PILOT_7"].location
    assert Location("s3", "shared", None, "eu-central-1") == projects["a study (1)"].location
    assert S3Settings(region="eu-central-1", profile="acme") == projects["a study (1)"].s3


GOVERNED = """
[s3]
region = "eu-central-1"
[gov]
repo = "git@github.com:acme/gov.git"
store = "s3://acme-gov"
allow_roots = ["/data", "~/studies"]
[gov.s3]
region = "us-west-2"
[project.STUDY_001]
repo = "https://github.com/acme/study-1.git"
"""


def test_governance_has_its_places_and_settings_of_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/dana")
    file.write_text(GOVERNED, encoding="utf-8")
    config = load_config(file, {})
    assert ("git@github.com:acme/gov.git", "s3://acme-gov") == (config.gov_repo, config.gov_store)
    assert (Path("/data"), Path("/home/dana/studies")) == config.allow_roots
    assert S3Settings(region="us-west-2") == config.gov_s3
    project = config.projects["STUDY_001"]
    assert (None, "https://github.com/acme/study-1.git") == (project.location, project.repo)
    assert S3Settings(region="eu-central-1") == project.s3


def test_nothing_governs_unless_it_is_named(file: Path) -> None:
    file.write_text(PROJECTS, encoding="utf-8")
    config = load_config(file, {})
    assert (None, None, ()) == (config.gov_repo, config.gov_store, config.allow_roots)


def test_the_environment_reaches_projects_as_a_default_only(file: Path) -> None:
    file.write_text(PROJECTS, encoding="utf-8")
    projects = load_config(file, {"DATOMFS_S3_REGION": "ap-east-1"}).projects
    assert "us-west-2" == projects["STUDY_001"].location.region
    assert "ap-east-1" == projects["a study (1)"].location.region


def test_home_stands_for_itself_in_a_store(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file.write_text('[project.P]\nstore = "~/store"\n', encoding="utf-8")
    assert Location("local", f"{tmp_path}/store") == load_config(file, {}).projects["P"].location


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[governance]\nrepo = 'x'\n", "unknown section [governance]"),
        ("[gov]\nrepo = 'x'\n", "the folder 'x' is relative; write its whole path"),
        ("[gov]\nstore = 'x'\n", "the folder 'x' is relative"),
        ("[gov]\nurl = 'x'\n", "unknown key 'url' in [gov]; known are allow_roots, repo, s3, store"),
        ("[gov]\nallow_roots = 5\n", "5 is not a list of folders"),
        ("[gov]\nallow_roots = ['data']\n", "the folder 'data' is relative"),
        ("[gov.s3]\nregion = 5\n", "[gov.s3]: 5 is not a text"),
        (
            "[mount]\nrefresh = 5\n",
            "unknown key 'refresh' in [mount]; known are allow_other, list_versions, refresh_s, stall_s, verify",
        ),
        ("[s3]\nsecret_access_key = 'x'\n", "unknown key 'secret_access_key' in [s3]"),
        ("mount = 5\n", "[mount] is not a section"),
        ("project = 5\n", "[project] is not a section"),
        ("project = [1]\n", "[project] is not a section"),
        ("[project]\nP = 'x'\n", "[project.P] needs a store"),
        ("[project.P]\n", "[project.P] needs a store (a folder or s3://bucket/prefix), a repo, or s3"),
        ("[project.P]\nstore = 5\n", "[project.P]: 5 is not a text"),
        ("[project.P]\nstore = '/d'\nref = 'x'\n", "unknown key 'ref' in [project.P]; known are repo, s3, store"),
        ("[project.P]\nstore = '/d'\nrepo = 'x'\n", "[project.P]: the folder 'x' is relative"),
        ("[project.P]\nstore = '/d'\ns3 = 'x'\n", "[project.P.s3] is not a section"),
        ("[project.P]\nstore = '/d'\ns3 = [1]\n", "[project.P.s3] is not a section"),
        ("[project.P]\nstore = '/d'\n[project.P.s3]\nregoin = 'x'\n", "unknown key 'regoin' in [project.P.s3]"),
        ("[project.P]\nstore = '/d'\n[project.P.s3]\nregion = 5\n", "[project.P.s3]: 5 is not a text"),
        ("[project.P]\nstore = 'data/p'\n", "[project.P]: the folder 'data/p' is relative; write its whole path"),
        ("[project.P]\nstore = 'gs://b'\n", "[project.P]: store 'gs': neither a folder nor s3://bucket/prefix"),
        ("[project.P]\nstore = 's3://'\n", "[project.P]: store s3://…: no bucket is named"),
        ("[project.'../x']\nstore = '/d'\n", "[project.../x]: '../x' is not a legal name"),
        ("[cache]\npath = 'blocks'\n", "the folder 'blocks' is relative"),
        ("[cache]\npath = 5\n", "5 is not a text"),
        ("[cache]\nsize = 0\n", "0 is no room at all; it must be above 0"),
        ("[cache]\nsize = '0GiB'\n", "'0GiB' is no room at all"),
        ("[cache]\nmemory = 0\n", "0 is too little: a single read may need 8 MiB in flight"),
        ("[cache]\nmemory = '7MiB'\n", "'7MiB' is too little"),
        ("[cache]\nsize = -1\n", "-1 is not a size between 0 and"),
        ("[cache]\nmin_free = '-1GiB'\n", "'-1GiB' is not a size: write bytes, or a number and a unit such as 50GiB"),
        ("[cache]\nsize = '50G'\n", "'50G' has an unknown unit 'G'; known are B, KiB,"),
        ("[cache]\nsize = true\n", "True is not a size"),
        ("[cache]\ngroup_readable = 'maybe'\n", "'maybe' is neither true nor false"),
        ("[mount]\nverify = 'never'\n", "'never' is none of strict, deferred"),
        ("[mount]\nverify = true\n", "True is none of strict, deferred"),
        ("[mount]\nrefresh_s = 0\n", "0 is not a number of seconds above 0"),
        ("[mount]\nstall_s = 'soon'\n", "'soon' is not a number of seconds above 0"),
        ("[mount]\nstall_s = true\n", "True is not a number of seconds above 0"),
        ("[mount]\nstall_s = nan\n", "nan is not a number of seconds above 0"),
        ("[mount]\nstall_s = inf\n", "inf is not a number of seconds above 0"),
        ("[mount]\nstall_s = [1]\n", "[1] is not a number of seconds above 0"),
        ("[mount]\nlist_versions = 'maybe'\n", "'maybe' is neither true nor false"),
        ("[s3]\naddressing = 'host'\n", "'host' is none of auto, path, virtual"),
        ("[s3]\nregion = ''\n", "'' is not a text"),
        ("[mount\n", "it is not TOML"),
        ("[mount]\nrefresh_s = 5\nrefresh_s = 6\n", "it is not TOML"),
    ],
)
def test_a_mistake_is_refused_and_says_in_which_file(file: Path, text: str, says: str) -> None:
    told = refusal(file, text)
    assert says in told
    assert str(file) in told


def test_a_mistake_in_a_variable_names_the_variable(file: Path) -> None:
    told = refusal(file, "", {"DATOMFS_MOUNT_STALL_S": "soon"})
    assert "mount.stall_s (DATOMFS_MOUNT_STALL_S): 'soon' is not a number of seconds above 0" == told


def test_what_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match="it is not TOML"):
        load_config(file, {})


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="it cannot be read: Is a directory"):
        load_config(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(file: Path) -> None:
    file.write_text("", encoding="utf-8")
    file.chmod(0)
    with pytest.raises(ConfigInvalid, match="it cannot be read: Permission denied"):
        load_config(file, {})
