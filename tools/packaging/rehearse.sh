#!/usr/bin/env bash
# Goes through the steps of tools/packaging/Containerfile where there is no container engine: each FROM is a root made by debootstrap, each RUN a chroot
# into it. Then, in the last root as the image's user would: elmpi's version, a man page, and the digits on two ranks.
#   tools/packaging/rehearse.sh [--release NAME] [--keep] FOLDER
# FOLDER (empty or absent) receives the roots and is removed at the end, unless --keep. --release bookworm takes another Debian than the file says.
# Needs root, debootstrap and the mirror that apt uses.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/environment.sh
. "$here/../environment.sh"
file=$here/Containerfile
release='' keep=no

die() {
    echo "rehearse.sh: error: $*" >&2
    exit 1
}

while [ $# -gt 1 ]; do
    case $1 in
    --release)
        release=$2
        shift 2
        ;;
    --keep)
        keep=yes
        shift
        ;;
    *) break ;;
    esac
done
if [ $# -ne 1 ] || [[ $1 == -* ]]; then
    echo "rehearse.sh: error: wrong arguments: rehearse.sh [--release NAME] [--keep] FOLDER" >&2
    exit 2
fi
work=$1
[ "$(id -u)" -eq 0 ] || die "not root: roots cannot be made"
command -v debootstrap >/dev/null || die "debootstrap is not there: apt-get install debootstrap"
[ ! -e "$work" ] || [ -z "$(ls -A "$work")" ] || die "$work is not empty: name another folder"
mkdir -p "$work"
work=$(cd "$work" && pwd)
mirror=$(sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] )?([^ ]+) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1 || true)

root='' folder=/ variables=() roots=()
declare -A stages=()

# Mounts first: removing a root with /proc, /sys or /dev in it would follow them.
leave() {
    local path mount
    for path in "${roots[@]}"; do
        for mount in dev sys proc; do
            ! mountpoint -q "$path/$mount" || umount -R -l "$path/$mount"
        done
    done
    [ "$keep" = yes ] || [ "$(findmnt -rno TARGET | grep -c "^$work/" || true)" -ne 0 ] || rm -rf --one-file-system "$work"
}
trap leave EXIT

# inside COMMAND: by the shell of the root, in the folder and with the variables of the steps so far.
inside() {
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" chroot "$root" /bin/sh -c "cd $folder && $1"
}

# step_from IMAGE [AS NAME]: docker.io/library/debian:trixie-slim is Debian's smallest system of that release.
step_from() {
    local image=$1 code
    [[ $image =~ /debian:([a-z]+)(-slim)?$ ]] || die "FROM $image is no Debian image"
    code=${release:-${BASH_REMATCH[1]}}
    root=$work/stage${#roots[@]} folder=/ variables=()
    debootstrap --variant=minbase "$code" "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 || die "debootstrap fails: $(tail -n 3 "$root.log")"
    cp /etc/resolv.conf "$root/etc/"
    cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
    roots+=("$root")
    [ "${2:-}" != AS ] || stages[$3]=$root
    for mount in proc sys dev; do
        mount --rbind "/$mount" "$root/$mount"
        mount --make-rslave "$root/$mount"
    done
}

# step_copy [--from=STAGE] FROM TO: the context is the tree, without what git ignores.
step_copy() {
    local from=$here/../..
    if [[ $1 == --from=* ]]; then
        from=${stages[${1#--from=}]}
        shift
        mkdir -p "$root$2"
        cp -r "$from$1/." "$root$2/"
        return
    fi
    [ "$1" = . ] || die "COPY $1: only the whole tree is known"
    mkdir -p "$root$2"
    tar --create --directory="$from" --exclude='./build*' --exclude=./runs --exclude=./data --exclude=./.git . | tar --extract --directory="$root$2" --no-same-owner
}

while IFS= read -r line; do
    read -ra words <<<"$line"
    if [ ${#words[@]} -eq 0 ] || [[ ${words[0]} == '#'* ]]; then
        continue
    fi
    step "$line"
    case ${words[0]} in
    FROM) step_from "${words[@]:1}" ;;
    ENV) variables+=("${words[@]:1}") ;;
    COPY) step_copy "${words[@]:1}" ;;
    RUN) inside "${line#RUN }" ;;
    WORKDIR)
        folder=${words[1]}
        mkdir -p "$root$folder"
        ;;
    CMD) ;; # what an engine starts
    *) die "a step that is not known (${words[0]}): teach it to rehearse.sh" ;;
    esac
done <"$file"

step "what was built"
inside 'zcat -f /usr/share/man/man1/elmpi-train.1* | grep -c "^.SH"'
inside 'elmpi-prepare digits --out data/digits.h5'
inside 'mpirun --oversubscribe -np 2 elmpi-train digits-elm --set optim.epochs=2'
inside 'test -s runs/digits-elm/evaluation.json'
inside 'elmpi-report runs/digits-elm --out report.html && test -s report.html' || die "elmpi-report fails in the image"
echo "rehearsed: $(inside 'elmpi-train --version' | head -n 2 | paste -sd' ')"
