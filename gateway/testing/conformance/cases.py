"""Case: where a store does not tell keys apart by it, whatever is done by one of them is done to
the one object, which is called by what `fold` makes of them."""

from __future__ import annotations

import pytest

from gateway.storage import (
    Annotates,
    BytesBody,
    Changes,
    Conditions,
    Copies,
    Delete,
    Get,
    Labels,
    Listable,
    ListQuery,
    Multipart,
    NoSuchKey,
    PartRef,
    PreconditionFailed,
    Protects,
    Put,
    UploadQuery,
    VersionQuery,
    Versions,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance

ONE, OTHER, CALLED = "Photos/ÄΣ.JPG", "photos/äΣ.jPG", "photos/äσ.jpg"
PREFIX = "PHOTOS/ä"


class CasesConformance(Conformance):
    @pytest.fixture
    def folding(self, request: pytest.FixtureRequest) -> Bench:
        if self.case_sensitive:
            pytest.skip("it tells keys apart by case")
        bench: Bench = request.getfixturevalue("bench")
        return bench

    def test_what_is_put_by_one_key_is_read_replaced_and_removed_by_another(
        self, folding: Bench
    ) -> None:
        assert folding.put(ONE, b"one").key == CALLED
        for key in (ONE, OTHER, CALLED, ONE.upper()):
            assert folding.read(key) == b"one"
            assert folding.store.stat(key).key == CALLED
        folding.put(OTHER, b"other")
        assert folding.read(ONE) == b"other"
        assert folding.listed() == [CALLED]
        assert folding.delete(ONE).existed
        with pytest.raises(NoSuchKey):
            folding.store.stat(OTHER)
        folding.put(ONE, b"one")
        assert folding.writable.delete_many([(OTHER, Delete())])[0].existed  # type: ignore[union-attr]  # it was deleted

    def test_a_query_is_told_apart(self, folding: Bench) -> None:
        for key in ("A?X=B", "a?x=B", "a?x=b"):
            folding.put(key, key.encode())
        assert folding.listed() == ["a?X=B", "a?x=B", "a?x=b"]
        assert folding.read("A?x=b") == b"a?x=b"

    def test_conditions_are_compared_with_that_object(self, folding: Bench) -> None:
        folding.put(ONE, b"one")
        new = Put(size=0, conditions=Conditions(if_none_match=("*",)))
        with pytest.raises(PreconditionFailed):
            folding.writable.put(OTHER, BytesBody(b""), new)

    def test_lists_take_prefix_delimiter_and_place_in_any_case(self, folding: Bench) -> None:
        listable = folding.need(Listable)
        for key in (ONE, "Photos/B", "Other"):
            folding.put(key)
        page = listable.list(ListQuery(prefix=PREFIX, after="PHOTOS/B"))
        assert [one.key for one in page.entries] == [CALLED]
        page = listable.list(ListQuery(delimiter="S/"))
        assert (page.prefixes, [one.key for one in page.entries]) == (("photos/",), ["other"])

    def test_versions_are_of_one_key(self, folding: Bench) -> None:
        versions = folding.need(Versions)
        versions.set_versioning("on")
        first, _ = folding.put(ONE, b"1"), folding.put(OTHER, b"2")
        page = versions.versions(VersionQuery(prefix=PREFIX))
        assert [one.key for one in page.entries] == [CALLED, CALLED]
        with folding.store.get(OTHER, Get(version=first.version)) as opened:
            assert opened.body.read() == b"1"
        rest = VersionQuery(after=ONE, after_version=page.entries[0].version)
        assert [one.version for one in versions.versions(rest).entries] == [first.version]

    def test_copies_are_from_and_to_that_object(self, folding: Bench) -> None:
        copies = folding.need(Copies)
        for data in (b"data", bytes(100_000)):
            folding.put(ONE, data)
            assert copies.copy(folding.store, OTHER, "Copies/K").key == "copies/k"
            assert folding.read("COPIES/k") == data

    def test_an_upload_goes_on_by_another_key(self, folding: Bench) -> None:
        multipart = folding.need(Multipart)
        folding.put("source", bytes(100_000))
        begun = multipart.begin(ONE)
        assert multipart.upload(OTHER, begun.id).key == CALLED
        sent = multipart.put_part(OTHER, begun.id, 1, BytesBody(b"data"), Put(size=4))
        copied = multipart.copy_part(OTHER, begun.id, 2, folding.store, "SOURCE")
        assert len(multipart.parts(OTHER, begun.id)) == 2
        (found,) = multipart.uploads(UploadQuery(prefix=PREFIX)).uploads
        assert found.key == CALLED
        refs = [PartRef(number=one.number, etag=one.etag) for one in (sent, copied)]
        assert multipart.complete(OTHER, begun.id, refs).key == CALLED
        assert multipart.complete(ONE, begun.id, refs).size == 100_004
        begun = multipart.begin(ONE)
        multipart.abort(OTHER, begun.id)
        assert multipart.uploads().uploads == ()

    def test_labels_and_annotations_are_of_that_object(self, folding: Bench) -> None:
        folding.put(ONE, b"data")
        folding.need(Labels).set_labels(OTHER, tags={"a": "b"})
        assert dict(folding.store.stat(ONE).tags) == {"a": "b"}
        annotates = folding.need(Annotates)
        annotates.put_annotation(OTHER, "note", b"text")
        annotates.annotation(ONE, "note").body.close()
        assert len(annotates.annotations(ONE.upper()).annotations) == 1
        annotates.delete_annotation(ONE, "note")
        assert annotates.annotations(OTHER).annotations == ()

    def test_what_is_protected_is_so_by_every_key(self, folding: Bench) -> None:
        protects = folding.need(Protects)
        folding.need(Versions).set_versioning("on")
        folding.put(ONE, b"data")
        protects.set_hold(OTHER, None, True)
        assert protects.set_retention(ONE.upper(), None, None, None).protection.hold  # type: ignore[union-attr]  # it has a hold
        protects.set_hold(ONE, None, False)

    def test_changes_tell_what_the_object_is_called(self, folding: Bench) -> None:
        changes = folding.need(Changes)
        folding.put(ONE, b"data")
        folding.delete(OTHER)
        assert {one.key for one in changes.changes().changes} == {CALLED}
