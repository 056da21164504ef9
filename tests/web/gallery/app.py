"""A small app that shows every macro and layout with made-up data; tests and eyes look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, flash, redirect, render_template, request
from flask_babel import Babel
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import ChoiceLoader, FileSystemLoader
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    FieldList,
    Form,
    FormField,
    MultipleFileField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    widgets,
)
from wtforms.fields.choices import SelectChoice as C
from wtforms.validators import Email, InputRequired, Length, Optional

from school.web.formats import init_formats
from school.web.headers import init_headers

ROOT = Path(__file__).parent.parent.parent.parent
STUDENTS = [
    ("Tobi", "Adeyemi", False, "8B", 98), ("Leila", "Amini", False, "8A", 96),
    ("Freya", "Bakke", False, "8C", 100), ("Rohan", "Banerjee", False, "8B", 94),
    ("Jayden", "Brooks", False, "8A", 89), ("Camila", "Cárdenas", False, "8C", 97),
    ("Wei-Lin", "Chen", False, "8B", 99), ("Zofia", "Dąbrowska", False, "8B", 91),
    ("Hoàng Long", "Nguyễn", True, "8A", 97), ("Youssef", "El-Masry", False, "8B", 97),
    ("علی‌رضا", "محمدی", False, "8C", 95), ("Manaia", "Ngata", False, "8C", 98),
]


class CheckList(SelectMultipleField):
    """Several of several, as tick boxes."""

    widget = widgets.ListWidget(prefix_label=False)
    option_widget = widgets.CheckboxInput()


class Guardian(Form):
    """A form within the form."""

    name = StringField("Guardian's name", [InputRequired("Type a name.")])
    phone = StringField("Guardian's phone", [Optional()])


class Admit(FlaskForm):
    """Every kind of field there is."""

    given_name = StringField("Given name", [InputRequired("Type a name."), Length(max=100)])
    family_name = StringField("Family name", [InputRequired("Type a name."), Length(max=100)])
    born = DateField("Born", [InputRequired("Type the day as 31/12/2014.")])
    email = EmailField("E-mail", [Optional(), Email("Incomplete after @. It should end like example.org.")])
    password = PasswordField("Password", [Optional()])
    class_id = SelectField("Class", choices=[C("", "choose…"), C("7a", "7A"), C("7b", "7B")],
                           validators=[InputRequired("Choose a class.")])
    gender = RadioField("Gender", choices=[C("f", "Female"), C("m", "Male"), C("x", "Other")],
                        validators=[InputRequired("Choose one.")])
    languages = CheckList("Home languages", choices=[C("en", "English"), C("pl", "Polish")],
                          validators=[Optional()])
    note = TextAreaField("Medical note", [Optional()])
    photo = MultipleFileField("Photo", [Optional()])
    consent = BooleanField("The guardians have signed the consent form", [InputRequired("Tick this when it is signed.")])
    guardian = FormField(Guardian, label="First guardian")
    phones = FieldList(StringField("Phone"), label="Phones of the student", min_entries=2)


@dataclass
class Gallery:
    """What the pages change."""

    ticks: int = 0
    posted: list[dict[str, Any]] = field(default_factory=list)


def person(theme: str = "auto") -> SimpleNamespace:
    return SimpleNamespace(
        user_id="9", display_name="Ingrid Solberg", email="ingrid@example.org", theme=theme, density="normal",
        locale="en", schools=((1, "Northfield School"), (2, "Millbrook Primary")), has_avatar=False)


def navigation() -> SimpleNamespace:
    def item(label: str, icon: str, **more: Any) -> SimpleNamespace:
        return SimpleNamespace(label=label, icon=icon, url=more.pop("url", "/list"), current=more.pop("current", False),
                               badge=more.pop("badge", None))

    today, students = item("Today", "sun", url="/"), item("Students", "users", current=True)
    classes, files = item("Classes", "school"), item("Files", "folder", url="/files", badge=4)
    return SimpleNamespace(
        main=[today, students, classes, files],
        manage=[item("Imports", "table-import"), item("Settings", "settings")],
        platform=[], phone=[today, students, classes, files])


def create_gallery() -> Flask:
    """The gallery as an app."""
    app = Flask("gallery", static_folder=str(ROOT / "school" / "static"), static_url_path="/static",
                template_folder=str(ROOT / "school" / "templates"))
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.config.update(SECRET_KEY="gallery", TESTING=True, SEND_FILE_MAX_AGE_DEFAULT=0,
                      BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "school" / "translations"))
    app.jinja_loader = ChoiceLoader([  # type: ignore[assignment]
        FileSystemLoader(str(Path(__file__).parent / "templates")),
        FileSystemLoader(str(ROOT / "school" / "templates")),
    ])
    CSRFProtect(app)
    Babel(app, locale_selector=lambda: request.args.get("locale", "en"))
    init_formats(app)
    init_headers(app, https=False)
    app.extensions["gallery"] = Gallery()
    app.context_processor(_context)
    _routes(app)
    return app


def _context() -> dict[str, Any]:
    known = request.args.get("who") != "nobody"
    return {
        "current_person": person(request.args.get("theme", "auto")) if known else None,
        "current_school": SimpleNamespace(id=1, name="Northfield School", period="2026–27"),
        "nav": navigation() if known else SimpleNamespace(main=[], manage=[], platform=[], phone=[]),
        "locale": request.args.get("locale", "en"),
        "locales": {"en": "English", "de": "Deutsch"},
        "links": {"home": "/", "search": "/search", "help": "/help"},
    }


def _routes(app: Flask) -> None:
    state: Gallery = app.extensions["gallery"]
    rows = [SimpleNamespace(id=i, given=g, family=f, family_first=ff, class_name=c, attendance=a)
            for i, (g, f, ff, c, a) in enumerate(STUDENTS)]

    @app.get("/")
    def parts() -> str:
        if "flash" in request.args:
            flash({"message": "“Old seating plan.docx” is in the bin", "url": "/undo"}, "undo")
            flash("Saved 09:02", "message")
            flash("The mail server does not answer.", "error")
        now = datetime(2026, 11, 20, 8, 20, tzinfo=UTC)
        entries = [
            {"title": "Guardian’s phone changed", "who": "Ingrid Solberg", "when": "Today, 08:20", "at": now,
             "changes": [{"label": None, "old": "+44 7700 900730", "new": "+44 7700 900731"}], "undo_url": "/undo"},
            {"title": "Asthma plan.pdf replaced", "note": "Version 2 is kept", "who": "Ingrid Solberg",
             "when": "Yesterday, 15:04", "at": now},
            {"title": "Class changed", "who": "Yusuf Demir", "when": "30 October, 11:47", "at": now,
             "changes": [{"label": "Class", "old": "8C", "new": "8B"}, {"label": "Note", "old": None, "new": "Bus 31"}]},
        ]
        return render_template("parts.html", entries=entries, today=date(2026, 11, 20))

    @app.get("/list")
    def listing() -> str:
        q = request.args.get("q", "").lower()
        found = [r for r in rows if q in f"{r.given} {r.family}".lower()]
        page = SimpleNamespace(rows=found, before=None, after="abc")
        return render_template("list.html", page=page, sort=request.args.get("sort", "name"), q=q)

    @app.route("/form", methods=["GET", "POST"])
    def form() -> Any:
        form = Admit(born=date(2014, 3, 4)) if request.method == "GET" else Admit()
        if form.validate_on_submit():
            flash("Saved 09:02")
            return redirect("/form")
        return render_template("form.html", form=form), 422 if request.method == "POST" else 200

    @app.get("/preview")
    def preview() -> str:
        return render_template("preview.html")

    @app.get("/files")
    def files() -> str:
        return render_template("files.html", posted=state.posted)

    @app.post("/upload")
    def upload() -> Any:
        for sent in request.files.getlist("file"):
            if sent.filename and "bad" in sent.filename:
                return {"detail": "This file is a program. Send documents and pictures."}, 422
            state.posted.append({"name": sent.filename, "size": len(sent.read())})
        return ({}, 201) if "json" in request.headers.get("Accept", "") else redirect("/files")

    @app.get("/job")
    def job() -> str:
        state.ticks += 1
        fraction = min(1.0, state.ticks * 0.34)
        return render_template("job.html", job=SimpleNamespace(
            id="1", state="done" if fraction >= 1 else "running", fraction=fraction, error=None,
            sentence="243 students imported" if fraction >= 1 else f"{fraction:.0%} of 243 rows"))

    @app.get("/search")
    def search() -> str:
        q = request.args.get("q", "").lower()
        found = [{"url": "/list", "title": f"{r.given} {r.family}", "second": f"Class {r.class_name}",
                  "initials": r.given[0] + r.family[0], "tint": "p2"}
                 for r in rows if q in f"{r.given} {r.family}".lower()][:5]
        return render_template("_partials/search_results.html", groups=[
            {"label": "Students", "items": found}, {"label": "Files", "items": [
                {"url": "/files", "title": "Asthma plan.pdf", "second": "Version 3", "icon": "file-text"}] if "a" in q else []}])

    @app.post("/undo")
    @app.post("/bulk")
    @app.post("/account/appearance")
    def post() -> Any:
        state.posted.append({"path": request.path, **request.form})
        return redirect("/")

    @app.get("/door")
    def door() -> str:
        return render_template("door.html", form=Admit(), office_phone="01632 960150")

    @app.get("/error/<int:status>")
    def error(status: int) -> Any:
        more: dict[str, Any] = {"retry_after_s": 5} if status in {429, 503} else {}
        if status == 409:
            more = {"yours": {"Class": "8B", "Phone": "1"}, "theirs": {"Class": "8C", "Phone": "1"}}
        if status == 422:
            more = {"errors": {"born": ["There is no 31 February. Type the right date."]}}
        return render_template(f"errors/{status}.html", status=status, title="", request_id="0f3c9a7e21b44d0f",
                               detail="Nothing was saved.", code="x", **more), status


if __name__ == "__main__":
    create_gallery().run(port=8765, threaded=True)
