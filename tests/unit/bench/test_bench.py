"""What is made of measurements: figures, results, tables, and what clients print."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.client import Load, LoadFailed
from bench.figures import ratio, shown, spread
from bench.progress import Progress
from bench.results import Results, Row, Sample
from bench.running import all_workloads, chosen
from bench.servers import Kind
from bench.tables import as_document, as_text

LINE = (
    b'{"done": 20, "seconds": 2.0, "bytes": 4000000000, "bad": 0, "errors": 0, '
    b'"p50_ms": 1.5, "p99_ms": 3.0, "max_ms": 9.0}'
)


class FiguresTests(SynchronousTestCase):
    """Medians, spread and ratios."""

    def test_spread(self) -> None:
        """The spread is the whole range as a share of the median."""
        self.assertEqual(0.5, spread([10.0, 8.0, 13.0]))

    def test_ratio_of_rounds(self) -> None:
        """Rounds are compared with themselves, not their medians."""
        self.assertEqual(2.0, ratio([2.0, 40.0, 9.0], [1.0, 20.0, 3.0]))

    def test_ratio_of_medians(self) -> None:
        """If a round of one is missing, the medians are compared."""
        self.assertEqual(3.0, ratio([2.0, 6.0, 9.0], [1.0, 3.0]))

    def test_no_ratio(self) -> None:
        """There is no ratio to nothing, nor to 0."""
        self.assertEqual((None, None), (ratio([1.0], []), ratio([1.0], [0.0])))

    def test_shown(self) -> None:
        """Three digits can be read."""
        found = [shown(value) for value in (12345.6, 12.34, 1.234, 0.01234, 0)]
        self.assertEqual(["12,346", "12.3", "1.23", "0.0123", "0.00"], found)


class ProgressTests(SynchronousTestCase):
    """How far a run is."""

    def test_nothing_done(self) -> None:
        """Before the first step is done nobody knows how long it will take."""
        progress = Progress(["a", "b"], 100.0)
        self.assertIsNone(progress.left())
        self.assertEqual("  0.0 min,    ? to go", progress.line(100.0))

    def test_first_time(self) -> None:
        """What was not done yet takes as long as what was, on average."""
        progress = Progress(["a", "b", "c", "a", "b", "c"], 0.0)
        progress.done(10.0)
        progress.done(40.0)
        self.assertEqual(20.0 + 10.0 + 30.0 + 20.0, progress.left())

    def test_again(self) -> None:
        """A step takes as long as the last time."""
        progress = Progress(["a", "b", "a", "b"], 0.0)
        for now in (100.0, 160.0, 170.0):
            progress.done(now)
        self.assertEqual(60.0, progress.left())
        self.assertEqual("  3.0 min,    1 to go", progress.line(180.0))

    def test_over(self) -> None:
        """In the end nothing is left."""
        progress = Progress(["a"], 0.0)
        progress.done(5.0)
        self.assertEqual(0, progress.left())


class LoadTests(SynchronousTestCase):
    """What the load client prints."""

    def test_parsed(self) -> None:
        """Rate and speed come of what was done and the time."""
        load = Load.parse(LINE)
        self.assertEqual((10.0, 2.0, 3.0), (load.rate, load.speed, load.p99))

    def test_not_a_load(self) -> None:
        """Anything else is an error."""
        for text in ("", "[]", '{"done": 1}', "ready"):
            self.assertRaises(LoadFailed, Load.parse, text)

    def test_bad(self) -> None:
        """A load with bad answers does not count."""
        load = Load.parse(LINE.replace(b'"bad": 0', b'"bad": 1'))
        self.assertRaises(LoadFailed, load.checked)


class ResultsTests(SynchronousTestCase):
    """Results, kept and put together."""

    def test_json(self) -> None:
        """What is written is read back."""
        results = _results()
        self.assertEqual(results, Results.from_json(results.to_json()))

    def test_not_results(self) -> None:
        """Other JSON is refused."""
        for text in ("[]", "{}", "1"):
            self.assertRaises(ValueError, Results.from_json, text)

    def test_merge(self) -> None:
        """A row of a later run takes the place of an earlier one's, as a whole."""
        later = Results()
        later.add("a", "pull", Row("pulled", "GB/s"), "ours", Sample(7.0))
        results = _results()
        results.merge(later)
        found = results.rows["a"]
        self.assertEqual(([7.0], []), (found.values("ours"), found.values("go")))
        self.assertIn("b", results.rows)


class TablesTests(SynchronousTestCase):
    """Tables for a terminal and for a document."""

    def test_document(self) -> None:
        """A row shows median, spread, ratio and the processors' time."""
        self.assertIn(
            "| pulled | 4.00 GB/s ±25% | 2.00 GB/s ±0% | 2.00x "
            "| 0.1 s/GiB | 0.4 s/GiB | 0.25x |",
            as_document(_results()),
        )

    def test_problems(self) -> None:
        """What went wrong is in both, and breaks no table."""
        results = _results()
        results.problems.append("a\n| b")
        self.assertIn("- a / b\n", as_document(results))
        self.assertIn("! a", as_text(results))

    def test_alone(self) -> None:
        """A row of one server has no ratio."""
        self.assertNotIn("ratio", as_text(_results()).split("Pushes")[1])


class ChoiceTests(SynchronousTestCase):
    """Workloads and servers that are asked for."""

    def test_names_are_unique(self) -> None:
        """No two rows have the same name."""
        names = [f"{each.name}{key}" for each in all_workloads() for key in each.rows]
        self.assertEqual(len(names), len(set(names)))

    def test_group(self) -> None:
        """A group's name chooses all that is of it."""
        found = chosen(all_workloads(), ["manifests"])
        self.assertEqual({"manifests"}, {each.group for each in found})

    def test_exact(self) -> None:
        """A workload's whole name is that workload; a part of one, all that have it."""
        found = chosen(all_workloads(), ["manifest-tag-1"])
        self.assertEqual(["manifest-tag-1"], [each.name for each in found])
        self.assertEqual(4, len(chosen(all_workloads(), ["manifest-tag"])))

    def test_unknown(self) -> None:
        """A name that is none is an error."""
        self.assertRaises(ValueError, chosen, all_workloads(), ["nothing"])

    def test_peer(self) -> None:
        """A peer is a name and a command that says where its configuration goes."""
        kind = Kind.parse("go3=registry serve {config}")
        words = ["registry", "serve", "{config}"]
        self.assertEqual(("go3", words), (kind.name, kind.command))
        for text in ("go3", "=registry {config}", "go3=registry serve"):
            self.assertRaises(ValueError, Kind.parse, text)


def _results() -> Results:
    """Return two rounds of a row of two servers, and a row of one."""
    results = Results({"system": "x"}, {"ours": "1", "go": "2"})
    row = Row("pulled", "GB/s", cpu="s/GiB")
    for value in (3.0, 5.0):
        results.add("a", "pull", row, "ours", Sample(value, 0.1, {"p50_ms": 1.0}))
    for value in (2.0, 2.0):
        results.add("a", "pull", row, "go", Sample(value, 0.4))
    results.add("b", "push", Row("pushed", "/s"), "ours", Sample(1.0))
    return results
