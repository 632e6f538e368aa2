"""falcon 4: forms that are read as they come, outside of its own requests."""

from __future__ import annotations

from io import BytesIO

from falcon.media.multipart import BodyPart, MultipartForm, MultipartParseOptions

from tests.libraries.standing import Standing

STANDING = Standing(
    distribution="falcon",
    module="falcon",
    ours="gateway/web/forms.py",
    public=("gateway/modes/standard/application.py",),
    takes={
        "falcon.media.multipart:MultipartForm.__init__": (
            "self stream boundary content_length parse_options"
        ),
        "falcon.util.mediatypes:parse_header": "line",
    },
)

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nbytes\r\n--x--\r\n"
)


def test_falcon_is_as_we_know_it() -> None:
    assert STANDING.moved() == []


def first_part(data: bytes) -> BodyPart:
    options = MultipartParseOptions()
    options.max_body_part_count = 4
    return next(iter(MultipartForm(BytesIO(data), b"x", len(data), options)))


def test_a_form_is_read_as_it_comes() -> None:
    part = first_part(FORM)
    assert (part.filename, part.content_type) == ("a.txt", "text/plain")
    assert part.stream.read() == b"bytes"


def test_a_part_that_breaks_off_ends_like_one_that_is_whole() -> None:
    """So `standard/bodies.py` counts what came."""
    assert first_part(FORM[: FORM.index(b"bytes") + 2]).stream.read() == b"by"
