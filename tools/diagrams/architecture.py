"""architecture.py ROOT [--table]: docs/architecture.svg, the modules of src/ with an arrow from each to those that it may include, or with
--table the rows of the module table in CONTRIBUTING.md. Arrows that follow from others are left out, as are those to base and from tools.
Modules stand in layers; an arrow over several layers passes between the boxes of those in between."""
import sys
from html import escape

sys.path.insert(0, __file__.rsplit('/', 1)[0])
from modules import Modules

BOX, HEIGHT, GAP, LAYER, MARGIN, THREAD = 172, 88, 26, 150, 24, 4
FONT = 'font-family="DejaVu Sans, Verdana, sans-serif"'


def layers_of(modules, names):
    """Layer of each module: above all that it includes, as low as that allows; what includes only base stands right below its users."""
    layer = {}
    for name in names:
        layer[name] = 1 + max((layer[n] for n in modules.uses[name] if n in layer), default=0)
    for name in reversed(names):
        users = [layer[n] for n in names if name in modules.uses[n]]
        if not modules.direct(name) & set(names) and users:
            layer[name] = min(users) - 1
    return layer


def rows_and_threads(modules, names, layer):
    """Rows from the bottom: names, and (from, to, layer) where an arrow passes. Links join neighbors of adjacent rows."""
    rows = [[n for n in names if layer[n] == at] for at in range(1, max(layer.values()) + 1)]
    links = []
    for name in names:
        for other in sorted(modules.direct(name) & set(names)):
            above = name
            for at in range(layer[name] - 1, layer[other], -1):
                thread = (name, other, at)
                rows[at - 1].append(thread)
                links.append((above, thread))
                above = thread
            links.append((above, other))
    return rows, links


def crossings(upper, lower, links):
    place = {item: at for row in (upper, lower) for at, item in enumerate(row)}
    inside, above = set(lower), set(upper)
    pairs = [(place[a], place[b]) for a, b in links if a in above and b in inside]
    return sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(pairs) for c, d in pairs[:i])


def total(rows, links):
    return sum(crossings(rows[at + 1], rows[at], links) for at in range(len(rows) - 1))


def length(rows, links):
    """How far apart the ends of the links stand, in widths of a row."""
    place = {item: (at + 0.5) / len(row) for row in rows for at, item in enumerate(row)}
    return sum(abs(place[a] - place[b]) for a, b in links)


def untangle(rows, links):
    """Swaps items of a row as long as that lessens crossings, or at equal crossings the lengths."""
    def cost():
        return total(rows, links), length(rows, links)
    best, better = cost(), True
    while better:
        better = False
        for row in rows:
            for i in range(len(row)):
                for j in range(i):
                    row[i], row[j] = row[j], row[i]
                    found = cost()
                    if found[0] < best[0] or found[0] == best[0] and found[1] < best[1] - 1e-9:
                        best, better = found, True
                    else:
                        row[i], row[j] = row[j], row[i]


def width_of(item):
    return BOX if isinstance(item, str) else THREAD


def spread(rows, links):
    """Horizontal centers: each row is packed, then items move towards the mean of their neighbors as far as the row's order allows."""
    center = {}
    widths = [sum(width_of(i) + GAP for i in row) - GAP for row in rows]
    canvas = max(widths)
    for row, width in zip(rows, widths):
        x = (canvas - width) / 2
        for item in row:
            center[item] = x + width_of(item) / 2
            x += width_of(item) + GAP
    for _ in range(60):
        for row in rows:
            for at, item in enumerate(row):
                near = [center[b if a == item else a] for a, b in links if item in (a, b)]
                if not near:
                    continue
                half = width_of(item) / 2
                low = half if at == 0 else center[row[at - 1]] + width_of(row[at - 1]) / 2 + GAP + half
                high = canvas - half if at + 1 == len(row) else center[row[at + 1]] - width_of(row[at + 1]) / 2 - GAP - half
                center[item] = min(max(sum(near) / len(near), low), max(low, high))
    return center, canvas


def wrapped(text, columns):
    lines = ['']
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append('')
        lines[-1] += (' ' if lines[-1] else '') + word
    return lines


def box(x, y, width, height, name, text, columns):
    lines = wrapped(text, columns)
    if 37 + 14 * (len(lines) - 1) > height - 6:
        sys.exit('docs/architecture.txt: the text of %s does not fit into its box' % name)
    out = ['<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="6" fill="#eef3fa" stroke="#34618f"/>' % (x, y, width, height),
           '<text x="%.0f" y="%.0f" font-size="15" font-weight="bold" text-anchor="middle">%s</text>' % (x + width / 2, y + 20, name)]
    for at, line in enumerate(lines):
        out.append('<text x="%.0f" y="%.0f" font-size="11" text-anchor="middle">%s</text>' % (x + width / 2, y + 37 + 14 * at, escape(line)))
    return out


def draw(modules):
    names = [n for n in modules.bottom_up() if n not in ('base', 'tools')]
    layer = layers_of(modules, names)
    rows, links = rows_and_threads(modules, names, layer)
    untangle(rows, links)
    center, canvas = spread(rows, links)
    bar = 50
    height = 2 * MARGIN + 2 * bar + 2 * GAP + len(rows) * LAYER - (LAYER - HEIGHT)
    width = canvas + 2 * MARGIN

    def top(item):
        at = next(i for i, row in enumerate(rows) if item in row)
        return height - MARGIN - bar - GAP - HEIGHT - at * LAYER

    def port(item, others, other):
        """Where a link meets a box: its links side by side, in the order of their other ends."""
        if not isinstance(item, str):
            return center[item] + MARGIN
        order = sorted(others, key=lambda o: center[o])
        return center[item] + MARGIN + (order.index(other) - (len(order) - 1) / 2) * min(26, (BOX - 30) / max(1, len(order) - 1))
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" %s fill="#1c2733">' % (width, height, FONT),
           '<title>Modules of elmpi and the direction of includes</title>',
           '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
           '<path d="M0,1 L10,5 L0,9 z" fill="#34618f"/></marker></defs>',
           '<rect width="100%" height="100%" fill="white"/>']
    for a, b in links:
        x1 = port(a, [d for c, d in links if c == a], b)
        x2 = port(b, [c for c, d in links if d == b], a)
        y1, y2 = top(a) + HEIGHT, top(b)
        if not isinstance(a, str):
            out.append('<path d="M%.0f,%.0f V%.0f" fill="none" stroke="#34618f" stroke-width="1.3"/>' % (x1, top(a), y1))
        bend = (y2 - y1) * 0.6
        head = ' marker-end="url(#arrow)"' if isinstance(b, str) else ''
        out.append('<path d="M%.0f,%.0f C%.0f,%.0f %.0f,%.0f %.0f,%.0f" fill="none" stroke="#34618f" stroke-width="1.3"%s/>' %
                   (x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2, head))
    for name in names:
        out += box(center[name] + MARGIN - BOX / 2, top(name), BOX, HEIGHT, name, modules.does[name], 26)
    out += box(MARGIN, MARGIN, canvas, bar, 'tools', modules.does['tools'] + '; may include every module', 200)
    out += box(MARGIN, height - MARGIN - bar, canvas, bar, 'base', modules.does['base'] + '; every module may include it', 200)
    return out + ['</svg>']


def table(modules):
    for name in modules.bottom_up():
        used = modules.uses[name]
        yield '| `%s` | %s | %s |' % (name, modules.does[name], 'all' if name == 'tools' else ' '.join(sorted(used)))


if __name__ == '__main__':
    found = Modules(sys.argv[1])
    print('\n'.join(table(found) if '--table' in sys.argv else draw(found)))
