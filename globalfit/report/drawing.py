"""Figures of a report with what is said of them, as images; grids of panels with one legend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

from globalfit.report.markup import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"  # Okabe & Ito, colour-blind safe
WIDE, HIGH = 2.9, 2.2  # inches of a panel
PIXELS = 1500  # width of a dense figure
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.linewidth": 0.8,
    "svg.hashsalt": "globalfit",
    "svg.fonttype": "path",
}

Image: TypeAlias = tuple[bytes, str]  # with its media type


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
        self.figure.set_layout_engine("none")  # it is laid out now, for the next format too
        return buffer.getvalue(), "image/png" if self.dense else "image/svg+xml"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def grid(
    rows: list[Any],
    draw: Callable[[Axes, Any], None],
    *,
    stamped: bool,
    size: tuple[float, float] = (WIDE, HIGH),
    columns: int = 3,
) -> Figure:
    """Draw a panel a row, a legend above, and the stamp of a chain that is not converged."""
    import matplotlib as mpl

    columns = min(columns, len(rows))
    lines = -(-len(rows) // columns)
    with mpl.rc_context(STYLE):
        figure = new_figure(max(size[0] * columns, 4.2), size[1] * lines + 0.5)
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        labelled: dict[str, Any] = {}
        for panel, row in zip(panels, rows, strict=False):
            draw(panel, row)
            handles, labels = panel.get_legend_handles_labels()
            labelled |= {label: handle for handle, label in zip(handles, labels, strict=True)}
        for panel in panels[len(rows) :]:
            panel.set_axis_off()
        figure.legend(
            labelled.values(),
            labelled.keys(),
            loc="outside upper center",
            ncols=max(2, round(figure.get_figwidth() / 1.9)),
            frameon=False,
            fontsize=8,
        )
        if stamped:
            figure.text(
                0.5, 0.5, "NOT CONVERGED", color="red", alpha=0.35, fontsize=22, rotation=20,
                ha="center", va="center",
            )  # fmt: skip
    return figure


def plain(text: str) -> str:
    """Return a text in which matplotlib sees no formula."""
    return printable(text).replace("$", r"\$")


def images(
    *makers: Callable[[], Drawing | tuple[Drawing, Image] | None],
) -> Iterator[tuple[Drawing, Image] | str]:
    """Yield drawings with their images, or a line where one cannot be drawn: labels come from anywhere."""
    for maker in makers:
        try:
            found = maker()
            if isinstance(found, Drawing):
                yield found, found.image()
            elif found is not None:  # drawn elsewhere
                yield found
        except Exception as error:  # a label of an unknown file must not cost the page
            yield f"{type(error).__name__}: {error}"
