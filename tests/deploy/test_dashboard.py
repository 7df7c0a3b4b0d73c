import pytest

from tests.deploy import dashboard


def test_the_dashboard_is_what_its_command_writes():
    written = dashboard.FILE.read_text("utf-8")
    assert written == dashboard.text(dashboard.families()), (
        "rewrite it: python -m tests.deploy.dashboard"
    )


def test_a_metric_that_no_row_shows_is_refused():
    known = dashboard.families() | {"valence_new": dashboard.Family("counter", "New.")}
    with pytest.raises(ValueError, match=r"rows lack .*valence_new"):
        dashboard.build(known)


def test_a_metric_that_is_gone_is_refused():
    known = dashboard.families()
    del known["valence_tokens"]
    with pytest.raises(ValueError, match=r"not measured .*valence_tokens"):
        dashboard.build(known)


def test_every_panel_has_its_place_and_a_query():
    panels = dashboard.build(dashboard.families())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")
