"""random_images.py TAR SEED COUNT [CHANGED..]: COUNT PNG files of noise in two folders, all of one length; those at the places CHANGED are
drawn with another seed."""
import io, random, struct, sys, tarfile, zlib


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def make_png(seed, k):
    draw = random.Random(1000 * seed + k)
    rows = b''.join(b'\0' + draw.randbytes(96) for _ in range(32))
    head = struct.pack('>IIBBBBB', 32, 32, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(rows, 0)) + chunk(b'IEND', b'')


changed = {int(k) for k in sys.argv[4:]}
with tarfile.open(sys.argv[1], 'w') as tar:
    for k in range(int(sys.argv[3])):
        content = make_png(int(sys.argv[2]) + (500 if k in changed else 0), k)
        entry = tarfile.TarInfo('c%d/%04d.png' % (k % 2, k))
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
