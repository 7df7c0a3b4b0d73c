"""Every alert fires on its fault and stays silent below it, tested with Prometheus' promtool."""

from __future__ import annotations

import copy
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.deploy.expressions import rules
from tests.deploy.rendering import Rendered, named

pytestmark = pytest.mark.integration

Series = dict[str, str]
POD = 'namespace="valence",job="valence",pod="a"'
MODEL = f'{POD},model="m",version="1"'


def requests(ok: int, failed: int, steps: int) -> Series:
    sample = f'valence_requests_total{{{POD},method="POST",status='
    return {f'{sample}"200"}}': f"0+{ok}x{steps}", f'{sample}"503"}}': f"0+{failed}x{steps}"}


def durations(slow: int, steps: int) -> Series:
    labels = f'{POD},method="POST",status="200"'
    metric = "valence_request_duration_seconds"
    return {
        f'{metric}_bucket{{{labels},le="0.25"}}': f"0+{100 - slow}x{steps}",
        f"{metric}_count{{{labels}}}": f"0+100x{steps}",
    }


def rejected(overloaded: int, rate_limited: int, connections: int = 0) -> Series:
    sample = f"valence_rejected_requests_total{{{POD},reason="
    return {
        f'{sample}"overloaded"}}': f"0+{overloaded}x30",
        f'{sample}"rate-limited"}}': f"0+{rate_limited}x30",
        f'{sample}"too-many-connections"}}': f"0+{connections}x30",
        f'valence_requests_total{{{POD},method="POST",status="200"}}': "0+1000x30",
    }


def labels(before: int, after: int) -> Series:
    """Return a day of one label mixture and three hours of another."""
    sample = f"valence_predictions_total{{{MODEL},label="
    other, last = 100 - before, 100 - after
    return {
        f'{sample}"positive"}}': f"0+{before}x288 {before * 288}+{after}x36",
        f'{sample}"negative"}}': f"0+{other}x288 {other * 288}+{last}x36",
    }


def shares(part: str, whole: str, *, share: int) -> Series:
    return {f"{part}{{{MODEL}}}": f"0+{share}x180", f"{whole}{{{MODEL}}}": "0+100x180"}


def key_lines(valid: int, invalid: int) -> Series:
    sample = f"valence_keys{{{POD},state="
    return {f'{sample}"valid"}}': f"{valid}x30", f'{sample}"invalid"}}': f"{invalid}x30"}


def shadows(differed: int, failed: int, agreed: int) -> Series:
    """Return half an hour of texts that a challenger scored too."""
    sample = f'valence_shadow_texts_total{{{MODEL},challenger="2",outcome='
    return {
        f'{sample}"agreed"}}': f"0+{agreed}x40",
        f'{sample}"differed"}}': f"0+{differed}x40",
        f'{sample}"failed"}}': f"0+{failed}x40",
        f'{sample}"dropped"}}': "0+1000x40",
    }


def windows(drifted: int, usual: int) -> Series:
    """Return hours of windows of one signal; no window drifts in the first hour."""
    sample = f'valence_drift_windows_total{{{MODEL},signal="length",outcome='
    return {
        f'{sample}"drifted"}}': f"0x11 0+{drifted}x100",
        f'{sample}"usual"}}': f"0x11 0+{usual}x100",
    }


def estimates(right: int) -> Series:
    """Return hours of texts, 100 in five minutes, of which so many are estimated to be right."""
    return {
        f"valence_estimated_right_texts_total{{{MODEL}}}": f"0+{right}x100",
        f"valence_monitored_texts_total{{{MODEL}}}": "0+100x100",
        f"valence_reference_accuracy{{{MODEL}}}": "0.9x100",
    }


def saturation(*of_pods: str) -> Series:
    """Return the constant saturation of some pods."""
    labels = 'namespace="valence",job="valence",service="valence",pod='
    return {
        f'valence_saturation_ratio{{{labels}"{number}"}}': f"{value}x20"
        for number, value in enumerate(of_pods)
    }


