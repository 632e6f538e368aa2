"""A function as a program in each language."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.web.api.parameters import samples
from gateway.web.api.table import Function

URL, HEADER = "{{url}}", "{{header}}"
FILE = "tom.jpg"
"""What uploads read, and downloads write, in the current folder."""


class Language(NamedTuple):
    """`kind`: the file name's ending."""

    name: str
    kind: str
    program: Callable[[Function[Any]], str]


def _document(function: Function[Any]) -> str:
    """The body in JSON; "" when it has none."""
    return json.dumps(samples(function.members)) if function.members else ""


def _downloads(function: Function[Any]) -> bool:
    return not function.answer


def _curl(function: Function[Any]) -> str:
    options = []
    if function.body:
        options += [f"-T {FILE}", '-H "Content-Type: image/jpeg"']
    elif function.methods[0] != "GET":
        options += [f"-X {function.methods[0]}"]
    if function.members:
        options += ['-H "Content-Type: application/json"', f"-d '{_document(function)}'"]
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
    if function.members:
        lines += ['    "Content-Type": "application/json",']
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
    elif function.members:
        lines += [
            "  headers: {",
            '    "{{header}}": process.env.GATEWAY_KEY,',
            '    "Content-Type": "application/json",',
            "  },",
            f"  body: '{_document(function)}',",
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
    if function.members:
        source = f"strings.NewReader(`{_document(function)}`)"
    lines += [
        f'\trequest, err := http.NewRequest("{function.methods[0]}", "{URL}", {source})',
        *check,
        '\trequest.Header.Set("{{header}}", os.Getenv("GATEWAY_KEY"))',
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
    if _downloads(function):
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


def _php(function: Function[Any]) -> str:
    headers = ['        "{{header}}: " . getenv("GATEWAY_KEY"),']
    lines = ["<?php", '$context = stream_context_create(["http" => [']
    lines += [f'    "method" => "{function.methods[0]}",']
    if function.body:
        headers += ['        "Content-Type: image/jpeg",']
        lines += [f'    "content" => file_get_contents("{FILE}"),']
    if function.members:
        headers += ['        "Content-Type: application/json",']
        lines += [f"    \"content\" => '{_document(function)}',"]
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
