"""The benchmark's own logic, without a look at the clock, and one tiny run from end to end."""

import itertools
import json
import os
import sys
from types import SimpleNamespace
from xml.etree import ElementTree as Xml

import pytest

from benchmarks import __main__ as command
from benchmarks import chart, contenders, driver, measure, report, targets, worker
from benchmarks.cases import CASES
from benchmarks.model import GEVENT, LIBEV, LIBUV, Case, Sample, Settings, Unavailable


def answer(variant, settings):
    return Sample(1.0)


TIME = Case("spawn", "spawn & join <1>", "us", dict.fromkeys([LIBEV, LIBUV, GEVENT, "uvloop-protocol"], answer))
RATE = Case("echo", "echo", "requests/s", dict.fromkeys([LIBEV, GEVENT], answer), higher_is_better=True)


def outcomes_of(case, **values):
    named = {name.replace("_", "-"): samples for name, samples in values.items()}
    return {case.name: {name: driver.Outcome(list(samples), [{}] * len(samples)) for name, samples in named.items()}}


class TestCases:
    def test_each_has_both_backends_and_gevent(self):
        for case in CASES.values():
            assert {LIBEV, LIBUV, GEVENT} <= set(case.variants), case.name

    def test_names_are_their_keys(self):
        assert all(name == case.name for name, case in CASES.items())

    def test_every_variant_is_a_contender_or_a_style_of_one(self):
        for case in CASES.values():
            for variant in case.variants:
                assert variant.startswith(contenders.CONTENDERS + contenders.HTTP)

    def test_every_target_names_a_case_and_variants_that_exist(self):
        for target in targets.TARGETS:
            variants = CASES[target.case].variants
            assert target.variant in variants
            assert not target.base or target.base in variants


class TestLibrary:
    @pytest.fixture
    def hubcore_on(self, monkeypatch):
        """A stand-in for hubcore whose loop is a libuv one."""
        loop = type("LibuvLoop", (), {"__module__": "hubcore.backends.libuv"})()
        fake = SimpleNamespace(get_hub=lambda: SimpleNamespace(loop=loop), socket=object())
        monkeypatch.setenv("HUB_BACKEND", "other")  # put back afterwards
        monkeypatch.setitem(sys.modules, "hubcore", fake)
        monkeypatch.setitem(sys.modules, "hubcore.socket", fake.socket)
        return fake

    def test_sets_the_backend_before_the_import(self, hubcore_on):
        assert contenders.library(LIBUV, "socket") is hubcore_on
        assert os.environ["HUB_BACKEND"] == "libuv"
        assert contenders.loop_name(hubcore_on) == "hubcore.backends.libuv.LibuvLoop"

    @pytest.mark.usefixtures("hubcore_on")
    def test_another_backend_than_asked_for_is_no_measurement(self):
        with pytest.raises(Unavailable, match="asked for the libev backend, got hubcore"):
            contenders.library(LIBEV)


class TestMicroseconds:
    def test_who_has_no_function_does_not_take_part(self):
        assert tuple(contenders.microseconds(answer)) == contenders.GREENLETS
        everybody = contenders.microseconds(answer, answer, answer, threads=answer)
        assert tuple(everybody) == contenders.CONTENDERS

    def test_threads_and_the_limit_run_plainly(self, monkeypatch):
        monkeypatch.setattr(contenders, "timed", lambda run, seconds: measure.Timing(run(3), 0.0))
        variants = contenders.microseconds(answer, raw=lambda rounds: rounds, threads=lambda rounds: rounds * 2)
        assert variants["limit"]("limit", Settings()).value == 3e6
        assert variants["threads"]("threads", Settings()).value == 6e6

    def test_a_round_of_many_is_divided_among_them(self, monkeypatch):
        monkeypatch.setattr(contenders, "timed", lambda run, seconds: measure.Timing(0.5, 0.25))
        sample = contenders.microseconds(answer, raw=len, per_round=1000)["limit"]("limit", Settings())
        assert sample == Sample(500.0, {"processor_us": 250.0})


