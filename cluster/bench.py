"""What each step of making a cluster took, as a table."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from cluster.steps import Outcome


def show_times(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the steps' times and their sum, in seconds."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    table.add_column("Step", footer="all")
    table.add_column("Seconds", footer=f"{sum(outcome.seconds for outcome in outcomes):.1f}", justify="right")
    for outcome in outcomes:
        table.add_row(outcome.title, "there" if outcome.already else f"{outcome.seconds:.1f}")
    console.print(table)
