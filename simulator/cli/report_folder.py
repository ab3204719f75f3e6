"""What `portchurn report` makes of a folder that is no run: the page of a bench, or of variants."""

from __future__ import annotations

from pathlib import Path


def page_of_folder(name: str, results: Path, *, shared: bool) -> Path | None:
    """Write the page of a bench, or of a scenario's variants; None where the name is neither.

    Args:
        name: a bench's folder, the folder of a kind of bench (its newest), or a scenario's folder.
        results: where names are looked up that are no path from here.
        shared: put the chart script beside the page instead of into it.

    Raises:
        UsageError: a scenario's folder has no two variants.
        ResultsIncomplete: files are damaged.
        OSError: the disk would not take it.
    """
    from simulator.store.layout import MANIFEST
    from simulator.store.read_bench import is_bench

    for folder in (Path(name), results / name):
        if not folder.is_dir() or (folder / MANIFEST).is_file() > is_bench(folder):
            continue
        newest = folder if is_bench(folder) else _newest_bench(folder)
        if newest is not None:
            from simulator.report.page.bench_page import write_bench_page

            return write_bench_page(newest, shared=shared)
        if "/" in name:
            from simulator.report.page.variants_page import newest_of_each, write_variants_page

            return write_variants_page(newest_of_each(folder), shared=shared)
    return None


def _newest_bench(folder: Path) -> Path | None:
    """Ids of benches begin with their moment, so the last by name is the newest."""
    from simulator.store.read_bench import is_bench

    return max((one for one in folder.iterdir() if is_bench(one)), default=None)