WAITING = [
    *("semaphore", "rlock", "lock-contended", "queue-pingpong", "queue-bounded", "queue-simple", "event-fanout"),
    *("pool-map", "threadpool-apply", "threadpool-apply-free", "threadpool-map", "memory-wait"),
]


class TestWaiting:
    """What these cases call is what hubcore has, and they come to an end."""

    take = staticmethod(driver.run_worker(Settings(seconds=0.001)))

    @pytest.mark.parametrize("case", WAITING)
    def test_has_a_figure(self, case):
        answer = self.take(case, LIBEV)
        assert answer.get("value", 0) > 0, answer

    @pytest.mark.parametrize("case", WAITING)
    def test_those_that_need_no_package_have_one_too(self, case):
        for name in {"asyncio", "threads", "limit"} & set(CASES[case].variants):
            answer = self.take(case, name)
            assert answer.get("value", 0) > 0, (name, answer)


class TestUnderLoad:
    """Each load and each kind of server come to a figure, and the latency of a given rate is of so many requests."""

    take = staticmethod(driver.run_worker(Settings(load_seconds=0.2, warmup_seconds=0.05)))

    @pytest.mark.parametrize("case", ["latency", "echo-64k-server", "udp-server", "accept-server"])
    def test_has_a_figure(self, case):
        for variant in ("limit", LIBEV):
            answer = self.take(case, variant)
            if "needs a C compiler" in answer.get("error", "") or "did not compile" in answer.get("error", ""):
                pytest.skip(answer["error"])
            assert answer.get("value", 0) > 0, answer
            assert answer["extra"]["p50_us"] <= answer["extra"]["p99_us"] <= answer["extra"]["max_us"]
            if case == "latency":
                assert answer["extra"]["answered"] <= 20_000 * 0.25 + 100


class TestTimed:
    def test_calibrates_to_the_wanted_length(self):
        now = 0.0
        lengths = []

        def run(rounds):
            nonlocal now
            lengths.append(rounds)
            now += rounds * 0.001

        assert measure.timed(run, 0.5, clock=lambda: now, processor=lambda: now / 2) == pytest.approx((0.001, 0.0005))
        assert lengths[0] == 1
        assert lengths[-1] == pytest.approx(500, abs=1)

    def test_a_single_round_may_be_longer_than_the_sample(self):
        ticks = itertools.count(step=7.0)
        assert measure.timed(lambda rounds: None, 0.5, clock=lambda: next(ticks)).wall == 7.0

    def test_a_clock_that_does_not_move_at_first(self):
        ticks = iter([0.0, 0.0, 0.0, 1.0, 1.0, 2.0])
        timing = measure.timed(lambda rounds: None, 1.0, clock=lambda: next(ticks))
        assert timing.wall == pytest.approx(0.1)  # ten rounds took 1 s


class TestRatios:
    def test_above_one_is_better_whichever_way_the_unit_runs(self):
        assert TIME.ratio(2.0, 8.0) == 4.0
        assert RATE.ratio(8.0, 2.0) == 4.0

    def test_are_of_medians(self):
        outcomes = outcomes_of(TIME, hubcore_libev=[5, 4, 100], gevent=[20, 1, 21])[TIME.name]
        assert report.rows(TIME, outcomes) == [
            ("hubcore-libev", "5", "4 .. 100", "4.00", "1.00"),
            ("gevent", "20", "1 .. 21", "1.00", "0.25"),
        ]

    def test_are_left_empty_without_a_base(self):
        outcomes = outcomes_of(RATE, uvloop_protocol=[1000])[RATE.name]
        assert report.rows(RATE, outcomes) == [("uvloop-protocol", "1,000", "1,000 .. 1,000", "", "")]

    def test_a_failed_contender_stays_in_the_table_with_its_reason(self):
        outcomes = {LIBEV: driver.Outcome([1.0], [{}]), GEVENT: driver.Outcome(error="not installed: [x]")}
        assert report.rows(TIME, outcomes)[1][:2] == ("gevent", "failed")
        assert report.remarks(TIME, outcomes) == ["gevent failed: not installed: [x]"]

    def test_details_are_medians_too(self):
        extras = [{"processor_us": figure} for figure in (1, 9, 5)]
        outcomes = {LIBEV: driver.Outcome([1.0, 1.0, 1.0], extras), GEVENT: driver.Outcome([1.0], [{}])}
        assert report.remarks(TIME, outcomes)[0].endswith(": hubcore-libev 5")
        outcomes[LIBEV].values = [5.0, 5.1, 5.2]  # no other program took time, nothing to remark on
        assert report.remarks(TIME, outcomes) == []

    def test_a_server_without_its_processor_is_remarked_on(self):
        outcomes = {LIBEV: driver.Outcome([1.0, 1.0], [{"server_busy": 0.99}, {"server_busy": 0.5}])}
        assert "50%" in report.remarks(RATE, outcomes)[0]


