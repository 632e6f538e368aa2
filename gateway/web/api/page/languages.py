"""A function as a program in each language."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.web.api.parameters import samples
from gateway.web.api.table import Function

URL, HEADER, VARIABLE = "{{url}}", "{{header}}", "{{variable}}"
FILE = "tom.jpg"
"""What uploads read, and downloads write, in the current folder."""


class Language(NamedTuple):
    """`kind`: the file name's ending. `program` gets the headers, too, that each request has
    besides the key's."""

    name: str
    kind: str
    program: Callable[[Function[Any], Mapping[str, str]], str]


def _document(function: Function[Any]) -> str:
    """The body in JSON; "" when it has none."""
    return json.dumps(samples(function.members)) if function.members else ""


def _curl(function: Function[Any], always: Mapping[str, str]) -> str:
    options = []
    if function.body:
        options += [f"-T {FILE}", '-H "Content-Type: image/jpeg"']
    elif function.methods[0] != "GET":
        options += [f"-X {function.methods[0]}"]
    if function.members:
        options += ['-H "Content-Type: application/json"', f"-d '{_document(function)}'"]
    if function.downloads:
        options += [f"-o {FILE}"]
    options += [f'-H "{name}: {text}"' for name, text in always.items()]
    options += ['-H "{{header}}: ${{variable}}"', f"'{URL}'"]
    return " \\\n     ".join(["curl -sS --fail-with-body", *options])


def _python(function: Function[Any], always: Mapping[str, str]) -> str:
    body, downloads = function.body, function.downloads
    imports = ["json"] if function.answer else []
    said = "json.load(answer)" if function.answer else "answer.status"
    imports += ["os"] + (["shutil"] if downloads else []) + ["urllib.request"]
    lines = [f"import {one}" for one in imports]
    if body:
        lines += ["from pathlib import Path", "", f'path = Path("{FILE}")']
    lines += ["", "headers = {"]
    lines += [f'    "{name}": "{text}",' for name, text in always.items()]
    lines += ['    "{{header}}": os.environ["{{variable}}"],']
    if body:
        lines += ['    "Content-Type": "image/jpeg",']
        lines += ['    "Content-Length": str(path.stat().st_size),']
    if function.members:
        lines += ['    "Content-Type": "application/json",']
    lines += ["}", f'url = "{URL}"']
    method = f'method="{function.methods[0]}"'
    if body:
        lines += ['with path.open("rb") as file:']
        lines += [
            f"    request = urllib.request.Request(url, file, headers, {method})",
            "    with urllib.request.urlopen(request) as answer:",
            f"        print({said})",
        ]
        return "\n".join(lines)
    if function.members:
        lines += [f"data = b'{_document(function)}'"]
        lines += [f"request = urllib.request.Request(url, data, headers, {method})"]
    else:
        lines += [f"request = urllib.request.Request(url, headers=headers, {method})"]
    if downloads:
        lines += [
            f'with urllib.request.urlopen(request) as answer, open("{FILE}", "wb") as file:',
            "    shutil.copyfileobj(answer, file)",
        ]
    else:
        lines += [
            "with urllib.request.urlopen(request) as answer:",
            f"    print({said})",
        ]
    return "\n".join(lines)


def _javascript(function: Function[Any], always: Mapping[str, str]) -> str:
    lines = []
    if function.body:
        lines += ['import { readFile } from "node:fs/promises";', ""]
    if function.downloads:
        lines += ['import { writeFile } from "node:fs/promises";', ""]
    lines += [f'const answer = await fetch("{URL}", {{', f'  method: "{function.methods[0]}",']
    kind = "image/jpeg" if function.body else "application/json" if function.members else ""
    headers = [f'"{name}": "{text}"' for name, text in always.items()]
    headers += ['"{{header}}": process.env.{{variable}}']
    headers += [f'"Content-Type": "{kind}"'] if kind else []
    if len(headers) == 1:
        lines += [f"  headers: {{ {headers[0]} }},"]
    else:
        lines += ["  headers: {", *(f"    {one}," for one in headers), "  },"]
    if function.body:
        lines += [f'  body: await readFile("{FILE}"),']
    if function.members:
        lines += [f"  body: '{_document(function)}',"]
    lines += ["});", "if (!answer.ok) throw new Error(await answer.text());"]
    if function.downloads:
        lines += [f'await writeFile("{FILE}", answer.body);']
    else:
        said = "await answer.json()" if function.answer else "answer.status"
        lines += [f"console.log({said});"]
    return "\n".join(lines)


