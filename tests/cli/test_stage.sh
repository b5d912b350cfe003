#!/usr/bin/env bash
# A store from others reads no file outside of its folder, however the path leads there, unless data.outside allows it; staged copies are for
# nobody who could not read the shard, and files or folders of another owner are not taken for them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip "python3-h5py is not installed"
cd "$scratch"
export OMP_NUM_THREADS=1
umask 022

mkdir set elsewhere
/usr/bin/python3 "$ELMPI_SOURCE/tests/cli/random_images.py" set/p.tar 1 24
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive set/p.tar --out set/s.h5
says_not stdout 'outside of the store'
printf '[run]\nname=x\nprecision=fp32\n[data]\nstore=%s/set/s.h5\ncrop=32\nstage=%s/stage\n[model]\nname=cifar-resnet8\n[optim]\nepochs=1\nbatch=8\n' \
    "$scratch" "$scratch" >k.ini

# point PATH: the store's shard is that file.
point() {
    /usr/bin/python3 - "$1" <<'EOF'
import sys, h5py, numpy as np
with h5py.File('set/s.h5', 'r+') as f:
    del f['shards/path']
    t = h5py.h5t.C_S1.copy()
    t.set_size(len(sys.argv[1]))
    t.set_strpad(h5py.h5t.STR_NULLPAD)
    t.set_cset(h5py.h5t.CSET_UTF8)
    d = h5py.h5d.create(f.id, b'shards/path', t, h5py.h5s.create_simple((1,)))
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([sys.argv[1].encode()], 'S%d' % len(sys.argv[1])), mtype=t)
EOF
}
train=("$ELMPI_BIN/elmpi-train" k.ini --max-steps 1)

echo "paths that lead outside"
cp set/p.tar elsewhere/secret.tar
chmod 600 elsewhere/secret.tar
ln -s ../elsewhere/secret.tar set/link.tar
ln -s ../elsewhere set/folder
mkdir -p "$scratch/set-2"
cp set/p.tar "$scratch/set-2/near.tar"
for path in "$scratch/elsewhere/secret.tar" ../elsewhere/secret.tar link.tar folder/secret.tar ./x/../../elsewhere/secret.tar "$scratch/set-2/near.tar"; do
    mkdir -p set/x
    point "$path"
    expect 1 "${train[@]}" --run-dir none
    says stderr 'a shard lies outside of .*/set, .*data.outside=allow'
    [ -z "$(find stage -type f)" ] || fail "$path was copied"
done
expect 1 "${train[@]}" --run-dir none --set data.stage=
says stderr 'a shard lies outside of'
# data.shards is such a folder too, and only that.
expect 0 "${train[@]}" --run-dir by-folder --set data.stage= --set "data.shards=$scratch/set-2"
ln -s "$scratch/elsewhere/secret.tar" "$scratch/set-2/p.tar"
point p.tar
expect 1 "${train[@]}" --run-dir none --set data.stage= --set "data.shards=$scratch/set-2"
says stderr 'a shard lies outside of'

echo "what is allowed, and the mode of copies"
point link.tar
expect 0 "${train[@]}" --run-dir allowed --set data.outside=allow
[ "$(stat -c %a stage/link.tar)" = 600 ] || fail "a private file's copy has mode $(stat -c %a stage/link.tar)"
point p.tar
for mode in 640 644 444 400; do
    rm -rf stage
    chmod "$mode" set/p.tar
    expect 0 "${train[@]}" --run-dir "mode-$mode"
    copied=$(stat -c %a stage/p.tar)
    [ $((8#$copied & ~8#$mode & ~8#200)) -eq 0 ] || fail "mode $mode became $copied"
done
if [ "$(id -u)" -eq 0 ]; then
    echo "files and folders of others"
    chmod 644 set/p.tar
    chown nobody stage/p.tar
    expect 0 "${train[@]}" --run-dir foreign-file
    says stdout 'Shards copied'
    [ "$(stat -c %U stage/p.tar)" = root ] || fail "a file of another user was trusted"
    chmod o+w stage/p.tar
    expect 0 "${train[@]}" --run-dir open-file
    says stdout 'Shards copied'
    expect 0 "${train[@]}" --run-dir own-file
    says_not stdout 'Shards copied'
    rm stage/p.tar
    ln -s "$scratch/set/p.tar" stage/p.tar
    expect 0 "${train[@]}" --run-dir linked-file
    [ ! -L stage/p.tar ] || fail "a link was trusted"
    chown nobody stage
    expect 1 "${train[@]}" --run-dir none
    says stderr 'belongs to another user'
    chown root stage
    chmod 777 stage
    expect 1 "${train[@]}" --run-dir none
    says stderr 'can be written to by other users'
    chmod 1777 stage # as /tmp is
    expect 0 "${train[@]}" --run-dir sticky
fi
