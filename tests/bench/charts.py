"""Charts of rate and latency as SVG, drawn by gnuplot where it is installed."""

import shutil
import statistics
import subprocess

from goals import LIMITS

HEAD = """set terminal svg size {width},{height} font "sans-serif,13" background "white"
set output "{output}"
set title "{title}"
set grid
"""
NAMES = {"superd": "superd, access log", **{kind: f"bare {kind} loop" for kind in LIMITS}}


def name_of(label):
    return NAMES.get(label, label)


def colour_of(label):
    if label.startswith("superd"):
        return 0x1F77B4
    return 0xDDDDDD if label in LIMITS else 0xAAAAAA


def quote(text):
    return text.replace('"', "'")


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def medians(row, figure):
    """(label, median) of each line that has the figure."""
    for series in row["series"]:
        values = series["figures"].get(figure)
        if values:
            yield series["label"], statistics.median(values)


def rate_chart(row, output):
    """A bar for each server, the fastest on top."""
    bars = sorted(medians(row, "rate"), key=lambda bar: bar[1])
    if not bars:
        return None
    script = HEAD.format(
        width=900,
        height=80 + 26 * len(bars),
        output=output,
        title=quote(f"Connections per second: {row['title']}"),
    )
    lines = [
        f'{n} {rate:.0f} {colour_of(label)} "{name_of(label)}"'
        for n, (label, rate) in enumerate(bars)
    ]
    script += block("bars", lines)
    script += "set style fill solid noborder\nunset key\nset xrange [0:*]\nset lmargin 24\n"
    script += f"set yrange [-0.7:{len(bars) - 0.3}]\nset format x '%.0f'\n"
    script += (
        "plot $bars using ($2/2):1:($2/2):(0.36):3:ytic(4) with boxxyerror lc rgb variable, "
        "$bars using 2:1:(sprintf('%.0f', $2)) with labels right offset -0.5,0 tc rgb 'black'\n"
    )
    return script


def latency_chart(row, output):
    """p50 and p99 against the offered rate, a line for each server."""
    script = HEAD.format(
        width=900,
        height=560,
        output=output,
        title="Connect to first byte at 25, 50 and 90 % of each server's own maximum",
    )
    script += 'set key outside right\nset logscale y\nset xlabel "connections per second"\n'
    script += 'set ylabel "milliseconds (solid: median, dashed: 99th percentile)"\n'
    plots = []
    for number, series in enumerate(row["series"]):
        figures = series["figures"]
        points = []
        for part in (25, 50, 90):
            names = (f"offered_{part}", f"p50_{part}_us", f"p99_{part}_us")
            if all(figures.get(name) for name in names):
                x, p50, p99 = (statistics.median(figures[name]) for name in names)
                points.append(f"{x:.1f} {p50 / 1000:.4f} {p99 / 1000:.4f}")
        if not points:
            continue
        script += block(f"line{number}", points)
        style = f"lc {number + 1} lw {3 if series['label'] == 'superd' else 1.5} pt 7 ps 0.5"
        title = quote(name_of(series["label"]))
        plots.append(f'$line{number} using 1:2 with linespoints {style} title "{title}"')
        plots.append(f"$line{number} using 1:3 with linespoints {style} dt 2 notitle")
    return script + "plot " + ", \\\n".join(plots) + "\n" if plots else None


def services_chart(row, output):
    """Rate against the number of services."""
    points = {}
    for label, rate in medians(row, "rate"):
        name, _, rest = label.partition(", ")
        count, _, loop = rest.partition(" ")
        if "," not in loop:
            points.setdefault(name, []).append((int(count.replace(",", "")), rate))
    if not points:
        return None
    script = HEAD.format(
        width=900, height=420, output=output, title="Connections per second and services configured"
    )
    script += 'set logscale x\nset xlabel "services"\nset yrange [0:*]\nset key outside right\n'
    plots = []
    for number, (name, line) in enumerate(points.items()):
        script += block(f"line{number}", [f"{count} {rate:.0f}" for count, rate in sorted(line)])
        plots.append(
            f'$line{number} using 1:2 with linespoints lc {number + 1} lw 2 pt 7 title "{name}"'
        )
    return script + "plot " + ", \\\n".join(plots) + "\n"


CHARTS = (
    ("rate-static.svg", "static-16", rate_chart),
    ("rate-dynamic.svg", "dynamic-16", rate_chart),
    ("latency.svg", "latency", latency_chart),
    ("services.svg", "services", services_chart),
)


def draw(data, folder):
    """Draws what was measured; yields a line for each chart made or not."""
    if not shutil.which("gnuplot"):
        yield "charts: not drawn: gnuplot is not installed (Debian: gnuplot-nox)"
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows = {row["id"]: row for row in data["rows"]}
    for name, row_id, make in CHARTS:
        script = make(rows[row_id], folder / name) if row_id in rows else None
        if script is None:
            yield f"charts: {name}: not drawn: row {row_id} was not measured"
            continue
        done = subprocess.run(
            ["gnuplot", "-"], input=script, capture_output=True, text=True, check=False
        )
        said = done.stderr.strip()
        yield f"charts: {folder / name}" + (f": {said}" if done.returncode or said else "")
