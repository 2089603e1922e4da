"""The results as text: on the terminal, and as a file to paste."""

import statistics

import goals


def cells_of(group, figures, reference):
    """The texts of one line of a row; reference: the figures of the line that ratios are of."""
    cells = []
    for figure, _, divisor, decimals in group["columns"]:
        values = figures.get(figure)
        if not values:
            cells.append("-")
        elif figure.startswith(("failed", "lost")) and figure != "lost_percent":
            cells.append(f"{sum(values):.0f}")
        else:
            cells.append(f"{statistics.median(values) / divisor:,.{decimals}f}")
    if not group["figure"]:
        return cells
    values = figures.get(group["figure"], [])
    middle = statistics.median(values) if values else 0
    spread = 50 * (max(values) - min(values)) / middle if len(values) > 1 and middle else None
    ratio = goals.paired_ratio(reference.get(group["figure"], []), values)
    cells.append("-" if spread is None else f"{spread:.0f}")
    cells.append("-" if ratio is None else f"{ratio:.2f}")
    return cells


def row_table(row):
    """The lines of one row's table."""
    by_label = {series["label"]: series["figures"] for series in row["series"]}
    reference = by_label.get(row["reference"], {})
    heads = [heading for _, heading, _, _ in row["groups"][0]["columns"]]
    if row["groups"][0]["figure"]:
        heads += ["+- %", "ratio"]
    lines = [
        (label + group["suffix"], cells_of(group, figures, reference))
        for label, figures in by_label.items()
        for group in row["groups"]
    ]
    if not lines:
        return
    name_width = max(len(label) for label, _ in lines)
    widths = [
        max(len(head), *(len(cells[i]) for _, cells in lines)) for i, head in enumerate(heads)
    ]
    yield " " * name_width + "".join(f"  {h:>{w}}" for h, w in zip(heads, widths))
    for label, cells in lines:
        yield f"{label:<{name_width}}" + "".join(f"  {c:>{w}}" for c, w in zip(cells, widths))


def row_text(row):
    """One row with its title and what was left out."""
    rounds, seconds = row["rounds"], row["seconds"]
    yield f"{row['id']}: {row['title']}"
    times = f"{rounds} round{'s' if rounds != 1 else ''}"
    if row["timed"]:
        times += f" of {seconds:g} s"
    figure = row["groups"][0]["figure"]
    if figure and row["series"]:
        column = next(c[1] for c in row["groups"][0]["columns"] if c[0] == figure)
        times += f"; ratio: {column} of {row['reference']} / of this line"
    yield f"  ({times})"
    for line in row_table(row):
        yield "  " + line
    for label, reason in row["skipped"].items():
        yield f"  skipped: {label}: {reason}"
    yield ""


def goals_text(results):
    verdicts = goals.judge(results)
    yield "Goals"
    width = max(len(verdict.name) for verdict in verdicts)
    for verdict in verdicts:
        line = f"  {verdict.name:<{width}}  {verdict.goal:>13}  {verdict.measured or '-':>9}"
        line += f"  {verdict.word()}"
        if verdict.measured is not None and 0 < verdict.rounds < 5:
            line += f" ({verdict.rounds} round{'s' if verdict.rounds > 1 else ''} only)"
        if verdict.reason:
            line += f" ({verdict.reason})"
        yield line
    yield ""


def head_text(data):
    """Where and how it was measured."""
    machine = data["machine"]
    yield f"superd {data['version']}, {data['date']}, {data['minutes']:.0f} minutes"
    yield (
        f"{machine['processors']} processors ({machine['model']}), "
        f"{machine['memory_gb']:.0f} GB, Linux {machine['kernel']}"
    )
    yield f"load of the machine before it began: {machine['load']:.1f}"
    if data["quick"]:
        yield "quick: too short for figures to be relied on"
    yield ""


def full_text(data):
    results = goals.Results(data)
    yield from head_text(data)
    for row in data["rows"]:
        yield from row_text(row)
    yield from goals_text(results)
