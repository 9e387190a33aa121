"""The goals for the mattes, and whether what was measured meets them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quality_measure.rows import COST, MEAN, Row


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure that has to be reached, by both forms of a model.

    Attributes:
        name: what the goal is about.
        size: of the model.
        matte: how the mattes are made, as the rows name it.
        footage: of the rows.
        figure: which of the row's figures.
        limit: the figure.
        is_most: the limit is the most that is allowed, not the least.
    """

    name: str
    size: str
    matte: str
    footage: str
    figure: str
    limit: float
    is_most: bool = False

    def is_about(self, row: Row) -> bool:
        """Whether the row has a figure for this goal."""
        is_model = str(row["model"]).startswith(f"person-{self.size} ")
        is_footage = str(row["footage"]).endswith(self.footage)
        return is_model and is_footage and row["matte"] == self.matte and self.figure in row

    def verdict(self, row: Row) -> Row:
        """The goal held against a row."""
        measured = float(row[self.figure])
        is_met = measured <= self.limit if self.is_most else measured >= self.limit
        return {
            "goal": self.name,
            "model": row["model"],
            "figure": self.figure,
            "wanted": f"{'<=' if self.is_most else '>='} {self.limit:g}",
            "measured": measured,
            "is": "met" if is_met else "missed",
        }


def _clips(name: str, size: str, limits: dict[str, float]) -> list[Goal]:
    is_most: Callable[[str], bool] = {"flicker", "lag"}.__contains__
    return [
        Goal(name, size, "1 look", MEAN, figure, limit, is_most(figure)) for figure, limit in limits.items()
    ]


GOALS = (
    Goal("stills, full quality", "384x208", "6 looks", " stills", "iou", 0.905),
    Goal("stills, full quality", "384x208", "6 looks", " stills", "outline_f", 0.87),
    *_clips(
        "clips, default",
        "256x144",
        {"iou": 0.945, "boundary_f": 0.93, "boundary_f_full": 0.82, "flicker": 7, "lag": 0},
    ),
    *_clips(
        "clips, high quality",
        "384x208",
        {"iou": 0.95, "boundary_f": 0.94, "boundary_f_full": 0.89, "flicker": 5, "lag": 0},
    ),
    Goal("cost of the matte", "256x144", "1 look", COST, "extra_ms", 1.5, is_most=True),
)


def verdicts(rows: Sequence[Row]) -> list[Row]:
    """Each goal held against every row that is about it."""
    return [goal.verdict(row) for goal in GOALS for row in rows if goal.is_about(row)]


def missed(goals: Sequence[Row]) -> bool:
    """Whether any of the verdicts is a miss."""
    return any(goal["is"] == "missed" for goal in goals)
