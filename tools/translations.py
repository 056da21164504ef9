"""Words in other languages: `python tools/translations.py extract|update|compile|check`.

The source is English, in the code. `extract` collects it into messages.pot, `update` carries new
sentences into every language (a translator then fills them in), `compile` makes the files the
application reads, and `check` says what is missing, uncertain, broken or not compiled.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.extract import extract_python as babel_extract_python
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "babel.cfg"
TRANSLATIONS = ROOT / "school" / "translations"
TEMPLATE = TRANSLATIONS / "messages.pot"
LANGUAGES = ("de",)
"""Languages besides English that are complete; `check` insists on it."""

def error_names() -> set[str]:
    """DomainError and what is made of it, as far as it takes its sentence first."""
    classes = [
        node
        for path in (ROOT / "school").rglob("*.py")
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.ClassDef)
    ]
    known, more = set(), {"DomainError"}
    while more - known:
        known |= more
        more = {c.name for c in classes if any(getattr(b, "id", "") in known for b in c.bases)}
    return {c.name for c in classes if c.name in known and _takes_sentence_first(c)}


def _takes_sentence_first(error: ast.ClassDef) -> bool:
    made = [n for n in error.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    return not made or [one.arg for one in made[0].args.args[1:2]] == ["message"]


SENTENCE_ARGUMENT = {**dict.fromkeys(error_names(), 0), "progress": 1, "tell": 1,
                     "queue_mail": 1, "Remark": 1}
"""Calls below the pages whose sentence a page translates later, and where the sentence stands."""

PLACE = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
SENTENCE_TABLES = re.compile(r"(^|_)(MESSAGES|SENTENCES|WORDS|LABELS)$")

Found = tuple[int, str | None, Any, list[str]]


def extract_sentences(
    file: IO[bytes], keywords: Any, comment_tags: Any, options: dict[str, Any]
) -> Iterator[Found]:
    """Babel's extraction for Python, and the sentences of floors that know no gettext."""
    source = file.read()
    yield from babel_extract_python(BytesIO(source), keywords, comment_tags, options)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _sentence_of_call(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from _sentences_of_table(node)
        elif isinstance(node, ast.Dict):
            yield from _subjects_of_settings(node)


def _sentence_of_call(call: ast.Call) -> Iterator[Found]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    at = SENTENCE_ARGUMENT.get(name)
    if at is not None and len(call.args) > at:
        yield from _texts(call.args[at])


def _sentences_of_table(node: ast.Assign | ast.AnnAssign) -> Iterator[Found]:
    """`MESSAGES = {"code": "Sentence", …}`, and names that end so."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if isinstance(node.value, ast.Dict) and any(SENTENCE_TABLES.search(getattr(t, "id", "")) for t in targets):
        for value in node.value.values:
            yield from _texts(value)


def _subjects_of_settings(node: ast.Dict) -> Iterator[Found]:
    """`"EMAIL_SUBJECT_…": "Sentence"`: mails a library sends in our words."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and str(key.value).startswith("EMAIL_SUBJECT_"):
            yield from _texts(value)


def _texts(node: ast.expr) -> Iterator[Found]:
    """The constant text of an expression; both sides of `a if x else b`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, None, node.value, []
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def catalog_of(folder: Path = ROOT / "school") -> Catalog:
    """Everything that can be translated."""
    # Babel resolves the extractor by its module name.
    sys.path.insert(0, str(ROOT))
    with CONFIG.open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    catalog = Catalog(project="Schoolhouse", charset="utf-8")
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "lazy_ngettext": (1, 2), "_l": None}
    for _file, line, message, comments, context in extract_from_dir(
        folder, methods, options, keywords, ("Translators:",), strip_comment_tags=True,
        directory_filter=holds_sentences,
    ):
        catalog.add(message, None, [("", line)], auto_comments=comments, context=context)
    return catalog


def holds_sentences(folder: str) -> bool:
    """Babel by itself passes over `_macros` and `_partials`, which speak on every page."""
    return not Path(folder).name.startswith((".", "__"))


def extract() -> None:
    TRANSLATIONS.mkdir(exist_ok=True)
    with TEMPLATE.open("wb") as file:
        write_po(file, catalog_of(), no_location=True, omit_header=True, sort_output=True, width=100)
    print(f"{len(catalog_of())} sentences")


def path_of(language: str) -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"


def read_catalog(path: Path, language: str) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update() -> None:
    """New sentences into every language; a similar old translation becomes a marked guess."""
    extract()
    template = catalog_of()
    for language in LANGUAGES:
        path = path_of(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        catalog = read_catalog(path, language) if path.exists() else Catalog(language, project="Schoolhouse")
        catalog.update(template, no_fuzzy_matching=False, keep_user_comments=True)
        catalog.obsolete.clear()
        catalog.header_comment = f"# Schoolhouse's sentences in {catalog.locale.english_name if catalog.locale else language}."
        with path.open("wb") as file:
            write_po(file, catalog, no_location=True, sort_output=True, width=100)
        missing = sum(1 for message in messages(catalog) if not is_translated(message))
        print(f"{language}: {missing} of {len(catalog)} to translate")


def compiled(catalog: Catalog) -> bytes:
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def compile_all() -> None:
    for language in LANGUAGES:
        path = path_of(language)
        path.with_suffix(".mo").write_bytes(compiled(read_catalog(path, language)))
        print(f"{language}: compiled")


def messages(catalog: Catalog) -> Iterator[Message]:
    return (message for message in catalog if message.id)


def is_translated(message: Message) -> bool:
    return bool(message.string) and not message.fuzzy and all(_strings(message))


def _strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def _ids(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple) else (message.id,)


def places(texts: Iterable[str]) -> set[str]:
    return {place for text in texts for place in PLACE.findall(text)}


def faults_of(language: str, catalog: Catalog, source: Catalog) -> Iterator[str]:
    """What a reader of this language would stumble over."""
    known = {_ids(message): message for message in messages(catalog)}
    for wanted in messages(source):
        message = known.get(_ids(wanted))
        text = _ids(wanted)[0]
        if message is None or not message.string or not all(_strings(message)):
            yield f"{language}: not translated: {text}"
        elif message.fuzzy:
            yield f"{language}: only guessed: {text}"
        elif not places(_strings(message)) <= places(_ids(wanted)) or (
            not places([_strings(message)[-1]]) >= places([_ids(wanted)[-1]])
        ):
            yield f"{language}: other places than the source: {text}"


def check() -> int:
    source = catalog_of()
    faults: list[str] = []
    for language in LANGUAGES:
        path = path_of(language)
        if not path.exists():
            faults.append(f"{language}: there is no {path.relative_to(ROOT)}")
            continue
        catalog = read_catalog(path, language)
        faults += faults_of(language, catalog, source)
        built = path.with_suffix(".mo")
        if not built.exists() or built.read_bytes() != compiled(catalog):
            faults.append(f"{language}: not compiled; run `python tools/translations.py compile`")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("task", choices=["extract", "update", "compile", "check"])
    task = parser.parse_args().task
    if task == "check":
        return check()
    {"extract": extract, "update": update, "compile": compile_all}[task]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
