"""Figures of a report with what is said of them, as images; grids of panels with one legend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

from globalfit.report.markup import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"  # Okabe & Ito, colour-blind safe
WIDE, HIGH = 2.9, 2.1  # inches of a panel
HEAD, FOOT = 0.35, 0.5  # inches for the legend, and below a panel
PIXELS = 1500  # width of a dense figure
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.linewidth": 0.8,
    "svg.hashsalt": "globalfit",
    "svg.fonttype": "path",
}

Image: TypeAlias = tuple[bytes, str]  # with its media type
Drawn: TypeAlias = "tuple[Drawing, Image]"


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure with what is said of it.

    Attributes
    ----------
    key, title : str
        Its id in a page, and its heading.
    alt : str
        What it shows, for those who do not see it.
    figure : Figure or None
        None if another process drew it, and the image is all that is wanted.
    dense : bool
        Of so many elements that pixels take less room than curves.
    """

    key: str
    title: str
    alt: str
    figure: Figure | None
    dense: bool = False

    def image(self) -> Image:
        """Return the figure as SVG, or as PNG if it is dense, with its media type."""
        import matplotlib as mpl

        assert self.figure is not None
        buffer = BytesIO()
        width = self.figure.get_size_inches()[0]
        with mpl.rc_context(STYLE):
            if self.dense:
                self.figure.savefig(buffer, format="png", dpi=min(150.0, PIXELS / width))
            else:
                self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue(), "image/png" if self.dense else "image/svg+xml"


Maker: TypeAlias = Callable[[], "Drawing | Drawn | None"]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def grid(
    rows: Sequence[Any],
    draw: Callable[[Axes, Any], None],
    *,
    stamped: bool,
    size: tuple[float, float] = (WIDE, HIGH),
    columns: int = 3,
    margins: tuple[float, float] = (0.25, 0.12),
) -> Figure:
    """Draw a panel a row, a legend above, and the stamp of a chain that is not converged.

    Parameters
    ----------
    rows, draw
        What to draw, and what draws one of it.
    stamped : bool
    size : (float, float)
        Of a panel with what is written around it, in inches.
    columns : int
    margins : (float, float)
        Left of each panel and above it, in inches. Places are set, not found: matplotlib's layout engines
        take longer than drawing.
    """
    import matplotlib as mpl

    columns = min(columns, len(rows))
    lines = -(-len(rows) // columns)
    width = max(size[0] * columns, 4.2)
    across = max(2, round(width / 1.9))
    with mpl.rc_context(STYLE):
        figure = new_figure(width, size[1] * lines + HEAD)
        height = figure.get_figheight()
        labelled: dict[str, Any] = {}
        for k, row in enumerate(rows):
            line, column = divmod(k, columns)
            left = column * width / columns + margins[0]
            bottom = (lines - 1 - line) * size[1] + FOOT
            inner = width / columns - margins[0] - 0.15, size[1] - FOOT - margins[1]
            panel = figure.add_axes((left / width, bottom / height, inner[0] / width, inner[1] / height))
            draw(panel, row)
            handles, labels = panel.get_legend_handles_labels()
            labelled |= {label: handle for handle, label in zip(handles, labels, strict=True)}
        legend(figure, labelled, across)
        if stamped:
            figure.text(
                0.5, 0.5, "NOT CONVERGED", color="red", alpha=0.35, fontsize=22, rotation=20,
                ha="center", va="center",
            )  # fmt: skip
    return figure


def legend(figure: Figure, labelled: Mapping[str, Any], across: int) -> None:
    """Put a legend at the top of a figure."""
    figure.legend(
        labelled.values(), labelled.keys(), loc="upper center", bbox_to_anchor=(0.5, 1.0),
        ncols=across, frameon=False, fontsize=8, borderaxespad=0.1,
    )  # fmt: skip


def plain(text: str) -> str:
    """Return a text in which matplotlib sees no formula."""
    return printable(text).replace("$", r"\$")


def images(*makers: Maker) -> Iterator[Drawn | str]:
    """Yield drawings with their images, or a line where one cannot be drawn: labels come from anywhere."""
    for maker in makers:
        try:
            found = maker()
            if isinstance(found, Drawing):
                yield found, found.image()
            elif found is not None:  # by another process
                yield found
        except Exception as error:  # a label of an unknown file must not cost the page
            yield f"{type(error).__name__}: {error}"