def retrain(*, success: str, active: str = "0x60", due: str = "604800x60") -> Series:
    """Return an hour of a CronJob whose last run was scheduled at second 600 of it."""
    values = {
        "status_last_schedule_time": "_x9 600x50",
        "status_last_successful_time": success,
        "status_active": active,
        "next_schedule_time": due,
    }
    labels = 'namespace="valence",cronjob="valence-retrain"'
    return {f"kube_cronjob_{name}{{{labels}}}": samples for name, samples in values.items()}


def versions(pod: str, service: str, version: str, values: str = "1x40") -> Series:
    labels = f'namespace="valence",job="valence",service="{service}",pod="{pod}"'
    return {f'valence_model_alias{{{labels},model="m",alias="",version="{version}"}}': values}


class Case(NamedTuple):
    minutes: int
    firing: Series
    silent: Series
    step: int = 1


UNKNOWN = ("valence_unknown_tokens_total", "valence_tokens_total")
TRUNCATED = ("valence_truncated_texts_total", "valence_batch_items_sum")
CASES = {
    "ValenceErrorBudgetBurnsFast": Case(75, requests(980, 20, 80), requests(990, 10, 80)),
    "ValenceErrorBudgetBurnsSlowly": Case(420, requests(990, 10, 90), requests(995, 5, 90), step=5),
    "ValenceLatencyBudgetBurnsFast": Case(75, durations(16, 80), durations(13, 80)),
    "ValenceLatencyBudgetBurnsSlowly": Case(420, durations(7, 90), durations(5, 90), step=5),
    "ValenceQueueOld": Case(
        15,
        {f"valence_queue_age_seconds{{{MODEL}}}": "3x20"},
        {f"valence_queue_age_seconds{{{MODEL}}}": "2.5x20"},
    ),
    "ValenceSaturated": Case(15, saturation("0.9", "0.85"), saturation("1.3", "0.35")),
    "ValenceRejects": Case(25, rejected(7, 0, 5), rejected(8, 500, 1)),
    "ValenceRestarts": Case(
        14,
        {f"process_start_time_seconds{{{POD}}}": "100x4 200x4 300x10"},
        {f"process_start_time_seconds{{{POD}}}": "100x4 200x14"},
    ),
    "ValenceNotReady": Case(
        10,
        {f"up{{{POD}}}": "1x20", f"valence_ready{{{POD}}}": "0x20"},
        {f"up{{{POD}}}": "1x20", f"valence_ready{{{POD}}}": "0x4 1x20"},
    ),
    "ValenceKeysUnread": Case(
        10,
        {**key_lines(5, 0), f"valence_keys_unread{{{POD}}}": "0x4 1x20"},
        {**key_lines(5, 0), f"valence_keys_unread{{{POD}}}": "1x3 0x20"},
    ),
    "ValenceModelRefused": Case(
        10,
        {f'valence_model_refused{{{POD},model="m"}}': "0x4 1x20"},
        {f'valence_model_refused{{{POD},model="m"}}': "0x4 1 0x20"},
    ),
    "ValenceModelSourceUnread": Case(
        10,
        {f'valence_model_source_unread{{{POD},model="m"}}': "0x4 1x20"},
        {f'valence_model_source_unread{{{POD},model="m"}}': "1x4 0x20"},
    ),
    "ValenceVersionsMixed": Case(
        25,
        versions("a", "valence", "1") | versions("b", "valence", "2"),
        # a canary; and a replaced version, whose gauge workers that share metrics set to 0
        versions("a", "valence", "2")
        | versions("a", "valence", "1", "1x8 0x30")
        | versions("b", "valence-canary", "3"),
    ),
    "ValenceShadowDisagrees": Case(30, shadows(25, 5, 70), shadows(15, 5, 80)),
    "ValenceTextsDrift": Case(240, windows(1, 5), windows(1, 12), step=5),
    "ValenceAccuracyFalls": Case(240, estimates(83), estimates(87), step=5),
    "ValenceLabelsDrift": Case(1600, labels(70, 20), labels(70, 60), step=5),
    "ValenceUnknownWords": Case(150, shares(*UNKNOWN, share=16), shares(*UNKNOWN, share=14)),
    "ValenceTruncates": Case(150, shares(*TRUNCATED, share=6), shares(*TRUNCATED, share=4)),
    "ValenceRetrainFailed": Case(
        40,
        retrain(success="0x60", active="0x9 1x5 0x45"),
        retrain(success="0x20 1500x40", active="0x9 1x15 0x35"),
    ),
    "ValenceAbsent": Case(
        10,
        {f"up{{{POD}}}": "0x20"},
        {f"up{{{POD}}}": "0x20", 'up{namespace="valence",job="valence",pod="b"}': "1x20"},
    ),
}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    return found


