"""The report: needs nothing else, says what the record says, draws nothing that nobody measured."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest
from records import a_record, at, measured, point, promoted, rolled_back

from slipway.delivery import drawings, report
from slipway.delivery.record import Measured, RolloutRecord

#: Elements that HTML never closes.
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Checks that tags nest; collects text and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.said, self.attributes = list[str](), list[str](), list[tuple[str, str]]()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(each for each in self.said if each)


def page(*records: RolloutRecord) -> Page:
    return Page(report.as_html(records, at(120)))


def test_one_file_is_all_that_it_needs() -> None:
    shown = page(promoted(), rolled_back())
    assert not [value for name, value in shown.attributes if name in ("src", "srcset", "data")]
    assert {value[0] for name, value in shown.attributes if name == "href"} == {"#"}
    html = report.as_html([promoted()], at(120))
    assert "http" not in html
    assert "<script" not in html
    assert "@import" not in html


def test_it_says_how_each_rollout_ended_and_why() -> None:
    text = page(promoted(), rolled_back()).text
    assert "the candidate takes over: 540 requests, 0 failed, 540 of 540 labelled predictions right" in text
    assert "wrong: 11 of 21 labelled predictions of v4, 8 of 200 of v3; evidence 64 of 20" in text
    assert "at least 90 % of labelled predictions right" in text
    assert "0:20 rolled back 10 %" in text


def test_what_a_reason_quotes_is_text() -> None:
    html = report.as_html([a_record(reason="<script>alert(1)</script>")], at(0))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("record", [a_record(points=()), a_record(policy=""), promoted(), rolled_back()])
def test_everything_is_drawn_inside_the_drawing(record: RolloutRecord) -> None:
    (drawing,) = re.findall(r'<svg class="charts".*?</svg>', report.as_html([record], at(0)), re.DOTALL)
    ElementTree.fromstring(drawing)
    for panel in drawings.charts(record).panels:
        places = [place.split(",") for line in panel.lines for each in line.segments for place in each.split()]
        for x, y in [*places, *(place.split(",") for place in panel.area.split())]:
            assert drawings.LEFT <= float(x) <= drawings.WIDTH - drawings.RIGHT
            assert 0 <= float(y) <= drawings.PANEL


def test_what_nobody_measured_is_a_gap() -> None:
    points = [point(10 * n, 10, canary=measured(0, p95=None) if n == 2 else measured(20)) for n in range(5)]
    latency = drawings.charts(a_record(points=tuple(points))).panels[1]
    assert [len(line.segments) for line in latency.lines] == [1, 2]
    assert [len(line.dots) for line in latency.lines] == [5, 4]


def test_without_labels_or_a_judge_there_is_no_panel_for_them() -> None:
    plain = point(10, 10, evidence=None, primary=measured(180), canary=Measured(requests=20))
    titles = [panel.title for panel in drawings.charts(a_record(points=(plain,))).panels]
    assert titles == ["Traffic of the candidate", "Latency, 95th percentile, ms", "Requests answered, %"]


def test_the_limit_of_the_evidence_is_drawn_below_what_reached_it() -> None:
    panel = drawings.charts(rolled_back()).panels[-1]
    assert panel.bound is not None
    assert panel.bound.said == "rolls back at 20"
    assert min(dot.y for dot in panel.lines[0].dots) < panel.bound.y < max(dot.y for dot in panel.lines[0].dots)


def test_each_decision_is_marked_when_it_was_made() -> None:
    marks = drawings.charts(promoted()).decisions
    assert [mark.said for mark in marks] == ["1", "2", "3", "4", "5", "6"]
    assert [mark.x for mark in marks] == sorted(mark.x for mark in marks)
    assert (marks[0].x, marks[-1].x) == (drawings.LEFT, drawings.WIDTH - drawings.RIGHT)


def test_the_json_holds_the_records_and_reads_back(tmp_path: Path) -> None:
    written = report.write([promoted(), rolled_back()], tmp_path / "reports", "demo", at(120))
    assert report.read(written.json) == (promoted(), rolled_back())
    content = json.loads(written.json.read_text())
    assert content["generated"] == at(120)
    assert content["rollouts"][1]["totals"]["primary"]["success_percent"] == 100.0
    assert written.html.read_text().startswith("<!doctype html>")
