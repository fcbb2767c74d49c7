"""How the benchmark's results are printed and drawn."""
import collections

Row = collections.namedtuple(
    "Row", "workload case who metric unit median minimum maximum ratio")


def print_tsv_header():
    print("workload\tcase\twho\tmetric\tunit\tmedian\tmin\tmax\tratio_to_floor", flush=True)


def number(value):
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def print_tsv(rows):
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        print(*row[:5], number(row.median), number(row.minimum), number(row.maximum), ratio,
              sep="\t", flush=True)


def print_table(rows):
    title = None
    for row in rows:
        if (row.workload, row.case) != title:
            title = row.workload, row.case
            print(f"\n{row.workload} {row.case if row.case != '-' else ''}".rstrip())
        name = row.who if row.metric == "time" else f"{row.who}, {row.metric.replace('_', ' ')}"
        ratio = "" if row.ratio is None else f"{row.ratio:8.2f} x floor"
        spread = f"({number(row.minimum)} to {number(row.maximum)})"
        print(f"  {name:24} {number(row.median):>8} {row.unit:6} {spread:22}{ratio}", flush=True)


# The chart: a group of bars for each case, on a logarithmic scale, since some are a hundred floors.
BAR, GAP, LABEL, WIDTH, LARGEST = 13, 12, 190, 560, 128.0
COLOURS = {"aiol": "#1b7837", "aiol_task": "#5aae61", "floor": "#999999", "libuv": "#4575b4",
           "libev": "#74add1", "libevent": "#abd9e9", "asio": "#fdae61", "st": "#f46d43",
           "go": "#d73027"}


def position(ratio):
    """0 for a quarter of the floor, 1 for LARGEST floors."""
    import math
    least = 0.25
    return math.log(min(max(ratio, least), LARGEST) / least) / math.log(LARGEST / least)


def draw(rows, path):
    groups = {}
    for row in rows:
        if row.who in COLOURS and row.ratio and row.metric in ("time", "memory"):
            groups.setdefault((row.workload, row.case), []).append(row)
    parts, y = [], 46
    for (workload, case), found in groups.items():
        name = workload if case in ("-", "0") else f"{workload} {case}"
        parts.append(f'<text x="{LABEL - 10}" y="{y + 11}" text-anchor="end">{name}</text>')
        for row in found:
            if row.who == "floor":
                continue
            length = position(row.ratio) * WIDTH
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR - 2}" '
                         f'fill="{COLOURS[row.who]}"/>')
            parts.append(f'<text x="{LABEL + length + 4:.1f}" y="{y + 9}" class="value">'
                         f'{row.who} {row.ratio:.2f}</text>')
            y += BAR
        y += GAP
    lines = []
    for ratio in (0.5, 1, 2, 4, 8, 16, 32, 64, 128):
        x = LABEL + position(ratio) * WIDTH
        lines.append(f'<line x1="{x:.1f}" y1="38" x2="{x:.1f}" y2="{y}" stroke="'
                     f'{"#333" if ratio == 1 else "#ddd"}"/><text x="{x:.1f}" y="32" '
                     f'text-anchor="middle" class="value">{ratio:g}</text>')
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + WIDTH + 110}" '
                   f'height="{y + 10}" font-family="sans-serif" font-size="12">\n'
                   '<style>.value { font-size: 9px; fill: #444 }</style>\n'
                   '<rect width="100%" height="100%" fill="white"/>\n'
                   f'<text x="{LABEL}" y="14">Times the floor (hand-written, the bare minimum): '
                   'shorter is better</text>\n' + "\n".join(lines + parts) + "\n</svg>\n")