class TestTargets:
    def judged(self, case, **values):
        medians = driver.medians(outcomes_of(case, **values))
        return {(v.target.variant, v.target.base): v for v in targets.judge({case.name: case}, medians)}

    def test_met_and_not_met(self):
        verdicts = self.judged(TIME, hubcore_libev=[5], hubcore_libuv=[5.1], gevent=[20])
        assert verdicts[LIBEV, GEVENT].met is True
        assert verdicts[LIBUV, GEVENT].met is False
        assert report.verdict_row(verdicts[LIBUV, GEVENT])[1:] == ("3.92x", "NOT MET")

    def test_without_a_figure_nothing_is_claimed(self):
        verdict = self.judged(TIME, hubcore_libev=[5])[LIBEV, GEVENT]
        assert verdict.met is None
        assert report.verdict_row(verdict)[1:] == ("-", "not measured")

    def test_a_limit_on_the_value_itself(self):
        case = CASES["memory"]
        verdicts = self.judged(case, hubcore_libev=[6000], hubcore_libuv=[7000])
        assert verdicts[LIBEV, ""].met is True
        assert verdicts[LIBUV, ""].met is False

    def test_only_those_of_the_cases_that_ran(self):
        assert {verdict.target.case for verdict in targets.judge({"spawn": TIME}, {})} == {"spawn"}


class TestChoosing:
    def test_nothing_named_is_everything(self):
        assert driver.choose_cases([], CASES) == CASES
        assert driver.choose_variants([], TIME) == list(TIME.variants)

    def test_a_prefix_names_all_of_its_kind(self):
        assert list(driver.choose_cases(["pingpong"], CASES)) == ["pingpong-1", "pingpong-100"]
        assert driver.choose_variants(["hubcore", "uvloop"], TIME) == [LIBEV, LIBUV, "uvloop-protocol"]

    def test_an_exact_name_names_only_itself(self):
        assert list(driver.choose_cases(["spawn"], CASES)) == ["spawn"]
        assert driver.choose_variants(["asyncio-streams"], CASES["echo"]) == ["asyncio-streams"]

    @pytest.mark.parametrize(("option", "right"), [("--cases", "spawn"), ("--contenders", "hubcore-libuv")])
    def test_an_unknown_name_is_told_the_right_ones(self, option, right, capsys):
        with pytest.raises(SystemExit) as caught:
            command.main([option, "spwan"])
        assert caught.value.code == 2
        message = capsys.readouterr().err
        assert "'spwan'" in message
        assert right in message

    def test_rounds_start_at_one(self, capsys):
        with pytest.raises(SystemExit):
            command.main(["--rounds", "0"])
        assert "less than 1" in capsys.readouterr().err


