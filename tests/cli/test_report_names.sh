#!/usr/bin/env bash
# elmpi-report draws runs and classes of any name: signs that mean something to gnuplot, HTML, SVG, CSV, a shell or a terminal; any language; long.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need "$(command -v gnuplot || echo gnuplot)" "gnuplot"
cd "$scratch"
export OMP_NUM_THREADS=1

expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out d.h5
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-ce.ini" --set data.store=d.h5 --set optim.epochs=2 --run-dir base
expect 0 "$ELMPI_BIN/elmpi-evaluate" base/checkpoint.h5 --analysis base/analysis.h5 --tsne-classes 10

# A run for each name, which is run.name and the first class; what stands in SVG and HTML, by Python's reading of them, is checked below.
/usr/bin/python3 - <<'EOF'
import os, re, shutil, h5py, numpy as np
names = ["'Apapane", "''", '"so"', "it's \"so\"", '`touch pwned`', '$(touch pwned)', r'back\slash\n', '^_{}~&@x', '<b>x</b><script>', '&lt; &#x41; &amp;',
         'שלום עולם', 'مرحبا', '🐦🏳️‍🌈', 'e\u0301\u0302', '|touch pwned', '-e', '%s%n%d', '=1+1', 'x' * 200, 'x' * 199 + 'y', '日本語' * 20, 'END', '#note', 'tab\there']
job, data = open('base/job.ini').read(), 'base/analysis.h5'
with open('names', 'w') as listed:
    for k, name in enumerate(names):
        os.mkdir('%02d' % k)
        for file in ('metrics.csv', 'evaluation.json', 'analysis.h5'):
            shutil.copy('base/' + file, '%02d' % k)
        open('%02d/job.ini' % k, 'w').write(re.sub(r'(?m)^name = .*', lambda m: 'name = ' + name, job, count=1))
        f = h5py.File('%02d/analysis.h5' % k, 'r+')
        classes = [name.encode()] + list(f['classes/name'][...])[1:]
        del f['classes/name']
        t = h5py.h5t.C_S1.copy()
        t.set_size(max(map(len, classes)))
        t.set_strpad(h5py.h5t.STR_NULLPAD)
        t.set_cset(h5py.h5t.CSET_UTF8)
        d = h5py.h5d.create(f['classes'].id, b'name', t, h5py.h5s.create_simple((len(classes),)))
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(classes, 'S%d' % t.get_size()), mtype=t)
        listed.write(repr(name) + '\n')
EOF

expect 0 "$ELMPI_BIN/elmpi-report" [0-9][0-9] --out all.html
[ ! -e pwned ] || fail "a name was run as a command"
[ ! -e all-figures/training.log ] || fail "gnuplot complains: $(tail -3 all-figures/training.log)"
/usr/bin/python3 - <<'EOF'
import ast, csv, html.parser, sys, xml.etree.ElementTree as tree
names = [ast.literal_eval(line).replace('\t', '\\x09') for line in open('names')]

class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.tags = [''], set()
    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.texts.append('')
    def handle_endtag(self, tag):
        self.texts.append('')
    def handle_data(self, data):
        self.texts[-1] += data

page = Reader()
page.feed(open('all.html').read())
assert 'script' not in page.tags, 'a name became a script'
series = {row['series'] for row in csv.DictReader(open('all-figures/training.csv'))}
drawn = [''.join(e.itertext()).strip() for e in tree.parse('all-figures/training.svg').iter() if e.tag.endswith('}text')]
for name in names:
    assert name in page.texts, ('not on the page', name)
    assert name in series, ('not in the table', name)
    shown = name if len(name) <= 32 else name[:31]
    assert any(text.startswith(shown) for text in drawn), ('not in the figure', name)
assert len(series) == len(names), 'names were taken for one'
EOF

# Outputs that a program might take for something else.
expect 0 "$ELMPI_BIN/elmpi-report" 00 --out '|touch pwned.html'
[ -s '|touch pwned.html' ] || fail "no page"
if [ -e pwned ] || [ -e pwned-figures ]; then
    fail "a path was run as a command"
fi
mkdir "'dir\"\`x\`"
expect 0 "$ELMPI_BIN/elmpi-report" 00 --out "'dir\"\`x\`/r.html"
[ -s "'dir\"\`x\`/r-figures/training.pdf" ] || fail "no figure in a folder of odd name"
echo "$(wc -l <names) names on page, figure and table"