def _csharp(function: Function[Any], always: Mapping[str, str]) -> str:
    method = function.methods[0].capitalize()
    lines = [
        "using var client = new HttpClient();",
        f'using var request = new HttpRequestMessage(HttpMethod.{method}, "{URL}");',
        *(f'request.Headers.Add("{name}", "{text}");' for name, text in always.items()),
        'request.Headers.Add("{{header}}", Environment.GetEnvironmentVariable("{{variable}}"));',
    ]
    if function.body:
        lines += [
            f'request.Content = new StreamContent(File.OpenRead("{FILE}"));',
            'request.Content.Headers.Add("Content-Type", "image/jpeg");',
        ]
    if function.members:
        text = json.dumps(_document(function))
        lines += [
            f"var text = {text};",
            "var json = System.Text.Encoding.UTF8;",
            'request.Content = new StringContent(text, json, "application/json");',
        ]
    lines += [
        "using var answer = await client.SendAsync(request);",
        "answer.EnsureSuccessStatusCode();",
    ]
    if function.downloads:
        lines += [
            f'await using var file = File.Create("{FILE}");',
            "await answer.Content.CopyToAsync(file);",
        ]
    else:
        lines += ["Console.WriteLine(await answer.Content.ReadAsStringAsync());"]
    return "\n".join(lines)


def _go(function: Function[Any], always: Mapping[str, str]) -> str:
    check = ["\tif err != nil {", "\t\tlog.Fatal(err)", "\t}"]
    source, lines = "nil", list[str]()
    if function.body:
        source = "file"
        lines += [f'\tfile, err := os.Open("{FILE}")', *check, "\tstat, err := file.Stat()", *check]
    if function.members:
        source = f"strings.NewReader(`{_document(function)}`)"
    lines += [
        f'\trequest, err := http.NewRequest("{function.methods[0]}", "{URL}", {source})',
        *check,
        *(f'\trequest.Header.Set("{name}", "{text}")' for name, text in always.items()),
        '\trequest.Header.Set("{{header}}", os.Getenv("{{variable}}"))',
    ]
    if function.body:
        lines += ['\trequest.Header.Set("Content-Type", "image/jpeg")']
        lines += ["\trequest.ContentLength = stat.Size()"]
    if function.members:
        lines += ['\trequest.Header.Set("Content-Type", "application/json")']
    lines += ["\tanswer, err := http.DefaultClient.Do(request)", *check]
    lines += ["\tdefer answer.Body.Close()", "\tif answer.StatusCode >= 300 {"]
    lines += ["\t\tlog.Fatal(answer.Status)", "\t}"]
    target = "os.Stdout"
    if function.downloads:
        target = "file"
        lines += [f'\tfile, err := os.Create("{FILE}")', *check]
    lines += [
        f"\tif _, err := io.Copy({target}, answer.Body); err != nil {{",
        "\t\tlog.Fatal(err)",
        "\t}",
    ]
    imports = [f'\t"{name}"' for name in ("io", "log", "net/http", "os")]
    imports += ['\t"strings"'] if function.members else []
    head = ["package main", "", "import (", *imports, ")", "", "func main() {"]
    return "\n".join([*head, *lines, "}"])


def _php(function: Function[Any], always: Mapping[str, str]) -> str:
    headers = [f'        "{name}: {text}",' for name, text in always.items()]
    headers += ['        "{{header}}: " . getenv("{{variable}}"),']
    lines = ["<?php", '$context = stream_context_create(["http" => [']
    lines += [f'    "method" => "{function.methods[0]}",']
    if function.body:
        headers += ['        "Content-Type: image/jpeg",']
        lines += [f'    "content" => file_get_contents("{FILE}"),']
    if function.members:
        headers += ['        "Content-Type: application/json",']
        lines += [f"    \"content\" => '{_document(function)}',"]
    lines += ['    "header" => [', *headers, "    ],", "]]);"]
    if function.downloads:
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
