"""From a document that was read to what is written for it, or what is wrong with it.

Options are decoded by those that decode a file's, so that a zone's parts can be opened wherever
they are read again, and whatever they refuse is said in the words of the document.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gateway.catalog import Catalog
from gateway.catalog.parts import Parts
from gateway.catalog.zones import WantedZone
from gateway.config import Configuration, construct
from gateway.config.bindings import check_options, mode_options
from gateway.config.decode import Decoder
from gateway.config.problems import Problems
from gateway.modes.zones import ZoneOptions
from gateway.services.stored import door_of, reader
from gateway.services.zones import documents, names
from gateway.services.zones.documents import Document, Wrong
from gateway.services.zones.parts import MEMBER, cdn_domain, parts_of


class Planner:
    def __init__(
        self, configuration: Configuration, catalog: Catalog, options: ZoneOptions
    ) -> None:
        self._configuration, self._catalog, self._options = configuration, catalog, options

    def wanted(self, account: str, document: Document, *, active: bool) -> WantedZone:
        """Raises `Wrong`."""
        planned = self.planned(account, document, active=True)
        own = names.own_names(self._configuration, self._options)
        wrong = names.refused(document, own, self._options)
        wrong += self._refused(planned.parts(1), account)
        if wrong:
            raise Wrong(*wrong)
        return planned if active else self.planned(account, document, active=False)

    def planned(self, account: str, document: Document, *, active: bool) -> WantedZone:
        """Of a document that was taken already, whatever is thought of it by now. Raises `Wrong`
        where its storage is gone."""
        options = self._options
        storage = self._storage(account, document["storage_id"])
        owner = self._catalog.account_number(account)  # made here: not within the commit

        def parts(number: int) -> Parts:
            return parts_of(
                document,
                number,
                domain=cdn_domain(number, owner, options.suffix),
                active=active,
                options=options,
                storage=storage,
            )

        return WantedZone(
            document=document,
            shown=documents.without_secrets(document),
            active=active,
            reuses=document["cache_reuse_from"],
            storage=document["storage_id"],
            hosts=tuple(document["custom_domains"]),
            upstreams=tuple(host for host, _ in names.endpoints_of(document)),
            parts=parts,
        )

    def _storage(self, account: str, number: int | None) -> str:
        """The service that is the account's storage of that number; "" for none."""
        if number is None:
            return ""
        row = self._catalog.storage(number)
        if row is None or row.account != account:
            raise Wrong(f"storage_id: there is no storage {number}.")
        return row.sid

    def _refused(self, parts: Parts, account: str) -> list[str]:
        """What drivers and the mode of the bindings would not take, a sentence each, in the words
        of the document."""
        problems, configuration = Problems(), self._configuration
        services = reader(configuration, problems, frozenset({account}))
        for sid, one in parts.services.items():
            table = {**one.options, "driver": one.driver, "account": account}
            declared = services.decoded(sid, table, "")
            if declared is not None and not declared.links:
                try:
                    construct(declared, {})
                except ValueError as error:
                    problems.refused(declared.driver, "", error)
        modes = configuration.plugins.modes
        decoder = Decoder(problems=problems, folder=Path(), environ=None)
        row = parts.bindings[0].row  # the others say the same
        options = mode_options(decoder, modes[row.mode], row.options, "")
        facts = () if configuration.server.countries is None else ("country",)
        if not problems:
            check_options(problems, modes, {"": replace(door_of(row), options=options)}, {}, facts)
        return [_sentence(*one) for one in problems]


def _sentence(place: str, message: str) -> str:
    """With the member of the document that an option is made of."""
    option = place.lstrip(".").partition(".")[0]
    return f"{MEMBER.get(option, option)}: {message}"
