"""Every figure of the course in one style."""

# Okabe & Ito's colours, which colour-blind readers can tell apart (https://jfly.uni-koeln.de/color)
COLORS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
}


def use_style() -> None:
    """Set Matplotlib's defaults for the course: white, a light grid, safe colours, 100 dpi."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.prop_cycle": mpl.cycler(color=list(COLORS.values())),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 12,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.figsize": (9, 3.6),
            "font.size": 11,
            "grid.color": "#E4E4E4",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "savefig.dpi": 100,
            "savefig.facecolor": "white",
        }
    )
