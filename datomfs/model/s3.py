"""How S3 is reached: what a configuration may say of an endpoint, apart from where objects lie and who asks.

`config` reads these values, `credentials` and `store.s3` use them. Where a project's objects lie is a
`model.location.Location`; keys and tokens come from `credentials` and never stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Addressing = Literal["auto", "path", "virtual"]


@dataclass(frozen=True, slots=True)
class S3Settings:
    """The way to one bucket, or the defaults for all; what is None is left to the AWS configuration and environment.

    `endpoint` is the URL of an S3-compatible server, `region` a default for locations that name none, `profile` a
    profile of the AWS configuration, `addressing` whether the bucket stands in the path or in the host name,
    `ca_bundle` a PEM file, `requester_pays` whether requests are billed to us (the S3 page "Using Requester Pays").
    """

    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    addressing: Addressing = "auto"
    ca_bundle: str | None = None
    requester_pays: bool = False
