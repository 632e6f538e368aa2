"""Each function in six languages, from the table: whole programs, with nothing to install.

The key comes from the environment (`GATEWAY_KEY`), so that none ends up in a
program. `URL` stands where the address is, and `HEADER` where the name of the header with
the key is; what is put there is percent-encoded and so needs no quoting in any of the
languages. The tests run these programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from gateway.web.api.table import Api, Function

URL, HEADER = "{{url}}", "{{header}}"
FILE = "tom.jpg"
"""What uploads read, and downloads write, in the current folder."""


class Language(NamedTuple):
    """`kind`: the file name's ending."""

    name: str
    kind: str
    program: Callable[[Function[Any]], str]


def url(function: Function[Any], base: str, values: Mapping[str, str] | None = None) -> str:
    """The address with these parameters; those of the documents when none are given."""
    given = shown(function) if values is None else values
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in given.items())
    return f"{base}/{function.name}" + (f"?{query}" if query else "")


def shown(function: Function[Any]) -> dict[str, str]:
    """The parameters that documents show: those that are needed, or have an example."""
    return {one.name: one.example for one in function.query if one.required or one.example}


def program(api: Api, language: Language, function: Function[Any], address: str) -> str:
    """What goes into a file."""
    return shown_program(api, language, function).replace(URL, address) + "\n"


def shown_program(api: Api, language: Language, function: Function[Any]) -> str:
    """The program, with `URL` for its address."""
    return language.program(function).replace(HEADER, api.header)


def _downloads(function: Function[Any]) -> bool:
    return not function.answer


def _curl(function: Function[Any]) -> str:
    options = []
    if function.body:
        options += [f"-T {FILE}", '-H "Content-Type: image/jpeg"']
    elif function.methods[0] != "GET":
        options += [f"-X {function.methods[0]}"]
    if _downloads(function):
        options += [f"-o {FILE}"]
    options += ['-H "{{header}}: $GATEWAY_KEY"', f"'{URL}'"]
    return " \\\n     ".join(["curl -sS --fail-with-body", *options])


def _python(function: Function[Any]) -> str:
    body, downloads = function.body, _downloads(function)
    imports = ["json"] if not downloads else []
    imports += ["os"] + (["shutil"] if downloads else []) + ["urllib.request"]
    lines = [f"import {one}" for one in imports]
    if body:
        lines += ["from pathlib import Path", "", f'path = Path("{FILE}")']
    lines += ["", "headers = {"]
    lines += ['    "{{header}}": os.environ["GATEWAY_KEY"],']
    if body:
        lines += ['    "Content-Type": "image/jpeg",']
        lines += ['    "Content-Length": str(path.stat().st_size),']
    lines += ["}", f'url = "{URL}"']
    method = f'method="{function.methods[0]}"'
    if body:
        lines += ['with path.open("rb") as file:']
        lines += [
            f"    request = urllib.request.Request(url, file, headers, {method})",
            "    with urllib.request.urlopen(request) as answer:",
            "        print(json.load(answer))",
        ]
        return "\n".join(lines)
    lines += [f"request = urllib.request.Request(url, headers=headers, {method})"]
    if downloads:
        lines += [
            f'with urllib.request.urlopen(request) as answer, open("{FILE}", "wb") as file:',
            "    shutil.copyfileobj(answer, file)",
        ]
    else:
        lines += [
            "with urllib.request.urlopen(request) as answer:",
            "    print(json.load(answer))",
        ]
    return "\n".join(lines)


def _javascript(function: Function[Any]) -> str:
    lines = []
    if function.body:
        lines += ['import { readFile } from "node:fs/promises";', ""]
    if _downloads(function):
        lines += ['import { writeFile } from "node:fs/promises";', ""]
    lines += [f'const answer = await fetch("{URL}", {{', f'  method: "{function.methods[0]}",']
    if function.body:
        lines += [
            "  headers: {",
            '    "{{header}}": process.env.GATEWAY_KEY,',
            '    "Content-Type": "image/jpeg",',
            "  },",
            f'  body: await readFile("{FILE}"),',
        ]
    else:
        lines += ['  headers: { "{{header}}": process.env.GATEWAY_KEY },']
    lines += ["});", "if (!answer.ok) throw new Error(await answer.text());"]
    if _downloads(function):
        lines += [f'await writeFile("{FILE}", answer.body);']
    else:
        lines += ["console.log(await answer.json());"]
    return "\n".join(lines)


