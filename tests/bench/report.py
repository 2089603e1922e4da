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


def end_text(results):
    """What stands below the rows."""
    yield from limit_text(results)
    yield from scale_text(results)
    yield from goals_text(results)


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
    yield from end_text(results)


def machine_us(results, row, label):
    """Microseconds of all processors for one connection, where they are all busy."""
    rate = results.median(row, label, "rate")
    return 1e6 * results.data["machine"]["processors"] / rate if rate else None


def limit_text(results):
    """What lies between superd and the least that can be; nothing where that was not measured."""
    lines = list(limit_lines(results))
    if lines:
        yield from ["Between superd and the bare clone loop", *lines, ""]


def limit_lines(results):
    for row in results.data["rows"]:
        ratio = results.ratio(row["id"], "superd", "clone")
        if ratio is None or not row["id"].startswith(("static", "dynamic")):
            continue
        own, bare = (machine_us(results, row["id"], label) for label in ("superd", "clone"))
        yield (
            f"  {row['id']:<12} {ratio:.2f} of its rate; of all processors' time "
            f"{own:.1f} against {bare:.1f} us a connection: {own - bare:+.1f} us"
        )
    parts = ("server_user_us", "server_kernel_us", "program_us", "rest_us")
    for part in parts:
        own, bare = (results.median("cpu", label, part) for label in ("superd", "clone"))
        if own is not None and bare is not None:
            name = part.removesuffix("_us").replace("_", ", ")
            line = f"  {name:<16} {own:6.1f} against {bare:6.1f} us a connection"
            yield f"{line}: {own - bare:+.1f} us"


def scale_text(results):
    """How many processors one superd, which is one thread, can keep busy."""
    figures = [
        results.median("cpu", "superd", part)
        for part in ("server_user_us", "server_kernel_us", "program_us")
    ]
    if None in figures or figures[0] + figures[1] <= 0:
        return
    own, all_us = sum(figures[:2]), sum(figures)
    busy = all_us / own
    yield "More processors"
    yield (
        f"  superd's own thread takes {own:.1f} us of a connection's {all_us:.1f} us "
        f"(without clients and network threads): one superd"
    )
    yield (
        f"  ends at {1e6 / own:,.0f} connections/s and keeps {busy:.1f} processors busy; "
        f"64 would want {64 / busy:.0f} of them."
    )
    yield ""
