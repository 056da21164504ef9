"""A limit set by an administrator is said beside the file before anything of it is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.servers.schoolhouse import Running
from tools.screenshots import sign_in


def limit(page: Page, demo: Running, megabytes: str) -> None:
    """What Yusuf Demir may take up."""
    page.goto(f"{demo.url}/people?q=yusuf")
    page.get_by_role("link", name="Yusuf Demir").first.click()
    page.get_by_role("link", name="Space for files").click()
    page.get_by_label("Space in MB").fill(megabytes)
    page.get_by_role("button", name="Save the space").click()
    expect(page.get_by_role("heading", name="Space", exact=True)).to_be_visible()


def test_what_does_not_fit_is_not_sent(
    demo: Running, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    office, teacher = open_page(), open_page()
    sign_in(office, demo.url, "ingrid.solberg")
    sign_in(teacher, demo.url, "yusuf.demir")
    limit(office, demo, "1")
    teacher.goto(f"{demo.url}/students?q=20050")
    teacher.locator("table th[scope=row] a").first.click()
    teacher.get_by_role("link", name="Files").last.click()
    posts: list[str] = []
    teacher.on("request", lambda sent: posts.append(sent.url) if sent.method != "GET" else None)
    notes = tmp_path / "Notes.txt"
    notes.write_bytes(b"line\n" * 300_000)
    teacher.set_input_files("#pick", str(notes))
    row = teacher.locator(".up")
    expect(row).to_contain_text("There is no room for this file: you have")
    assert posts == []
    limit(office, demo, "")
    row.get_by_role("button", name="Send again").click()
    expect(teacher.get_by_role("link", name="Notes.txt").first).to_be_visible()


def test_the_chart_is_drawn_from_its_table(demo: Running, open_page: Callable[..., Page]) -> None:
    demo.command("housekeeping")
    page = open_page()
    sign_in(page, demo.url, "ingrid.solberg")
    for _ in range(50):  # the night's work is a job
        page.goto(f"{demo.url}/files/usage")
        if page.locator("#days-table tbody tr").count():
            break
        page.wait_for_timeout(200)
    drawn = "() => Chart.getChart(document.querySelector('canvas'))?.data.datasets[0].data.length"
    page.wait_for_function(drawn)
    days = page.locator("#days-table tbody tr").count()
    assert page.evaluate(drawn) == days > 0
    # A line needs two points; of a single day only its point can be seen.
    points = "() => Chart.getChart(document.querySelector('canvas')).data.datasets[0].pointRadius"
    assert (page.evaluate(points) > 0) == (days < 8)