def _csharp(function: Function[Any]) -> str:
    method = function.methods[0].capitalize()
    lines = [
        "using var client = new HttpClient();",
        f'using var request = new HttpRequestMessage(HttpMethod.{method}, "{URL}");',
        'request.Headers.Add("{{header}}", Environment.GetEnvironmentVariable("GATEWAY_KEY"));',
    ]
    if function.body:
        lines += [
            f'request.Content = new StreamContent(File.OpenRead("{FILE}"));',
            'request.Content.Headers.Add("Content-Type", "image/jpeg");',
        ]
    lines += [
        "using var answer = await client.SendAsync(request);",
        "answer.EnsureSuccessStatusCode();",
    ]
    if _downloads(function):
        lines += [
            f'await using var file = File.Create("{FILE}");',
            "await answer.Content.CopyToAsync(file);",
        ]
    else:
        lines += ["Console.WriteLine(await answer.Content.ReadAsStringAsync());"]
    return "\n".join(lines)


def _go(function: Function[Any]) -> str:
    check = ["\tif err != nil {", "\t\tlog.Fatal(err)", "\t}"]
    source, lines = "nil", list[str]()
    if function.body:
        source = "file"
        lines += [f'\tfile, err := os.Open("{FILE}")', *check, "\tstat, err := file.Stat()", *check]
    lines += [
        f'\trequest, err := http.NewRequest("{function.methods[0]}", "{URL}", {source})',
        *check,
        '\trequest.Header.Set("{{header}}", os.Getenv("GATEWAY_KEY"))',
    ]
    if function.body:
        lines += ['\trequest.Header.Set("Content-Type", "image/jpeg")']
        lines += ["\trequest.ContentLength = stat.Size()"]
    lines += ["\tanswer, err := http.DefaultClient.Do(request)", *check]
    lines += ["\tdefer answer.Body.Close()", "\tif answer.StatusCode >= 300 {"]
    lines += ["\t\tlog.Fatal(answer.Status)", "\t}"]
    target = "os.Stdout"
    if _downloads(function):
        target = "file"
        lines += [f'\tfile, err := os.Create("{FILE}")', *check]
    lines += [
        f"\tif _, err := io.Copy({target}, answer.Body); err != nil {{",
        "\t\tlog.Fatal(err)",
        "\t}",
    ]
    imports = [f'\t"{name}"' for name in ("io", "log", "net/http", "os")]
    head = ["package main", "", "import (", *imports, ")", "", "func main() {"]
    return "\n".join([*head, *lines, "}"])


def _php(function: Function[Any]) -> str:
    headers = ['        "{{header}}: " . getenv("GATEWAY_KEY"),']
    lines = ["<?php", '$context = stream_context_create(["http" => [']
    lines += [f'    "method" => "{function.methods[0]}",']
    if function.body:
        headers += ['        "Content-Type: image/jpeg",']
        lines += [f'    "content" => file_get_contents("{FILE}"),']
    lines += ['    "header" => [', *headers, "    ],", "]]);"]
    if _downloads(function):
        lines += [f'copy("{URL}", "{FILE}", $context);']
    else:
        lines += [f'print_r(json_decode(file_get_contents("{URL}", false, $context)));']
    return "\n".join(lines)


LANGUAGES: tuple[Language, ...] = (
    Language("curl", "sh", _curl),
    Language("Python", "py", _python),
    Language("JavaScript", "mjs", _javascript),
    Language("C#", "cs", _csharp),
    Language("Go", "go", _go),
    Language("PHP", "php", _php),
)
