#!/usr/bin/env bash
# What preparation leaves out is said, also where nothing is left: files of other kinds, loose and hidden images, GIFs by the number, links to images
# that cannot be read.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

prepare=$ELMPI_BIN/elmpi-prepare
cd "$scratch"
/usr/bin/python3 - <<'END_OF_SCRIPT'
import os, struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
image = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(25 * 8)))
           + chunk(b"IEND", b""))
def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(content)
for folder in "ab":
    write("mixed/%s/1.png" % folder, image)
write("mixed/a/1.txt", b"of the image")
write("mixed/a/2", image)
write("mixed/b/notes.TXT", b"of all")
write("mixed/b/.DS_Store", b"of macOS")
for i in range(3):
    write("gifs/a/%d.gif" % i, b"GIF89a")
    write("flat/%d.png" % i, image)
write("gifs/a/x.webp", b"RIFF")
write("hidden/.git/a/1.png", image)
END_OF_SCRIPT

expect 0 "$prepare" pictures --archive mixed --out mixed.h5 --strict
says stdout "3 files whose name is no image's \(2 txt, 1 without an ending\): not looked into"
absent mixed-report.txt
expect 1 "$prepare" pictures --archive gifs --out gifs.h5
says stderr '4 images of kinds that elmpi does not read, left out \(3 gif, 1 webp\)'
says stderr 'no image found'
expect 1 "$prepare" pictures --archive flat --out flat.h5
says stderr "3 images in no class's folder"
expect 1 "$prepare" pictures --archive hidden --out hidden.h5
says stderr '1 image hidden'
absent gifs.h5 flat.h5 hidden.h5

# --- what is neither file nor folder
mkdir special
cp -r mixed/a mixed/b special/
mkfifo special/a/pipe.png
/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("special/b/socket")'
tar -cf special.tar -C special a/1.png b/1.png a/pipe.png
for source in "special:2 special files \(" "special.tar:1 special file \("; do
    expect 0 "$prepare" pictures --archive "${source%%:*}" --out special.h5 --force
    says stderr "${source#*:}pipe, socket or device\), left out"
    grep -q '^special file: .*pipe\.png: a pipe, socket or device' special-report.txt || fail "not in the report"
    expect 1 "$prepare" pictures --archive "${source%%:*}" --out special.h5 --strict --force
done

# --- an archive of no bytes is no empty class
mkdir archives
tar -C mixed -cf archives/a.tar a
touch archives/b.tar none.tar
expect 1 "$prepare" pictures --archive archives --out archives.h5
says stderr 'an empty file instead of an archive .*b\.tar'
tar -C archives -cf nested.tar a.tar b.tar
expect 1 "$prepare" pictures --archive nested.tar --out archives.h5
says stderr 'an empty file instead of an archive .*b\.tar'
expect 1 "$prepare" pictures --archive mixed --archive none.tar --out archives.h5
says stderr 'an empty file instead of an archive .*none\.tar'
absent archives.h5
