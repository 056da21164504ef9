"""What every page keeps: one h1, a title, labelled fields, protected forms, no inline code."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from werkzeug.test import TestResponse


@dataclass
class Page:
    """A page as a test reads it."""

    response: TestResponse
    html: str
    text: str
    h1: str
    title: str
    links: list[str]
    forms: list[dict[str, Any]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.h1: list[str] = []
        self.title = ""
        self.words: list[str] = []
        self.links: list[str] = []
        self.forms: list[dict[str, Any]] = []
        self.labels_for: set[str] = set()
        self.inputs: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in {"input", "br", "meta", "link", "img", "hr", "wbr", "use", "path", "col"}:
            self._open.append(tag)
        for name in given:
            if name == "style" or name.startswith("on"):
                self.faults.append(f"<{tag} {name}=…> is inline code")
        if tag == "h1":
            self.h1.append("")
        if tag == "script" and not given.get("src") and given.get("type") != "application/json":
            self.faults.append("inline <script>")
        if tag == "style":
            self.faults.append("inline <style>")
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "form":
            self.forms.append({**given, "fields": []})
        if tag == "label":
            self.labels_for.add(str(given.get("for", "")))
        if tag in {"input", "select", "textarea"}:
            field = {**given, "in_label": "label" in self._open}
            self.inputs.append(field)
            if "form" in self._open and self.forms:
                self.forms[-1]["fields"].append(field)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open and self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "h1" in self._open and self.h1:
            self.h1[-1] += data
        if "title" in self._open and "svg" not in self._open:
            self.title += data
        if not {"script", "style"} & set(self._open):
            self.words.append(data)


def read_page(response: TestResponse, *, status: int = 200) -> Page:
    """Parse a page and check it. Fragments (no <html>) are checked for inline code only."""
    html = response.get_data(as_text=True)
    assert response.status_code == status, f"{response.status_code}: {html[:400]}"
    reader = _Reader()
    reader.feed(html)
    faults = list(reader.faults)
    if "<html" in html:
        faults += _faults_of_whole_page(reader)
    assert not faults, faults
    return Page(
        response,
        html,
        " ".join(" ".join(reader.words).split()),
        " ".join("".join(reader.h1).split()),
        reader.title.strip(),
        reader.links,
        reader.forms,
    )


def _faults_of_whole_page(reader: _Reader) -> list[str]:
    faults = []
    if len(reader.h1) != 1:
        faults.append(f"{len(reader.h1)} h1 elements")
    if not reader.title.strip():
        faults.append("no title")
    for field in reader.inputs:
        if field.get("type") in {"hidden", "submit"} or field["in_label"]:
            continue
        if not (
            field.get("aria-label")
            or field.get("aria-labelledby")
            or field.get("id") in reader.labels_for
        ):
            faults.append(f"field without label: {field.get('name')}")
    for form in reader.forms:
        if (form.get("method") or "get").lower() == "post":
            names = {field.get("name") for field in form["fields"]}
            if "csrf_token" not in names:
                faults.append(f"POST form without csrf_token: {form.get('action')}")
    return faults
