#!/usr/bin/env bash
# No control character from a file, a name or the command line reaches the terminal or log.txt, from any program; names in UTF-8 do as they are.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$scratch"

/usr/bin/python3 - <<'EOF'
import io, struct, tarfile, zlib

def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

png = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 32, 32, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(b'\0' * 97 * 32)) + chunk(b'IEND', b'')

def tar(path, names, content):
    with tarfile.open(path, 'w') as t:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))

tar('odd.tar', ['p/\x1b]0;owned\x07%d.png' % k for k in range(3)], b'no image')
open('cut.tar', 'wb').write(open('odd.tar', 'rb').read()[:2600])
tar('good.tar', ['p/%d.png' % k for k in range(6)], png)
open('names.txt', 'wb').write('a\x1b[31mRED\nb\u202eevil ñandú\n'.encode())
open('train.txt', 'w').write(''.join('p/%d.png %d\n' % (k, k % 2) for k in range(4)))
open('test.txt', 'w').write(''.join('p/%d.png %d\n' % (k, k % 2) for k in range(4, 6)))
open('bad-list.txt', 'w').write('p/\x1b[31mX.png zzz\n')
open('odd.json', 'w').write('{"images": [{"id": 1, "file_name": "\\u001b[2J", \x1b[31m}]}')
EOF
printf '[run]\nname=x\nfoo\033[31m=1\n' >key.ini
printf '[run]\nname=x\n[model]\nname=\302\2331m\n' >value.ini
printf '[run]\nname=x\nprecision=fp32\n[data]\nstore=%s/s.h5\ncrop=32\n[model]\nname=cifar-resnet8\n[optim]\nepochs=1\nbatch=4\n' "$scratch" >good.ini

# clean COMMAND...: whatever it says, however it ends.
clean() {
    timeout "$limit" "$@" >stdout 2>stderr </dev/null || true
    LC_ALL=C grep -qE $'[\001-\010\013-\037\177]|\302[\200-\237]|\342\200[\216\217\250-\256]|\342\201[\246-\251]' stdout stderr &&
        fail "a control character is printed by: $*"
    [ -s stdout ] || [ -s stderr ] || fail "nothing is said by: $*"
}

clean "$ELMPI_BIN/elmpi-prepare" pictures --archive odd.tar --out a.h5
clean "$ELMPI_BIN/elmpi-prepare" pictures --archive cut.tar --out b.h5
clean "$ELMPI_BIN/elmpi-prepare" pictures --archive good.tar --train-list bad-list.txt --out c.h5
clean "$ELMPI_BIN/elmpi-prepare" pictures --archive good.tar --train-list odd.json --out d.h5
clean "$ELMPI_BIN/elmpi-prepare" pictures --archive $'\033[31mabsent.tar' --out $'\033[32m.h5'
clean "$ELMPI_BIN/elmpi-train" key.ini
clean "$ELMPI_BIN/elmpi-train" value.ini
clean "$ELMPI_BIN/elmpi-train" good.ini --set $'\033[31mrun.name=1'
clean "$ELMPI_BIN/elmpi-evaluate" $'\033[31mabsent.h5'
clean "$ELMPI_BIN/elmpi-export" $'\033[31mabsent.h5' --to m.onnx
clean "$ELMPI_BIN/elmpi-report" $'\033[31mabsent' --out r.html
clean "$ELMPI_BIN/elmpi-bench" --model $'\033[31m'

# Names of classes: in the log of training, in an evaluation, and in log.txt.
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive good.tar --train-list train.txt --test-list test.txt --class-names names.txt --out s.h5
clean "$ELMPI_BIN/elmpi-train" good.ini --run-dir r
clean "$ELMPI_BIN/elmpi-evaluate" r/checkpoint.h5
clean cat r/log.txt
echo "no control character reached the terminal"
