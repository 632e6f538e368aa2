"""The keys of a test server, and how clients find it with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import devnull
from typing import Any

from gateway.access.identity import ROOT_ACCOUNT, KeyAccess
from gateway.access.new_keys import new_id, new_secret
from gateway.config import Key
from gateway.storage import Secret

_WITHOUT = "gateway_s3 needs boto3: pip install boto3 (Server.client() needs it too)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A key for this server. Its secret shows in no repr."""

    access_key: str
    secret_key: str = field(repr=False)
    account: str = ROOT_ACCOUNT
    access: KeyAccess = "own"

    @classmethod
    def make(cls, account: str, access: KeyAccess) -> Credentials:
        secret = new_secret().reveal()
        return cls(access_key=new_id(), secret_key=secret, account=account, access=access)

    def declared(self) -> Key:
        """As the configuration declares keys."""
        secret = Secret(self.secret_key)
        return Key(id=self.access_key, secret=secret, account=self.account, access=self.access)


@dataclass(frozen=True, slots=True)
class Reach:
    """One key at one address: what clients need."""

    endpoint_url: str
    region: str
    key: Credentials

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key.access_key,
            "AWS_SECRET_ACCESS_KEY": self.key.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_CONFIG_FILE": devnull,
            "AWS_SHARED_CREDENTIALS_FILE": devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def storage_options(self) -> dict[str, Any]:
        return {
            "key": self.key.access_key,
            "secret": self.key.secret_key,
            "client_kwargs": {"endpoint_url": self.endpoint_url, "region_name": self.region},
        }

    def client(self, service: str, options: Mapping[str, Any]) -> Any:
        """Raises `ImportError` when boto3 is not installed: nothing else here needs it."""
        try:
            import boto3
        except ImportError as error:
            raise ImportError(_WITHOUT) from error
        from botocore.config import Config

        given = dict(options)
        config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
        if "config" in given:
            config = config.merge(given.pop("config"))
        common = {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region,
            "aws_access_key_id": self.key.access_key,
            "aws_secret_access_key": self.key.secret_key,
        }
        return boto3.session.Session().client(service, **{**common, **given}, config=config)
