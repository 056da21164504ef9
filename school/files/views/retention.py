"""How long older versions are kept: one rule for each purpose, looked at before it is saved."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from school.errors import DomainError, Invalid
from school.files.forms import RuleForm
from school.files.service import retention
from school.files.service.families import PURPOSE_WORDS, PURPOSES
from school.files.service.retention import MOST_VERSIONS, Amount, Limits
from school.files.service.shelf import shelf
from school.files.views.blueprint import bp
from school.permissions import Permission
from school.web.access import requires
from school.web.forms import show_on_form
from school.web.notices import was_done


@dataclass(frozen=True, slots=True)
class Shown:
    """One purpose on the page. `amount`: what the limits typed in would let go, once asked."""

    title: str
    form: RuleForm
    amount: Amount | None = None
    is_kept_whole: bool = True


@bp.get("/files/retention")
@requires(Permission.FILE_HOLD)
def retention_rules() -> str | tuple[str, int]:
    """The rules; with limits in the address also what these would let go."""
    asked = request.args.get("purpose")
    if asked not in PURPOSES:
        return _page()
    form = RuleForm(formdata=request.args, prefix=asked, meta={"csrf": False})
    if not form.validate():
        return _page({asked: Shown(_title(asked), form)}), 422
    limits = _limits(asked, form)
    try:
        amount = retention.amount_of(limits)
    except DomainError as error:
        show_on_form(form, error)
        return _page({asked: Shown(_title(asked), form)}), 422
    return _page({asked: Shown(_title(asked), form, amount, limits.is_empty)})


def _page(shown: dict[str, Shown] | None = None) -> str:
    rules = {rule.purpose: rule for rule in retention.list_rules()}
    every = {}
    for purpose in PURPOSES:
        rule = rules.get(purpose)
        data: dict[str, int | None] = {"version": rule.version if rule else 0}
        if rule:
            data |= {"most_versions": rule.most_versions, "most_days": rule.most_days}
        form = RuleForm(formdata=None, data=data, prefix=purpose)
        every[purpose] = (shown or {}).get(purpose) or Shown(_title(purpose), form)
    return render_template("files/retention.html", shown=every, trash_days=shelf().trash_days)


def _title(purpose: str) -> str:
    return str(_(PURPOSE_WORDS.get(purpose, purpose)))


def _limits(purpose: str, form: RuleForm) -> Limits:
    return Limits(purpose, form.most_versions.data, form.most_days.data)


@bp.post("/files/retention")
@requires(Permission.FILE_HOLD)
def save_rule() -> BaseResponse:
    """Save what was looked at."""
    purpose = request.form.get("purpose", "")
    form = RuleForm(prefix=purpose)
    if not form.validate():
        raise Invalid(
            "Type a whole number from 1 to %(most)s, or leave it empty.", most=MOST_VERSIONS
        )
    limits, seen = _limits(purpose, form), form.version.data or 0
    if was_done(lambda: retention.set_rule(limits, expected_version=seen)):
        flash(_("Saved. It is carried out every night."), "done")
    return redirect(url_for("files.retention_rules"), 303)
