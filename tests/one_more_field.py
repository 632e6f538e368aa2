"""`python -m tests.one_more_field FOLDER`: the gateway with one more field in `Properties`,
added to the source of the contract and to nothing else. Every store carries it, or refuses
it; whatever the field is, an object arrives with it where it had it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

CONTRACT = "gateway.storage.objects"
BEFORE = '    attributes: Mapping[str, Any] = NOTHING\n    """What modes keep'
FIELD = '    colour: str = "none"\n'


class _Wider(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text(encoding="utf-8")
        assert source.count(BEFORE) == 1
        return compile(source.replace(BEFORE, FIELD + BEFORE), self.path, "exec")


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != CONTRACT:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        assert found is not None and found.origin is not None
        found.loader = _Wider(fullname, found.origin)
        return found


TABLES = """
[services.kept]
driver = "local"
[services.gone]
driver = "memory"
[services.files]
driver = "fsspec"
url = "{files}"
metadata = "sidecar"
[services.plain]
driver = "fsspec"
url = "{plain}"
[services.cached]
driver = "cache"
source = "kept"
"""


def main(folder: Path) -> None:
    from gateway.access.identity import Identity
    from gateway.config import load
    from gateway.services.runtime import Runtime, open_runtime

    for name in ("files", "plain", "data"):
        (folder / name).mkdir()
    urls = {name: (folder / name).as_uri() for name in ("files", "plain")}
    file = folder / "gateway.toml"
    file.write_text(TABLES.format(**urls), encoding="utf-8")
    configuration = load(file, overrides={"data": str(folder / "data")}, environ={})
    root = Identity(key="k", account="root", access="admin")

    def opened() -> Runtime:
        return open_runtime(configuration, environ={})

    runtime = opened()
    for sid in ("kept", "gone", "files"):
        _put(runtime.access(root, sid))
        _in_parts(runtime.access(root, sid))
    _copy(runtime.access(root, "kept"), runtime.access(root, "files"))
    cached = runtime.access(root, "cached")
    assert _colour(cached.stat("k")) == "red"
    _refused(runtime.access(root, "plain"))
    runtime.close()
    runtime = opened()
    for sid in ("kept", "files", "cached"):  # as it was written down
        access = runtime.access(root, sid)
        with access.get("k") as found:
            assert _colour(found.info) == "red", sid
    runtime.close()
    _by_modes()


def _colour(info: Any) -> str:
    return str(info.colour)


def _red(**others: Any) -> Any:
    from gateway.storage import Put

    given: dict[str, Any] = {"colour": "red", **others}
    return Put(**given)


def _put(access: Any) -> None:
    from gateway.storage import BytesBody

    assert _colour(access.put("k", BytesBody(b"data"), _red(size=4))) == "red"
    assert _colour(access.stat("k")) == "red"


def _in_parts(access: Any) -> None:
    from gateway.storage import BytesBody, PartRef, Put

    upload = access.begin("parts", _red())
    assert _colour(access.upload("parts", upload.id).options) == "red"
    part = access.put_part("parts", upload.id, 1, BytesBody(b"data"), Put(size=4))
    done = access.complete("parts", upload.id, [PartRef(number=1, etag=part.etag)])
    assert _colour(done) == _colour(access.stat("parts")) == "red"


def _copy(source: Any, target: Any) -> None:
    from gateway.storage import Put, carried

    options = Put(**carried(source.stat("k")))
    assert _colour(target.copy(source, "k", "copy", options=options)) == "red"
    assert _colour(source.copy(source, "k", "copy", options=options)) == "red"


def _refused(access: Any) -> None:
    from gateway.storage import BytesBody, Unsupported

    try:
        access.put("k", BytesBody(b"data"), _red(size=4))
    except Unsupported as error:
        assert error.capability == "colour"
    else:
        raise AssertionError("it was dropped")


def _by_modes() -> None:
    from drivers.s3.request_headers import of_put
    from gateway.modes.s3.resources.copying import of_copy
    from gateway.storage import Put, Unsupported, carried

    try:
        of_put(_red())
    except Unsupported as error:
        assert error.capability == "colour"
    else:
        raise AssertionError("it was dropped")
    from gateway.storage import ObjectInfo

    source = ObjectInfo(key="k", size=0, etag="", modified=0, **carried(_red()))
    kept, replaced = (of_copy(Put(), source, replaces=one, retags=False) for one in (False, True))
    assert (_colour(kept), _colour(replaced)) == ("red", "none")


if __name__ == "__main__":
    sys.meta_path.insert(0, _Finder())
    main(Path(sys.argv[1]))
