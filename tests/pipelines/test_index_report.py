"""What runs of the indexer did, added up."""

from pipelines.index_report import IndexReport, Skipped, merge_reports


def test_reports_of_several_runs_add_up() -> None:
    broken = Skipped("scan.pdf", "no text layer")
    one = IndexReport(2, 30, 1, 0, [broken], [("a.md", "repaired")], 1.5)
    other = IndexReport(1, 5, 0, 4, seconds=0.5)
    assert merge_reports([one, other]) == IndexReport(
        3, 35, 1, 4, [broken], [("a.md", "repaired")], 2.0
    )
    assert one.documents == 2
    assert merge_reports([]) == IndexReport()
