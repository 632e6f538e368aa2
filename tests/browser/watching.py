"""What a page must not do: break its policy, write errors to its console, ask in vain; and what
axe finds in it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

THEMES = ("light", "dark")
WIDTHS = (1280, 768, 360)
ZOOMED = 320
"""What is left of the first width at a zoom of 400 % (WCAG 2.2, 1.4.10)."""

_TOLD = """
addEventListener('securitypolicyviolation', event => console.error(
  `CSP: ${event.effectiveDirective} does not allow ${event.blockedURI}` +
  ` (${event.sourceFile}:${event.lineNumber})`));
"""

_GIVEN_UP = "net::ERR_ABORTED"
"""Of a request that a page itself has ended, or that was under way when it was left."""


class Watched:
    """All that is wrong with a page, from its beginning on. What is meant to happen is said by
    `expect`, before or after."""

    def __init__(self, page: Any) -> None:
        self.problems: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        page.add_init_script(_TOLD)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("requestfailed", self._failed)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            place = message.location.get("url", "")
            self.problems.append(f"{message.type}: {message.text} ({place})")

    def _failed(self, request: Any) -> None:
        if request.failure != _GIVEN_UP:
            self.problems.append(f"{request.method} {request.url}: {request.failure}")

    def expect(self, pattern: str) -> None:
        """Problems that it finds (as `re.search` does) are none, and there has to be one."""
        self._expected.append(re.compile(pattern))

    def begin(self) -> None:
        """Anew, for another test of the same page."""
        self.problems.clear()
        self._expected.clear()

    def check(self) -> None:
        unmet = [one.pattern for one in self._expected if not any(map(one.search, self.problems))]
        assert not unmet, f"expected, and not seen: {unmet}"
        left = [one for one in self.problems if not any(p.search(one) for p in self._expected)]
        assert not left, "\n".join(left)


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


_SERIOUS = ("serious", "critical")
_FIND = """async () => {
  const found = await axe.run(document, { resultTypes: ['violations'] });
  return found.violations.map(one => [one.impact, one.id, one.help,
    one.nodes.map(node => `${node.target.join(' ')}: ${node.failureSummary}`)]);
}"""


def findings(page: Any) -> list[str]:
    """What axe calls serious or critical in the page as it is now, with the elements."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_axe())  # by the debugger: no policy keeps it out, and none is broken
    return [
        f"{rule} ({impact}): {help_}\n" + "\n".join(nodes)
        for impact, rule, help_, nodes in page.evaluate(_FIND)
        if impact in _SERIOUS
    ]


_WIDE = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const clipped = one => {
    for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== 'visible') return true;
    return false;
  };
  return [`the page is ${root.scrollWidth} wide`, ...[...document.body.querySelectorAll('*')]
    .filter(one => one.getBoundingClientRect().right > root.clientWidth + 1 && !clipped(one))
    .map(one => `${one.tagName.toLowerCase()}.${one.className}`).slice(0, 8)];
}"""


def too_wide(page: Any) -> list[str]:
    """What makes the body scroll sidewards; nothing where it does not, or no more after a
    moment: a chart is drawn anew behind its place."""
    found: list[str] = []
    for _ in range(20):
        found = page.evaluate(_WIDE)
        if not found:
            break
        page.wait_for_timeout(50)
    return found


_HARDLY = 0.02
"""A fifth of what is called good (web.dev, "Cumulative Layout Shift")."""

_SHIFTS = """() => new Promise(done => {
  const name = node => node && node.tagName ?
    `${node.tagName.toLowerCase()}#${node.id}.${node.className}` : 'something';
  const found = [];
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (!one.hadRecentInput)
      found.push([one.value, one.sources.map(source => name(source.node)).join(', ')]);
  }).observe({ type: 'layout-shift', buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(found), 50));
})"""


def shifts(page: Any) -> list[str]:
    """What has moved since the page was opened, and how much of the page that is (Layout
    Instability, W3C); nothing where nobody sees it: a number that has one digit more."""
    found = page.evaluate(_SHIFTS)
    seen = sum(share for share, _ in found) > _HARDLY
    return [f"{share:.4f}: {what}" for share, what in found] if seen else []
