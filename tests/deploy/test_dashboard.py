import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.deploy import dashboard, expressions
from tests.deploy.overview import OVERVIEW
from tests.deploy.rendering import ROOT
from tests.deploy.rows import ROWS, Panel


@pytest.fixture(scope="module")
def drawn():
    return dashboard.build(dashboard.families())


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


def test_panels_have_a_query_and_do_not_overlap(drawn):
    panels = list(expressions.panels(drawn))
    assert all(panel["targets"] for panel in panels)
    taken = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23
    heads = [panel for panel in drawn["panels"] if panel["type"] == "row"]
    assert {(0, head["gridPos"]["y"]) for head in heads} & set(taken) == set()
    identities = [panel["id"] for panel in [*panels, *heads]]
    assert len(set(identities)) == len(identities)


def test_titles_are_words_and_say_different_things(drawn):
    titles = [panel["title"] for panel in expressions.panels(drawn)]
    named = [panel.metric for row in ROWS.values() for panel in row if isinstance(panel, Panel)]
    assert not [title for title in titles if "_" in title or any(name in title for name in named)]
    for row in [*ROWS.values(), OVERVIEW]:
        own = [(panel.title, getattr(panel, "by", ())) for panel in row]
        assert len(set(own)) == len(own)


def test_the_overview_is_first_and_coloured_by_the_objectives(drawn):
    head, *rest = drawn["panels"]
    assert (head["title"], head["gridPos"]["y"]) == ("Overview", 0)
    stats = rest[: len(OVERVIEW)]
    assert [panel["title"] for panel in stats] == [stat.title for stat in OVERVIEW]
    assert {panel["type"] for panel in stats} == {"stat"}
    steps = {
        panel["title"]: [
            step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ]
        for panel in stats
    }
    runbook = (ROOT / "docs" / "operations" / "runbook.md").read_text("utf-8")
    assert "99.9 % of requests" in runbook
    assert "99 % of answers" in runbook
    assert steps["Answers without a server error"] == [None, 0.999]
    assert steps["Answers within 250 ms"] == [None, 0.99]
    # the rates at which the alerts of the two budgets fire
    rules = (ROOT / "deploy" / "components" / "monitoring" / "rules.yaml").read_text("utf-8")
    burning = set(re.findall(r"> ([\d.]+) \* 0\.0", rules))
    assert burning == {"14.4", "6"}
    assert steps["Error budget burns"] == steps["Latency budget burns"] == [None, 1, 6, 14.4]


def test_numbers_lead_to_their_section_of_the_runbook(drawn):
    runbook = (ROOT / "docs" / "operations" / "runbook.md").read_text("utf-8")
    sections = {name.lower() for name in re.findall(r"^## (\w+)$", runbook, re.MULTILINE)}
    links = [link["url"] for panel in expressions.panels(drawn) for link in panel.get("links", ())]
    assert len(links) > 8
    for link in links:
        address, _, section = link.partition("#")
        assert address == "${runbook}"
        assert section in sections
    assert [link["url"] for link in drawn["links"]] == ["${runbook}"]
    rules = yaml.safe_load(
        (ROOT / "deploy" / "components" / "monitoring" / "rules.yaml").read_text("utf-8")
    )
    alerts = [rule for rule in expressions.rules([rules]) if "alert" in rule]
    addresses = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in alerts}
    assert addresses == {dashboard.RUNBOOK}


def test_job_and_namespace_are_all_at_first(drawn):
    variables = {one["name"]: one for one in drawn["templating"]["list"]}
    for name in ("job", "namespace"):
        assert variables[name]["includeAll"]
        assert variables[name]["current"]["value"] == ["$__all"]
        # a series without the label is shown too
        assert variables[name]["allValue"] == ".*"
    queries = [t["expr"] for panel in expressions.panels(drawn) for t in panel["targets"]]
    unbound = [q for q in queries if "namespace" in q and 'namespace=~"$namespace"' not in q]
    assert unbound == []
    assert not [q for q in queries if 'job="' in q or "{}" in q]


def test_alerts_and_new_versions_are_marked(drawn):
    alerts, versions = drawn["annotations"]["list"]
    assert "ALERTS" in alerts["target"]["expr"]
    assert alerts["titleFormat"] == "{{alertname}}"
    assert "valence_model_info" in versions["target"]["expr"]
    assert "{{version}}" in versions["titleFormat"]


@pytest.mark.integration
def test_prometheus_accepts_every_expression(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    found = list(expressions.of_dashboard(dashboard.FILE))
    assert len(found) > 70
    rules = [{"record": f"panel:{number}", "expr": text} for number, (_, text) in enumerate(found)]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    checked = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(found)} rules found" in checked.stdout
