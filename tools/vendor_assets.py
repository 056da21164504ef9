"""Brings the browser's third-party files into the tree: `python tools/vendor_assets.py NODE_MODULES`.

Nothing here runs when Schoolhouse runs. A developer who updates a package makes a folder with
`npm install` (names and versions: PACKAGES below), calls this once, and commits what changed
together with `school/static/vendor/vendor.lock`, which a test compares with the files.

The icon sprite holds only the icons that templates and navigation name. `--icons` makes just
the sprite again, after somebody used a new one; `--check` only tells.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
VENDOR = ROOT / "school" / "static" / "vendor"
LOCK = VENDOR / "vendor.lock"
STYLES = ROOT / "school" / "templates" / "_partials" / "vendor_styles.html"
TEMPLATES = ROOT / "school" / "templates"
GALLERY = ROOT / "tests" / "web" / "gallery"

INTER_SCRIPTS = ("latin", "latin-ext", "vietnamese", "greek", "greek-ext", "cyrillic", "cyrillic-ext")

MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@dataclass(frozen=True, slots=True)
class Package:
    """Files taken byte for byte: (path in the package, path in the tree)."""

    name: str
    licence: str
    files: tuple[tuple[str, str], ...]


STATIC = "school/static/vendor"
PACKAGES = (
    Package("@tabler/core", "MIT", (
        ("dist/css/tabler.min.css", f"{STATIC}/tabler.min.css"),
        ("dist/css/tabler.rtl.min.css", f"{STATIC}/tabler.rtl.min.css"),
        ("dist/js/tabler.min.js", f"{STATIC}/tabler.min.js"),
    )),
    Package("@popperjs/core", "MIT", (("LICENSE.md", f"{STATIC}/licences/popper.txt"),)),
    Package("@tabler/icons", "MIT", (("LICENSE", f"{STATIC}/licences/tabler-icons.txt"),)),
    Package("htmx.org", "0BSD", (
        ("dist/htmx.min.js", f"{STATIC}/htmx.min.js"),
        ("LICENSE", f"{STATIC}/licences/htmx.txt"),
    )),
    Package("chart.js", "MIT", (
        ("dist/chart.umd.min.js", f"{STATIC}/chart.umd.min.js"),
        ("LICENSE.md", f"{STATIC}/licences/chart.txt"),
    )),
    Package("@kurkle/color", "MIT", (("LICENSE.md", f"{STATIC}/licences/kurkle-color.txt"),)),
    Package("js-sha256", "MIT", (
        ("build/sha256.min.js", f"{STATIC}/sha256.min.js"),
        ("LICENSE.txt", f"{STATIC}/licences/js-sha256.txt"),
    )),
    Package("@fontsource-variable/inter", "OFL-1.1", (
        *((f"files/inter-{script}-wght-normal.woff2", f"{STATIC}/inter/inter-{script}-wght-normal.woff2")
          for script in INTER_SCRIPTS),
        ("LICENSE", f"{STATIC}/licences/inter.txt"),
    )),
    Package("swagger-ui-dist", "Apache-2.0", (
        ("swagger-ui.css", f"{STATIC}/swagger-ui/swagger-ui.css"),
        ("swagger-ui-bundle.js", f"{STATIC}/swagger-ui/swagger-ui-bundle.js"),
        ("swagger-ui-bundle.js.LICENSE.txt", f"{STATIC}/swagger-ui/swagger-ui-bundle.js.LICENSE.txt"),
        ("LICENSE", f"{STATIC}/licences/swagger-ui.txt"),
        ("NOTICE", f"{STATIC}/licences/swagger-ui-notice.txt"),
    )),
    Package("axe-core", "MPL-2.0", (
        ("axe.min.js", "tests/vendor/axe.min.js"),
        ("LICENSE", "tests/vendor/axe-licence.txt"),
        ("LICENSE-3RD-PARTY.txt", "tests/vendor/axe-licence-3rd-party.txt"),
    )),
)


def version_of(modules: Path, package: str) -> str:
    return str(json.loads((modules / package / "package.json").read_text())["version"])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def vendor(modules: Path) -> None:
    """Copy, derive, and write down what was taken."""
    entries = []
    for package in PACKAGES:
        version = version_of(modules, package.name)
        for source, target in package.files:
            data = (modules / package.name / source).read_bytes()
            write(ROOT / target, data)
            entries.append(entry(package.name, version, target, package.licence))
    for name, target in derive(modules):
        licence = next(p.licence for p in PACKAGES if p.name == name)
        entries.append(entry(name, version_of(modules, name), target, licence, derived=True))
    lock(entries)


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def entry(name: str, version: str, target: str, licence: str, *, derived: bool = False) -> dict[str, object]:
    return {"name": name, "version": version, "file": target, "sha256": digest(ROOT / target),
            "licence": licence, "derived": derived}


def lock(entries: list[dict[str, object]]) -> None:
    ordered = sorted(entries, key=lambda e: str(e["file"]))
    LOCK.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")


def derive(modules: Path) -> Iterator[tuple[str, str]]:
    """The small files made from packages: layers, font faces, sprite, and their links."""
    tabler, inter = version_of(modules, "@tabler/core"), version_of(modules, "@fontsource-variable/inter")
    for suffix in ("", ".rtl"):
        name = f"tabler-layer{suffix}.css"
        text = f'@import url("tabler{suffix}.min.css?v={tabler}") layer(vendor);\n'
        write(VENDOR / name, text.encode())
        yield "@tabler/core", f"{STATIC}/{name}"
    write(VENDOR / "licences" / "tabler.txt", tabler_licence(modules).encode())
    yield "@tabler/core", f"{STATIC}/licences/tabler.txt"
    write(VENDOR / "inter" / "inter.css", font_faces(modules, inter).encode())
    yield "@fontsource-variable/inter", f"{STATIC}/inter/inter.css"
    write(VENDOR / "icons.svg", sprite(modules).encode())
    yield "@tabler/icons", f"{STATIC}/icons.svg"
    write(STYLES, style_links(tabler, inter).encode())


def tabler_licence(modules: Path) -> str:
    """The package ships no licence file; its banner names licence and holders."""
    head = (modules / "@tabler/core/dist/css/tabler.min.css").read_text()[:600]
    holders = re.findall(r"Copyright [^\n*]+", head)
    return "MIT License\n\n" + "\n".join(holders) + "\n\n" + MIT


def font_faces(modules: Path, version: str) -> str:
    css = (modules / "@fontsource-variable/inter/index.css").read_text()
    css = css.replace("'Inter Variable'", "'Inter'")
    return re.sub(r"url\(\./files/([^)]+)\)", rf"url(\1?v={version})", css)


def style_links(tabler: str, inter: str) -> str:
    """Addresses carry the version, so browsers may keep the files for a year."""
    return f"""{{# Made by tools/vendor_assets.py. #}}
{{% set side = ".rtl" if shell_direction|default("ltr") == "rtl" else "" %}}
<link rel="preload" href="{{{{ url_for('static', filename='vendor/tabler' ~ side ~ '.min.css', v='{tabler}') }}}}" as="style">
<link rel="preload" href="{{{{ url_for('static', filename='vendor/inter/inter-latin-wght-normal.woff2', v='{inter}') }}}}" as="font" type="font/woff2" crossorigin>
<link rel="stylesheet" href="{{{{ url_for('static', filename='vendor/tabler-layer' ~ side ~ '.css', v='{tabler}') }}}}">
<link rel="stylesheet" href="{{{{ url_for('static', filename='vendor/inter/inter.css', v='{inter}') }}}}">
"""


def sprite(modules: Path) -> str:
    folder = modules / "@tabler/icons/icons/outline"
    names = sorted(icons_used())
    missing = [name for name in names if not (folder / f"{name}.svg").exists()]
    if missing:
        sys.exit(f"These are no Tabler outline icons: {', '.join(missing)}")
    symbols = "".join(symbol(name, (folder / f"{name}.svg").read_text()) for name in names)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{symbols}</svg>\n'


def symbol(name: str, svg: str) -> str:
    inner = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if inner is None:
        sys.exit(f"{name}.svg is not an SVG file")
    # The first path of every Tabler icon is an invisible 24 x 24 box.
    body = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>', "", inner[1])
    body = re.sub(r"\s*\n\s*", "", body).replace(" />", "/>")
    return (f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
            f'stroke-linecap="round" stroke-linejoin="round">{body}</symbol>')


NAME = r"""["']([a-z][a-z0-9-]*)["']"""
IN_TEMPLATES = (
    re.compile(rf"icon\(\s*{NAME}"),
    re.compile(rf"\bdraw\(\s*{NAME}"),
    re.compile(rf"\bicon_button\([^,]+,\s*{NAME}"),
    re.compile(rf"\blead\(\s*{NAME}"),
    re.compile(rf"\bicon\s*=\s*{NAME}"),
    re.compile(rf"\bicon\b[^%}}\n]*?\bor\s+{NAME}"),
    re.compile(rf"""["']icon["']\s*:\s*{NAME}"""),
    re.compile(rf"""\bst\(\s*["'][a-z]*["']\s*,\s*{NAME}"""),
    # {% set icon = "a" if x else "b" %} and the like: every name in a statement about icons
    re.compile(rf"\bicon\b[^%}}\n]*?\belse\s+{NAME}"),
    re.compile(rf"\bicon\b[^%}}\n]*?{NAME}\s+if\b"),
)


def icons_used() -> set[str]:
    """Every icon that a template, a navigation entry or a script names."""
    names: set[str] = set()
    for path in (*TEMPLATES.rglob("*.html"), *GALLERY.rglob("*.html")):
        text = path.read_text()
        for pattern in IN_TEMPLATES:
            names.update(pattern.findall(text))
    for path in (ROOT / "school").rglob("*.py"):
        if "static" not in path.parts:
            names.update(icons_in_python(path.read_text()))
    return names - {""}


def icons_in_python(source: str) -> set[str]:
    """`Place(label, endpoint, "users", …)`, `icon="users"`, and mappings named …ICON…."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            names.update(icons_of_call(node))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names.update(icons_of_mapping(node))
    return names


def icons_of_call(call: ast.Call) -> Iterator[str]:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called == "Place" and len(call.args) > 2:
        yield from strings_in(call.args[2])
    for keyword in call.keywords:
        if keyword.arg == "icon":
            yield from strings_in(keyword.value)


def icons_of_mapping(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if any("ICON" in getattr(target, "id", "") for target in targets):
        values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
        for value in values:
            if value is not None:
                yield from strings_in(value)


def strings_in(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def icons_in_sprite() -> set[str]:
    return set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons.svg").read_text()))


def remake_sprite(modules: Path) -> None:
    write(VENDOR / "icons.svg", sprite(modules).encode())
    entries = json.loads(LOCK.read_text())
    for item in entries:
        if item["file"] == f"{STATIC}/icons.svg":
            item["sha256"] = digest(VENDOR / "icons.svg")
    lock(entries)


def check() -> int:
    """Say what is wrong; 0 when nothing is."""
    faults = [f"{e['file']} is not as vendor.lock says" for e in json.loads(LOCK.read_text())
              if not (ROOT / e["file"]).exists() or digest(ROOT / e["file"]) != e["sha256"]]
    faults += [f"the sprite lacks {name}" for name in sorted(icons_used() - icons_in_sprite())]
    faults += [f"nobody uses {name}" for name in sorted(icons_in_sprite() - icons_used())]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("node_modules", type=Path, nargs="?", help="folder made by npm install")
    parser.add_argument("--icons", action="store_true", help="only the icon sprite")
    parser.add_argument("--check", action="store_true", help="only compare files with the lock")
    options = parser.parse_args()
    if options.check:
        return check()
    if options.node_modules is None:
        parser.error("name the node_modules folder")
    (remake_sprite if options.icons else vendor)(options.node_modules)
    print(f"{len(icons_used())} icons, {len(json.loads(LOCK.read_text()))} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
