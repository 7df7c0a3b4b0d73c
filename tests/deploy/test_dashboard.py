import pytest

from tests.deploy import dashboard


def test_the_dashboard_file_is_up_to_date():
    written = dashboard.FILE.read_text("utf-8")
    assert written == dashboard.text(dashboard.families()), (
        "rewrite it: python -m tests.deploy.dashboard"
    )


def test_a_metric_without_a_row_is_refused():
    known = dashboard.families() | {"valence_new": dashboard.Family("counter", "New.")}
    with pytest.raises(ValueError, match=r"rows lack .*valence_new"):
        dashboard.build(known)


def test_a_removed_metric_is_refused():
    known = dashboard.families()
    del known["valence_tokens"]
    with pytest.raises(ValueError, match=r"not measured .*valence_tokens"):
        dashboard.build(known)


def test_every_panel_has_a_position_and_a_query():
    panels = dashboard.build(dashboard.families())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")
