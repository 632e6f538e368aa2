"""How a bucket encrypts what does not say it itself, and what it takes no more.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html

A bucket without this setting encrypts what asks for it, and nothing else; so that it has none
is an error, as S3 had it before it encrypted everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.access.access import Access
from gateway.access.settings import SettingKind
from gateway.common.xml import document as written
from gateway.common.xml import element, flag, optional
from gateway.modes import Gateway
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, fitting, of_text
from gateway.modes.s3.encryption import ALGORITHMS
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.storage import Encryption, Forbidden, Put, Writable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DEFAULT = "ApplyServerSideEncryptionByDefault"
_NOTHING_BLOCKED, _CUSTOMER = "NONE", "SSE-C"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketEncryption:
    """`algorithm` "": no default is said. `blocked` are S3's words as they came."""

    algorithm: str = ""
    key_id: str = ""
    bucket_key: bool = False
    blocked: tuple[str, ...] = ()

    @property
    def by_named_key(self) -> bool:
        found = ALGORITHMS.get(self.algorithm)
        return found is not None and found.kind == "kms"

    def applied(self, asked: Encryption | None) -> Encryption | None:
        """How what asks for this is encrypted. Raises `Forbidden` for what is blocked."""
        if asked is None:
            found = ALGORITHMS.get(self.algorithm)
            if found is None or found.kind != "kms":
                return found
            return replace(found, key_id=self.key_id, bucket_key=self.bucket_key or None)
        if asked.kind == "customer" and _CUSTOMER in self.blocked:
            raise Forbidden("The bucket blocks uploads that are encrypted by SSE-C.")
        if asked.kind == "kms" and asked.bucket_key is None and self.bucket_key:
            return replace(asked, bucket_key=True)
        return asked


def _defaults(said: BucketEncryption, options: Put, _time: int) -> Put:
    return replace(options, encryption=said.applied(options.encryption))


def _parse(data: bytes) -> BucketEncryption:
    root = wire.parse(data, "ServerSideEncryptionConfiguration")
    rules = list(wire.children(root, "Rule"))
    if len(rules) != 1:
        raise malformed(f"ServerSideEncryptionConfiguration has one Rule, here {len(rules)}.")
    (rule,) = rules
    algorithm, key_id = _default(rule)
    return BucketEncryption(
        algorithm=algorithm,
        key_id=key_id,
        bucket_key=wire.flag_of(rule, "BucketKeyEnabled"),
        blocked=_blocked(rule),
    )


def _default(rule: Element) -> tuple[str, str]:
    node = wire.child(rule, _DEFAULT)
    if node is None:
        return "", ""
    algorithm, key_id = wire.word_of(node, "SSEAlgorithm"), wire.word_of(node, "KMSMasterKeyID")
    if algorithm not in ALGORITHMS:
        raise malformed(
            f"SSEAlgorithm has to be one of {', '.join(ALGORITHMS)}, not {algorithm!r}."
        )
    if key_id and ALGORITHMS[algorithm].kind != "kms":
        raise S3Problem(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or"
            " aws:kms:dsse",
            ArgumentName=_DEFAULT,
        )
    return algorithm, key_id


def _blocked(rule: Element) -> tuple[str, ...]:
    node = wire.child(rule, "BlockedEncryptionTypes")
    if node is None:
        return ()
    found = tuple((one.text or "").strip() for one in wire.children(node, "EncryptionType"))
    if not set(found) <= {_NOTHING_BLOCKED, _CUSTOMER} or len(set(found)) > 1:
        raise malformed(f"EncryptionType has to be {_CUSTOMER} or {_NOTHING_BLOCKED}.")
    return found


def _render(said: BucketEncryption) -> bytes:
    default = blocked = ""
    if said.algorithm:
        inside = element("SSEAlgorithm", said.algorithm) + optional("KMSMasterKeyID", said.key_id)
        default = f"<{_DEFAULT}>{inside}</{_DEFAULT}>"
    if said.blocked:
        inside = "".join(element("EncryptionType", one) for one in said.blocked)
        blocked = f"<BlockedEncryptionTypes>{inside}</BlockedEncryptionTypes>"
    rule = f"<Rule>{default}{flag('BucketKeyEnabled', said.bucket_key)}{blocked}</Rule>"
    return written("ServerSideEncryptionConfiguration", rule)


def _fits(_gateway: Gateway, access: Access, value: BucketEncryption) -> None:
    given = value.applied(None)
    if given is not None:  # what a store cannot encrypt is told now, and not to each upload
        access.service.need(Writable).check_put(Put(encryption=given))


_EXAMPLE = """\
<ServerSideEncryptionConfiguration>
 <Rule>
  <ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>
 </Rule>
</ServerSideEncryptionConfiguration>
"""


SETTING: BucketSetting[BucketEncryption] = BucketSetting(
    SettingKind(
        name="encryption",
        read="read-encryption",
        write="write-encryption",
        remove="write-encryption",
        parse=of_text(_parse),
        defaults=_defaults,
        fits=fitting(_fits),
        example=_EXAMPLE,
    ),
    _render,
    "ServerSideEncryptionConfigurationNotFoundError",
)
