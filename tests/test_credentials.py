"""Credentials come from the right place, in the right order, and show themselves to nobody."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as FailingKeyring
from keyring.backends.null import Keyring as NullKeyring
from keyring.credentials import SimpleCredential

from datomfs.credentials import AwsSessions, GitCredentials, Secret, aws_session, git_credentials
from datomfs.errors import ConfigInvalid
from datomfs.model.s3 import S3Settings

PROFILES = """
[default]
aws_access_key_id = default-key
aws_secret_access_key = default-secret
[study]
aws_access_key_id = study-key
aws_secret_access_key = study-secret
"""


class FakeKeyring(KeyringBackend):
    """Entries as R's `keyring` stores them: by service, with an empty user name."""

    priority = 1

    def __init__(self, entries: dict[str, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries = entries
        self.asked: list[str] = []

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get(service) if username == "" else None

    def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
        self.asked.append(service)
        found = self.entries.get(service)
        return SimpleCredential("", found) if found else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class NamelessKeyring(FakeKeyring):
    """As on macOS, where an entry is found only by its user name."""

    def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
        return None


class BrokenKeyring(FakeKeyring):
    """Fails as a broken message bus does, with an error of its own."""

    def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
        raise ConnectionRefusedError("no bus, and a-secret in the text")


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No identity anywhere, and the keyring put back afterwards."""
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "GITHUB_PAT",
        "GITHUB_TOKEN",
    ]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    before = keyring.get_keyring()
    keyring.set_keyring(NullKeyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def aws_keyring() -> FakeKeyring:
    """A keyring with the two entries R users have."""
    made = FakeKeyring({"AWS_ACCESS_KEY_ID": "keyring-key", "AWS_SECRET_ACCESS_KEY": "keyring-secret"})
    keyring.set_keyring(made)
    return made


@pytest.fixture
def profiles(tmp_path: Path) -> None:
    """An AWS configuration with two profiles."""
    (tmp_path / "credentials").write_text(PROFILES)


def identity(settings: S3Settings | None = None) -> tuple[str, str] | None:
    """The key and secret that a session would sign with."""
    found = aws_session(settings or S3Settings()).get_credentials()
    return (found.access_key, found.secret_key) if found else None


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>20}".format, "{!r}".format, lambda secret: f"{secret}"])
def test_secret_masks_itself(show: object) -> None:
    shown = show(Secret("a-secret"))  # type: ignore[operator]
    assert "***" in shown
    assert "a-secret" not in shown


def test_secret_is_masked_inside_other_values() -> None:
    assert "GitCredentials(username='dana', token=Secret(***))" == repr(GitCredentials("dana", Secret("a-secret")))


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy])
def test_secret_is_not_written_anywhere(write: object) -> None:
    with pytest.raises(TypeError):
        write(Secret("a-secret"))  # type: ignore[operator]


def test_secret_reveals_itself_on_demand() -> None:
    assert "a-secret" == Secret("a-secret").reveal()


# -- AWS -------------------------------------------------------------------------------------------------------------


def test_profile_in_the_settings_goes_before_everything(
    profiles: None, aws_keyring: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("study-key", "study-secret") == identity(S3Settings(profile="study"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    assert ("study-key", "study-secret") == identity(S3Settings(profile="study"))


def test_environment_goes_before_keyring_and_profiles(
    profiles: None, aws_keyring: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    assert ("environment-key", "environment-secret") == identity()
    assert [] == aws_keyring.asked


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_profile_in_the_environment_goes_before_the_keyring(
    profiles: None, aws_keyring: FakeKeyring, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "study")
    assert ("study-key", "study-secret") == identity()


def test_keyring_goes_before_the_default_profile(profiles: None, aws_keyring: FakeKeyring) -> None:
    assert ("keyring-key", "keyring-secret") == identity()


def test_entries_are_found_by_their_empty_user_name() -> None:
    keyring.set_keyring(NamelessKeyring({"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}))
    assert ("key", "secret") == identity()


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_a_pair_in_the_keyring_is_no_identity(profiles: None, aws_keyring: FakeKeyring, missing: str) -> None:
    del aws_keyring.entries[missing]
    assert ("default-key", "default-secret") == identity()


@pytest.mark.parametrize("make", [FailingKeyring, lambda: BrokenKeyring({}), NullKeyring], ids=["none", "bus", "empty"])
def test_without_a_working_keyring_the_chain_goes_on(profiles: None, make: Callable[[], KeyringBackend]) -> None:
    keyring.set_keyring(make())
    assert ("default-key", "default-secret") == identity()


def test_nothing_anywhere_is_left_to_the_first_request() -> None:
    assert identity() is None


def test_failing_keyring_is_told_in_the_debug_log_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    keyring.set_keyring(BrokenKeyring({}))
    caplog.set_level(logging.DEBUG, logger="datomfs")
    assert git_credentials("https://github.com/acme/demo.git") is None
    assert ["no keyring entry GITHUB_PAT: ConnectionRefusedError"] == [record.getMessage() for record in caplog.records]


def test_unknown_profile_is_a_mistake_in_the_settings(profiles: None) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        aws_session(S3Settings(profile="nobody"))
    assert "s3.profile: The config profile (nobody) could not be found" == raised.value.what


def test_unknown_profile_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigInvalid) as raised:
        aws_session(S3Settings())
    assert "AWS_PROFILE" == raised.value.where


def test_region_of_the_settings_is_that_of_the_session(aws_keyring: FakeKeyring) -> None:
    assert "eu-west-1" == aws_session(S3Settings(region="eu-west-1")).region_name
    aws_keyring.entries.clear()
    assert "eu-west-1" == aws_session(S3Settings(region="eu-west-1")).region_name


@pytest.mark.parametrize(("level", "expected"), [(logging.NOTSET, logging.WARNING), (logging.DEBUG, logging.DEBUG)])
def test_headers_are_kept_out_of_logs_unless_asked_for(level: int, expected: int) -> None:
    botocore_log = logging.getLogger("botocore")
    before = botocore_log.level
    botocore_log.setLevel(level)
    try:
        aws_session(S3Settings())
        assert expected == botocore_log.level
    finally:
        botocore_log.setLevel(before)


# -- git -------------------------------------------------------------------------------------------------------------


def shown_to(url: str) -> tuple[str, str] | None:
    """The user name and token for a host, in the clear."""
    found = git_credentials(url)
    return (found.username, found.token.reveal()) if found else None


@pytest.mark.parametrize(
    "url", ["git@github.com:acme/demo.git", "ssh://git@github.com/acme/demo", "/data/demo.git", "file:///data/demo.git"]
)
def test_other_urls_get_no_token(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_PAT", "a-token")
    assert git_credentials(url) is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"GITHUB_PAT": "pat", "GITHUB_TOKEN": "token"}, "pat"),
        ({"GITHUB_TOKEN": "token"}, "token"),
        ({"GITHUB_PAT": "", "GITHUB_TOKEN": "token"}, "token"),
        ({}, "keyring"),
    ],
)
def test_order_of_tokens(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_keyring(FakeKeyring({"GITHUB_PAT": "keyring"}))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("x-access-token", expected) == shown_to("https://github.com/acme/demo.git")


def test_no_token_anywhere() -> None:
    assert git_credentials("https://github.com/acme/demo.git") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://dana@github.com/acme/demo.git", ("dana", "pat")),
        ("https://dana%40example.org@github.com/acme/demo.git", ("dana@example.org", "pat")),
        ("https://dana:own%2Ftoken@github.com/acme/demo.git", ("dana", "own/token")),
        ("http://git.example.org/acme/demo.git", ("x-access-token", "pat")),
    ],
)
def test_url_may_name_user_and_password(url: str, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_PAT", "pat")
    assert expected == shown_to(url)


def test_neither_boto3_nor_keyring_is_imported_before_it_is_needed() -> None:
    code = "import sys, datomfs.credentials; print({'boto3', 'botocore', 'keyring'} & set(sys.modules) or 'none')"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert "none" == result.stdout.strip()


def test_buckets_that_are_reached_in_the_same_way_share_a_session() -> None:
    sessions = AwsSessions()
    here = sessions.get(S3Settings(region="eu-west-1"))
    assert here is sessions.get(S3Settings(region="eu-west-1"))
    assert here is not sessions.get(S3Settings(region="us-east-1"))
