"""Where objects lie: how users name it, and what stands before every key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import ConfigInvalid
from datomfs.model.location import Location, parse_store_url


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("s3://bucket", Location("s3", "bucket")),
        ("s3://bucket/", Location("s3", "bucket")),
        ("s3://bucket/prefix", Location("s3", "bucket", "prefix")),
        ("s3://bucket/a/b/", Location("s3", "bucket", "a/b")),
        ("s3://my.bucket-1_x/a b", Location("s3", "my.bucket-1_x", "a b")),
        ("/data/study1", Location("local", "/data/study1")),
        ("/data/study1/", Location("local", "/data/study1")),
        ("file:///data/study1", Location("local", "/data/study1")),
        ("/data/with space (1)/ü", Location("local", "/data/with space (1)/ü")),
    ],
)
def test_stores_are_named_by_bucket_and_prefix_or_by_folder(url: str, location: Location) -> None:
    assert location == parse_store_url(url)


def test_a_region_is_written_down_with_a_bucket_only() -> None:
    assert Location("s3", "bucket", None, "eu-central-1") == parse_store_url("s3://bucket", "eu-central-1")
    assert Location("local", "/data") == parse_store_url("/data", "eu-central-1")


def test_a_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Location("local", f"{tmp_path}/store") == parse_store_url("store")
    assert Location("local", f"{tmp_path}/store") == parse_store_url("./store")
    assert Location("local", f"{tmp_path.parent}/store") == parse_store_url("../store")


def test_home_stands_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Location("local", f"{tmp_path}/store") == parse_store_url("~/store")


def test_a_symlink_stays_unless_the_way_leads_back_through_it(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    assert f"{tmp_path}/link/store" == parse_store_url(f"{tmp_path}/link/store").root
    assert f"{tmp_path.resolve()}/real/store" == parse_store_url(f"{tmp_path}/link/../store").root


@pytest.mark.parametrize(
    "url",
    ["", "s3://", "s3:///prefix", "file://", "http://host/x", "S3://bucket", "gs://bucket", "/a\0b", "~nobody-here/x"],
)
def test_what_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigInvalid):
        parse_store_url(url)


@pytest.mark.parametrize("url", ["s3://AKIA:topsecret@bucket/prefix", "https://user:topsecret@host/bucket"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_store_url(url)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "url", "namespace"),
    [
        (Location("s3", "bucket"), "s3://bucket", "datom/"),
        (Location("s3", "bucket", ""), "s3://bucket", "datom/"),
        (Location("s3", "bucket", "/"), "s3://bucket", "datom/"),
        (Location("s3", "bucket", "a/b"), "s3://bucket/a/b", "a/b/datom/"),
        (Location("s3", "bucket", "/a/b/"), "s3://bucket/a/b", "a/b/datom/"),
        (Location("local", "/data"), "/data", "datom/"),
        (Location("local", "/data", "trial/a"), "/data/trial/a", "trial/a/datom/"),
    ],
)
def test_slashes_around_a_prefix_do_not_count(location: Location, url: str, namespace: str) -> None:
    assert (url, namespace) == (location.url, location.namespace)


SEGMENT = st.text(st.characters(blacklist_characters="/", blacklist_categories=["Cs"]), min_size=1)


@given(
    st.from_regex(r"[a-z0-9][a-z0-9.-]{2,20}", fullmatch=True),
    st.none() | st.lists(SEGMENT, min_size=1, max_size=3).map("/".join),
)
def test_a_bucket_is_read_back_from_its_url(bucket: str, prefix: str | None) -> None:
    location = Location("s3", bucket, prefix)
    assert location == parse_store_url(location.url)
