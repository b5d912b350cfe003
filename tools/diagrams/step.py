"""step.py ROOT: docs/step.svg out of docs/step.txt, which says what its lines mean."""
import sys
from html import escape

COLORS = {'data': '#d9ead3', 'compute': '#cfe0f5', 'norm': '#f3e3f7', 'message': '#fde3c4', 'agree': '#f4c7c3'}
LEFT, WIDTH, LANE, BAR, TOP, RIGHT = 196, 1060, 62, 40, 84, 24
FONT = 'font-family="DejaVu Sans, Verdana, sans-serif"'
LETTER = 0.62  # width of an average letter in DejaVu Sans, in font sizes


def read(path):
    title, lanes, marks, keys = '', [], [], []
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            word, _, rest = line.strip().partition(' ')
            if not word or word.startswith('#'):
                continue
            if word == 'title:':
                title = rest
            elif word == 'lane:':
                lanes.append((rest, []))
            elif word == 'mark:':
                at, _, text = rest.partition(' ')
                marks.append((float(at), text))
            elif word == 'key:':
                keys.append(rest.partition(' ')[::2])
            else:
                end, color, text = rest.split(' ', 2)
                if color not in COLORS:
                    sys.exit('%s:%d: unknown color %s: use one of %s' % (path, number, color, ', '.join(COLORS)))
                lanes[-1][1].append((float(word), float(end), color, text))
    return title, lanes, marks, keys


def fitted(text, width, size):
    """One line, or two where one is too wide; nothing is cut: too long a text is an error."""
    def wide(line):
        return len(line) * size * LETTER > width - 6
    if not wide(text):
        return [text]
    words = text.split()
    for cut in range(len(words) - 1, 0, -1):
        lines = [' '.join(words[:cut]), ' '.join(words[cut:])]
        if not wide(lines[0]) and not wide(lines[1]):
            return lines
    sys.exit('docs/step.txt: "%s" does not fit into its bar' % text)


def label(x, y, size, text, anchor='start', extra=''):
    return '<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s"%s>%s</text>' % (x, y, size, anchor, extra, escape(text))


def bar(begin, end, y, color, text):
    x, width = LEFT + begin * WIDTH / 100, (end - begin) * WIDTH / 100
    yield '<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="4" fill="%s" stroke="#55606b"/>' % (x, y, width, BAR, COLORS[color])
    lines = fitted(text, width, 11)
    for at, line in enumerate(lines):
        yield label(x + width / 2, y + BAR / 2 + 4 + (at - (len(lines) - 1) / 2) * 14, 11, line, 'middle')


def draw(title, lanes, marks, keys):
    bottom = TOP + LANE * len(lanes)
    height = bottom + 22 * len(keys) + 24
    yield '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" %s fill="#1c2733">' % (LEFT + WIDTH + RIGHT, height, FONT)
    yield '<title>%s</title>' % escape(title)
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield label(16, 28, 16, title, extra=' font-weight="bold"')
    for at, text in marks:
        x = LEFT + at * WIDTH / 100
        last = at > 80
        yield '<path d="M%.1f,%d V%d" stroke="#9a3324" stroke-dasharray="4 3"/>' % (x, TOP - 14, bottom)
        yield label(x + (-4 if last else 4), TOP - 18, 11, text, 'end' if last else 'start', ' style="fill:#9a3324"')
    for row, (name, bars) in enumerate(lanes):
        y = TOP + row * LANE
        if row % 2:
            yield '<rect x="0" y="%d" width="100%%" height="%d" fill="#000" fill-opacity="0.04"/>' % (y, LANE)
        yield label(16, y + LANE / 2 + 4, 12, name)
        for begin, end, color, text in bars:
            yield from bar(begin, end, y + (LANE - BAR) / 2, color, text)
    for row, (color, text) in enumerate(keys):
        y = bottom + 14 + 22 * row
        yield '<rect x="%d" y="%d" width="18" height="14" rx="3" fill="%s" stroke="#55606b"/>' % (LEFT, y, COLORS[color])
        yield label(LEFT + 26, y + 11, 11, text)
    yield '</svg>'


if __name__ == '__main__':
    print('\n'.join(draw(*read(sys.argv[1] + '/docs/step.txt'))))