@pytest.fixture(scope="module")
def rule_file(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    (rule,) = copy.deepcopy(named(rendered["production"], "PrometheusRule")).values()
    for group in rule["spec"]["groups"]:
        # the tests' own interval, coarser than that of a cluster
        group.pop("interval", None)
    path.write_text(yaml.safe_dump(rule["spec"]), "utf-8")
    return path


def run(promtool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [promtool, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def unit_test(
    rule_file: Path, alert: str, series: Series, *, step: int, minutes: int, firing: bool
) -> Path:
    """Return a promtool test of whether ``alert`` fires after ``minutes``."""
    path = rule_file.with_name(f"{alert}-{firing}.yaml")
    expected = [{"labels": "{}", "value": 1}] if firing else []
    test = {
        "interval": f"{step}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": f"{minutes}m",
                "exp_samples": expected,
            }
        ],
    }
    content = {"rule_files": [rule_file.name], "evaluation_interval": f"{step}m", "tests": [test]}
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def test_every_alert_has_a_case(rendered):
    alerts = {rule["alert"] for rule in rules(rendered["production"]) if "alert" in rule}
    assert alerts == CASES.keys()


def test_prometheus_accepts_the_rules(promtool, rule_file):
    checked = run(promtool, "check", "rules", rule_file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("valid", "invalid", "firing"), [(5, 1, True), (0, 0, True), (5, 0, False)]
)
def test_lost_lines_of_keys_fire_the_alert(promtool, rule_file, valid, invalid, firing):
    path = unit_test(
        rule_file,
        "ValenceKeysUnread",
        key_lines(valid, invalid) | {f"valence_keys_unread{{{POD}}}": "0x30"},
        step=1,
        minutes=10,
        firing=firing,
    )
    tested = run(promtool, "test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("series", "minutes", "firing"),
    [
        # the very first run fails: there is no time of a success
        (retrain(success="_x60"), 40, True),
        # a run that is still training
        (retrain(success="0x60", active="1x60"), 40, False),
        # the failure is silent again after a run that succeeds
        (retrain(success="0x30 1800x30"), 50, False),
        # the controller starts no runs: the next one was due before the hour began
        (retrain(success="700x60", due="0x180"), 170, True),
        (retrain(success="700x60", due="0x180"), 100, False),
    ],
    ids=["first run", "still training", "succeeded later", "never started", "started late"],
)
def test_a_retraining_is_told_by_its_last_run(promtool, rule_file, series, minutes, firing):
    longer = {
        name: f"{values} {values.split()[-1].split('x')[0]}x130" for name, values in series.items()
    }
    path = unit_test(
        rule_file, "ValenceRetrainFailed", longer, step=1, minutes=minutes, firing=firing
    )
    tested = run(promtool, "test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("firing", [True, False], ids=["fires", "is silent"])
@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_only_on_its_fault(promtool, rule_file, alert, firing):
    case = CASES[alert]
    series = case.firing if firing else case.silent
    path = unit_test(rule_file, alert, series, step=case.step, minutes=case.minutes, firing=firing)
    tested = run(promtool, "test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr
