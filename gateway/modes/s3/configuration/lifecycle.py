"""The lifecycle of a bucket's objects: the document. What it decides is in `lifecycle.deciding`.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
The older form (PutBucketLifecycle), with the prefix in the rule, is read as well. Transitions
are refused: no store here has storage classes to move anything to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import tostring

from gateway.access.access import Access
from gateway.access.settings import SettingKind
from gateway.common import xml
from gateway.modes import Gateway
from gateway.modes.s3 import tags, wire
from gateway.modes.s3.configuration.setting import BucketSetting, fitting, of_text
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.storage import NOTHING, Conditions, Delete, Listable, Store, Unsupported, Writable
from gateway.web.request_head import whole_number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DAY = 86_400_000
MOST_RULES = 1000
LONGEST_ID = 255
_LARGEST = 2**31 - 1
_LARGEST_SIZE = 50 << 40
_MOST_NEWER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which objects: all that it says must be so. `prefix` None: it says none. `form` is how it
    was written: "Prefix" in the rule itself (the older form), "Filter", or "And" in that."""

    prefix: str | None = None
    tags: Mapping[str, str] = NOTHING
    larger: int | None = None
    smaller: int | None = None
    form: str = "Filter"

    @property
    def plain(self) -> bool:
        """Only the key counts."""
        return not self.tags and self.larger is None and self.smaller is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`days` after an object was made, or at `date` (milliseconds), it expires. `marker`:
    whether a delete marker goes that is all there is of its key. A version goes when it was
    not the current one for `noncurrent_days`, and there are `newer` such, if that is said.
    `abort_days`: for how long an upload in parts may be under way."""

    id: str
    enabled: bool
    filter: Filter
    days: int | None = None
    date: int | None = None
    marker: bool | None = None
    noncurrent_days: int | None = None
    newer: int | None = None
    abort_days: int | None = None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    rules: tuple[Rule, ...]

    @property
    def enabled(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.enabled)

    def of(self, store: Store) -> tuple[Rule, ...]:
        """Those that are enabled, about keys as the store has them."""
        return tuple(
            replace(rule, filter=replace(rule.filter, prefix=store.fold(rule.filter.prefix or "")))
            for rule in self.enabled
        )


# reading


def _parse(data: bytes) -> Lifecycle:
    root = wire.parse(data, "LifecycleConfiguration")
    nodes = list(wire.children(root, "Rule"))
    if not 0 < len(nodes) <= MOST_RULES:
        raise malformed(f"LifecycleConfiguration has 1 to {MOST_RULES} Rule, here {len(nodes)}.")
    rules = tuple(_rule(node, place) for place, node in enumerate(nodes))
    if len({rule.id for rule in rules}) < len(rules):
        raise _invalid("Rule ID must be unique. Found same ID for more than one rule")
    for node in nodes:  # last: what else is wrong is said first
        if any(wire.local(one) in _TRANSITIONS for one in node):
            raise S3Problem(
                "NotImplemented",
                "Transitions are not implemented: there are no other storage classes here.",
            )
    return Lifecycle(rules)


_TRANSITIONS = frozenset({"Transition", "NoncurrentVersionTransition"})
_ACTIONS = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")


def _rule(node: Element, place: int) -> Rule:
    found = _named(node)
    id = wire.word_of(node, "ID")
    if len(id) > LONGEST_ID:
        raise _invalid(f"ID length should not exceed allowed limit of {LONGEST_ID}")
    status = wire.word_of(node, "Status")
    if status not in ("Enabled", "Disabled"):
        raise malformed(f"Status has to be Enabled or Disabled, not {status!r}.")
    for one in node:
        if wire.local(one) in _TRANSITIONS:
            _check_transition(one)
    if found.keys().isdisjoint({*_ACTIONS, *_TRANSITIONS}):
        raise _refused("At least one action needs to be specified in a rule")
    rule = Rule(
        id=id or _made_up(node, place), enabled=status == "Enabled", filter=_filter(node, found)
    )
    return _with_abort(_with_noncurrent(_with_expiration(rule, found), found), found)


def _made_up(node: Element, place: int) -> str:
    """A rule that says none has always the same."""
    return hashlib.sha256(b"%d %s" % (place, tostring(node))).hexdigest()[:48]


def _filter(node: Element, found: Mapping[str, Element]) -> Filter:
    if ("Prefix" in found) == ("Filter" in found):
        raise malformed("A Rule has either a Filter or a Prefix.")
    if "Prefix" in found:
        return Filter(prefix=wire.text_of(node, "Prefix"), form="Prefix")
    inside = found["Filter"]
    if not len(inside):
        return Filter()
    if len(inside) > 1:
        raise malformed(
            "A Filter has one of Prefix, Tag, ObjectSizeGreaterThan, ObjectSizeLessThan and And;"
            " several go into And."
        )
    joined = wire.child(inside, "And")
    if joined is None:
        return _predicates(inside)
    if not len(joined):
        raise malformed("And needs what is to hold together.")
    return replace(_predicates(joined), form="And")


def _predicates(node: Element) -> Filter:
    found = _named(node)
    larger = _size(found.get("ObjectSizeGreaterThan"), 0)
    smaller = _size(found.get("ObjectSizeLessThan"), 1)
    if larger is not None and smaller is not None and larger >= smaller:
        raise _refused(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'"
        )
    return Filter(
        prefix=wire.text_of(node, "Prefix"),
        tags=_tags(wire.children(node, "Tag")),
        larger=larger,
        smaller=smaller,
    )


def _tags(nodes: Iterator[Element]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        key, value = wire.text_of(node, "Key"), wire.text_of(node, "Value")
        if key is None or value is None:
            raise malformed("A Tag needs a Key and a Value.")
        if not 0 < len(key) <= tags.LONGEST_KEY or len(value) > tags.LONGEST_VALUE:
            raise _refused("A tag's key has 1 to 128 characters, its value up to 256")
        if key in found:
            raise _refused("Duplicate Tag Keys are not allowed.")
        found[key] = value
    return found or NOTHING


def _size(node: Element | None, least: int) -> int | None:
    if node is None:
        return None
    size = whole_number((node.text or "").strip(), least, _LARGEST_SIZE)
    if size is None:
        raise malformed(f"{wire.local(node)} has to be {least} to {_LARGEST_SIZE} bytes.")
    return size


def _with_expiration(rule: Rule, found: Mapping[str, Element]) -> Rule:
    node = found.get("Expiration")
    if node is None:
        return rule
    said = _named(node)
    if len(said) != 1:
        raise malformed("Expiration has one of Days, Date and ExpiredObjectDeleteMarker.")
    if "Days" in said:
        return replace(rule, days=_days(said["Days"], "'Days' for Expiration action"))
    if "Date" in said:
        return replace(rule, date=_date(said["Date"]))
    text = (said["ExpiredObjectDeleteMarker"].text or "").strip()
    if text not in ("true", "false"):
        raise malformed(f"ExpiredObjectDeleteMarker has to be true or false, not {text!r}.")
    _refuse_tags_and_sizes(rule, "ExpiredObjectDeleteMarker")
    return replace(rule, marker=text == "true")


def _with_noncurrent(rule: Rule, found: Mapping[str, Element]) -> Rule:
    node = found.get("NoncurrentVersionExpiration")
    if node is None:
        return rule
    said = _named(node)
    if "NoncurrentDays" not in said:
        raise malformed("NoncurrentVersionExpiration needs NoncurrentDays.")
    what = "for NoncurrentVersionExpiration action"
    days = _days(said["NoncurrentDays"], f"'NoncurrentDays' {what}")
    newer = said.get("NewerNoncurrentVersions")
    if newer is None:
        return replace(rule, noncurrent_days=days)
    number = _days(newer, f"'NewerNoncurrentVersions' {what}")
    if number > _MOST_NEWER:
        raise _invalid(f"'NewerNoncurrentVersions' {what} must be at most {_MOST_NEWER}")
    return replace(rule, noncurrent_days=days, newer=number)


def _with_abort(rule: Rule, found: Mapping[str, Element]) -> Rule:
    node = found.get("AbortIncompleteMultipartUpload")
    if node is None:
        return rule
    said = _named(node)
    if not said:
        raise malformed("AbortIncompleteMultipartUpload needs DaysAfterInitiation.")
    _refuse_tags_and_sizes(rule, "AbortIncompleteMultipartUpload")
    what = "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action"
    return replace(rule, abort_days=_days(said["DaysAfterInitiation"], what))


def _refuse_tags_and_sizes(rule: Rule, what: str) -> None:
    if not rule.filter.plain:
        other = "Tags" if rule.filter.tags else "Object Size"
        raise _refused(f"{what} cannot be specified with {other}.")


def _days(node: Element, what: str) -> int:
    number = wire.integer((node.text or "").strip())
    if number is None:
        raise malformed(f"{wire.local(node)} has to be a number.")
    if not 0 < number <= _LARGEST:
        raise _invalid(f"{what} must be a positive integer")
    return number


def _date(node: Element) -> int:
    moment = wire.moment(node.text or "")
    if moment is None:
        raise malformed("Date has to be a date of ISO 8601.")
    if moment % DAY:
        raise _invalid("'Date' must be at midnight GMT")
    return moment


def _check_transition(node: Element) -> None:
    date = wire.child(node, "Date")
    if date is not None:
        _date(date)


def _named(node: Element) -> dict[str, Element]:
    return {wire.local(one): one for one in node}


def _invalid(message: str) -> S3Problem:
    return S3Problem("InvalidArgument", message)


def _refused(message: str) -> S3Problem:
    return S3Problem("InvalidRequest", message)


# writing


def _render(lifecycle: Lifecycle) -> bytes:
    return xml.document("LifecycleConfiguration", *map(_written, lifecycle.rules))


def _written(rule: Rule) -> str:
    status = xml.element("Status", "Enabled" if rule.enabled else "Disabled")
    chosen = _written_filter(rule.filter)
    return f"<Rule>{xml.element('ID', rule.id)}{chosen}{status}{_written_actions(rule)}</Rule>"


def _written_filter(said: Filter) -> str:
    prefix = "" if said.prefix is None else xml.element("Prefix", said.prefix)
    if said.form == "Prefix":
        return prefix
    inside = prefix + "".join(
        f"<Tag>{xml.element('Key', key)}{xml.element('Value', value)}</Tag>"
        for key, value in said.tags.items()
    )
    inside += _number("ObjectSizeGreaterThan", said.larger)
    inside += _number("ObjectSizeLessThan", said.smaller)
    return f"<Filter>{f'<And>{inside}</And>' if said.form == 'And' else inside}</Filter>"


def _written_actions(rule: Rule) -> str:
    expiration = _number("Days", rule.days)
    if rule.date is not None:
        expiration = xml.element("Date", wire.exact(rule.date))
    if rule.marker is not None:
        expiration = xml.flag("ExpiredObjectDeleteMarker", rule.marker)
    noncurrent = _number("NoncurrentDays", rule.noncurrent_days)
    noncurrent += _number("NewerNoncurrentVersions", rule.newer)
    abort = _number("DaysAfterInitiation", rule.abort_days)
    actions = zip(_ACTIONS, (expiration, noncurrent, abort), strict=True)
    return "".join(f"<{name}>{inside}</{name}>" for name, inside in actions if inside)


def _number(name: str, value: int | None) -> str:
    return "" if value is None else xml.element(name, value)


_COMPARED = Delete(conditions=Conditions(if_match=("",), if_modified=0))


def check_removes(access: Access, rules: Iterable[Rule]) -> None:
    """Raise `Unsupported` where rules cannot be carried out, or not without removing what
    somebody writes at that moment."""
    service = access.service
    service.need(Listable)
    writable = service.need(Writable)
    if not removing(rules):
        return
    try:
        writable.check_delete(_COMPARED)
    except Unsupported as error:
        raise Unsupported(
            f"The gateway carries out no lifecycle in the service {service.sid!r}"
            f" (driver {service.about.driver!r}). {error.message}",
            capability=error.capability,
        ) from None


def removing(rules: Iterable[Rule]) -> list[Rule]:
    """Those by which objects and versions go."""
    return [
        rule
        for rule in rules
        if rule.days or rule.date is not None or rule.marker or rule.noncurrent_days
    ]


def _fits(_gateway: Gateway, access: Access, value: Lifecycle) -> None:
    check_removes(access, value.enabled)


_EXAMPLE = """\
<LifecycleConfiguration>
 <Rule>
  <ID>old versions</ID>
  <Status>Enabled</Status>
  <Filter><Prefix>logs/</Prefix></Filter>
  <Expiration><Days>30</Days></Expiration>
  <NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>
  <AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>
 </Rule>
</LifecycleConfiguration>
"""


SETTING: BucketSetting[Lifecycle] = BucketSetting(
    SettingKind(
        name="lifecycle",
        read="read-lifecycle",
        write="write-lifecycle",
        remove="write-lifecycle",
        parse=of_text(_parse),
        fits=fitting(_fits),
        example=_EXAMPLE,
    ),
    _render,
    "NoSuchLifecycleConfiguration",
)