class TestRounds:
    def test_contenders_alternate(self):
        order = []

        def take(case, variant):
            order.append(variant)
            return {"value": len(order), "extra": {"n": len(order)}}

        outcomes = driver.run({"echo": RATE}, [], 2, take)
        assert order == [LIBEV, GEVENT, LIBEV, GEVENT]
        assert outcomes["echo"][GEVENT] == driver.Outcome([2.0, 4.0], [{"n": 2}, {"n": 4}])

    def test_who_fails_is_not_asked_again(self):
        asked = []

        def take(case, variant):
            asked.append(variant)
            return {"error": "no such module"} if variant == GEVENT else {"value": 1.0}

        outcomes = driver.run({"echo": RATE}, [], 3, take)
        assert asked.count(GEVENT) == 1
        assert outcomes["echo"][GEVENT].error == "no such module"
        assert outcomes["echo"][LIBEV].values == [1.0, 1.0, 1.0]

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (ModuleNotFoundError("No module named 'uvloop'", name="uvloop"), "pip install uvloop"),
            (Unavailable("needs a C compiler"), "needs a C compiler"),
            (OSError("out of files"), "OSError: out of files"),
        ],
    )
    def test_a_worker_says_why_it_failed(self, error, text, monkeypatch):
        def fail(variant, settings):
            raise error

        monkeypatch.setitem(CASES, "echo", Case("echo", "echo", "us", {GEVENT: fail}))
        assert text in str(worker.take("echo", GEVENT, Settings())["error"])


class TestChart:
    def drawn(self, values):
        cases = {TIME.name: TIME}
        return Xml.fromstring(
            Xml.tostring(chart.draw(cases, {TIME.name: values}, "a <foot> & more"), encoding="unicode")
        )

    def test_is_well_formed_whatever_the_texts(self, tmp_path):
        path = tmp_path / "sub" / "chart.svg"
        chart.write(path, chart.draw({TIME.name: TIME}, {TIME.name: {LIBEV: 5.0, GEVENT: 20.0}}, "a <foot> & more"))
        root = Xml.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "spawn & join <1>" in texts
        assert "5 us (4.00x)" in texts
        assert "a <foot> & more" in texts

    def test_bars_are_as_long_as_the_ratios(self):
        bars = self.drawn({LIBEV: 5.0, GEVENT: 20.0}).findall("{http://www.w3.org/2000/svg}rect")[1:]
        widths = [float(bar.get("width", "0")) for bar in bars]
        assert widths[0] == pytest.approx(widths[1] * 4, rel=0.01)

    def test_the_limit_does_not_set_the_scale(self):
        bars = self.drawn({GEVENT: 20.0, contenders.LIMIT: 1.0}).findall("{http://www.w3.org/2000/svg}rect")[1:]
        assert [float(bar.get("width", "0")) for bar in bars] == [chart.PLOT, chart.PLOT, 4]

    @pytest.mark.parametrize("values", [{}, {LIBEV: 5.0}, {LIBEV: -1.0, GEVENT: 2.0}, {LIBEV: 1.0, GEVENT: -2.0}])
    def test_odd_figures_do_not_break_it(self, values):
        self.drawn(values)


class TestReport:
    def test_plain_table(self):
        table = report.plain_table("title", ["name", "n"], [["a", "1"], ["long", "1,000"]])
        assert table.splitlines() == ["title", "name      n", "----  -----", "a         1", "long  1,000"]

    @pytest.mark.parametrize(
        ("value", "text"), [(0.01234, "0.0123"), (12.345, "12.3"), (99.96, "100"), (1234.5, "1,234"), (-3.0, "-3")]
    )
    def test_numbers(self, value, text):
        assert report.number(value) == text


def test_from_end_to_end(tmp_path, capsys):
    chosen = ["--cases", "spawn", "--contenders", "asyncio,limit", "--rounds", "2", "--seconds", "0.05"]
    code = command.main([*chosen, "--output", str(tmp_path)])
    assert code == 0
    shown = capsys.readouterr().out
    assert "spawn + join" in shown
    assert "not measured" in shown  # neither hubcore nor gevent took part
    details = json.loads((tmp_path / "latest.json").read_text())
    variants = details["cases"]["spawn"]["variants"]
    assert set(variants) == {"asyncio", "limit"}
    assert all(len(variant["samples"]) == 2 and min(variant["samples"]) > 0 for variant in variants.values())
    assert details["nproc"] >= 1
    assert details["options"]["seconds"] == 0.05
    Xml.parse(tmp_path / "latest.svg")
