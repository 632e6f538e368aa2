"""What people are shown to paste is one word for their shell, whatever is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.commands import start_screen
from gateway.commands.shell import HERE, Piece, Posix, PowerShell, Variable
from gateway.config import load
from gateway.storage import Secret

KEY = Variable("KEY")
POWERSHELL: list[tuple[tuple[Piece, ...], str]] = [
    (("plain/word",), "plain/word"),
    ((r"C:\Program Files\gateway",), r"'C:\Program Files\gateway'"),
    ((r"D:\data",), r"D:\data"),
    (("it's $5",), "'it''s $5'"),
    (("a;b", "c"), "'a;bc'"),
    (("",), "''"),
    (("a\u2019; b",), "'a\u2019\u2019; b'"),
    (("\u201c", KEY), '"`\u201c${env:KEY}"'),
    ((KEY,), '"${env:KEY}"'),
    ((KEY, ":", Variable("SECRET")), '"${env:KEY}:${env:SECRET}"'),
    (('"`$', KEY), '"`"```$${env:KEY}"'),
]


@pytest.mark.parametrize(("pieces", "expected"), POWERSHELL)
def test_a_word_of_powershell(pieces: tuple[Piece, ...], expected: str) -> None:
    assert PowerShell().word(*pieces) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="it has no sh")
@pytest.mark.usefixtures("processes")
def test_a_word_of_posix_is_what_a_shell_takes_it_for() -> None:
    words = ["plain", "two words", "it's", '$5 "`', "", "*"]
    said = Posix().settings({"A": "a b", "B": KEY}) + "sh -c " + Posix().word('printf "%s" "$A$B"')
    shown = " ".join(["printf '%s\\n'", *map(Posix().word, words), Posix().word(KEY, ":x")])
    done = subprocess.run(
        ["sh", "-c", f"{shown}; {said}"], env={"KEY": "k 1"}, capture_output=True, text=True
    )
    assert done.stdout == "\n".join([*words, "k 1:x", "a bk 1"])


def test_windows_gets_the_form_of_powershell(tmp_path: Path) -> None:
    class First:
        id, secret = "AKIA1", Secret("s/e+c'ret")

    def shown(credential: First | None) -> str:
        return start_screen.render(
            load(environ={}, overrides={"data": str(tmp_path / "the data")}),
            [("0.0.0.0", 9000)],
            server="waitress",
            workers="one worker",
            credential=credential,
            shell=PowerShell(),
        )

    first, again = shown(First()), shown(None)
    assert (
        "\n  $env:AWS_ACCESS_KEY_ID = 'AKIA1'; $env:AWS_SECRET_ACCESS_KEY = 's/e+c''ret';"
        " $env:AWS_DEFAULT_REGION = 'us-east-1';"
        " aws --endpoint-url http://127.0.0.1:9000 s3 ls\n"
    ) in first
    assert "\n  curl.exe --aws-sigv4 aws:amz:us-east-1:s3 --user 'AKIA1:s/e+c''ret' -H" in first
    assert "\n  $env:AWS_DEFAULT_REGION = 'us-east-1'; aws --endpoint-url" in again
    assert '--user "${env:AWS_ACCESS_KEY_ID}:${env:AWS_SECRET_ACCESS_KEY}" -H' in again
    assert f"--access admin --data '{tmp_path / 'the data'}'\n" in again


def test_each_system_has_its_shell() -> None:
    assert isinstance(HERE, PowerShell if sys.platform == "win32" else Posix)
