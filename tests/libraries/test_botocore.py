"""botocore 1.36 to 1.43: the chain by which AWS's tools find keys."""

from __future__ import annotations

import pytest

from tests.libraries.standing import Standing

STANDING = Standing(
    distribution="botocore",
    module="botocore",
    ours="drivers/s3/finding.py",
    public=("gateway/testing/server/keys.py",),
    takes={
        "botocore.session:Session.get_component": "self name",
        "botocore.session:Session.get_config_variable": "self logical_name methods",
        "botocore.session:Session.set_config_variable": "self logical_name value",
        "botocore.session:Session.set_default_client_config": "self client_config",
        "botocore.credentials:CredentialResolver.load_credentials": "self",
        "botocore.credentials:RefreshableCredentials.refresh_needed": "self refresh_in",
        "botocore.credentials:DeferredRefreshableCredentials.__init__": (
            "self refresh_using method time_fetcher"
        ),
        "botocore.credentials:AssumeRoleCredentialFetcher.fetch_credentials": "self",
    },
    written={
        "botocore.credentials:CredentialResolver.__init__": ("self.providers = providers",),
        "botocore.credentials:CredentialResolver.load_credentials": (
            "for provider in self.providers:",
            "creds = provider.load()",
        ),
        "botocore.credentials:AssumeRoleCredentialFetcher.__init__": (
            "client_creator, source_credentials, role_arn, extra_args=None",
        ),
        "botocore.credentials:RefreshableCredentials.get_frozen_credentials": (
            "self._refresh()",
            "return self._frozen_credentials",
        ),
    },
)


@pytest.mark.usefixtures("sockets")  # urllib3 tries one when it is imported
def test_botocore_is_as_we_know_it() -> None:
    assert STANDING.moved() == []
