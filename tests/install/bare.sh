#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a newcomer meets on a bare Debian 12: a root file system of debootstrap's with git, gcc and make, without
# /etc/hosts, and a clone of HEAD in it. Root only, a network to Debian's mirror, 3 GB of disk; `make bare`.
#
#     tests/install/bare.sh [quick-start] [demo] [test] [arm64]      all of them without a word
#
# quick-start  README.md's block, pasted at once
# demo         make demo
# test         make test
# arm64        make, for arm64: Debian's cross compiler and libraries, and the program runs in an emulator
#
# The file system is made once, under build/bare; what the commands install goes into a copy of it that ends
# with them. Ends with one line: N passed, N failed.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
base=$root/build/bare
ports=/tmp/psync-relay-ports.0
words=${*:-quick-start demo test arm64}

make_base()
{
    local site
    # shellcheck disable=SC2016 # apt's own dollars
    site=$(apt-get indextargets --format '$(SITE) $(CODENAME)' | awk '$2 == "bookworm" { print $1; exit }')
    [ -n "$site" ] || {
        echo "bare: no mirror of bookworm is known here: apt-get update"
        return 1
    }
    rm -rf "$base.tmp"
    debootstrap --variant=minbase --include=git,gcc,make,ca-certificates bookworm "$base.tmp" "$site" \
        >"$root/build/bare.log" 2>&1 || {
        echo "bare: debootstrap failed (see build/bare.log)"
        return 1
    }
    rm -f "$base.tmp/etc/hosts"
    cp /etc/apt/sources.list.d/*.sources "$base.tmp/etc/apt/sources.list.d/" 2>/dev/null &&
        : >"$base.tmp/etc/apt/sources.list"
    cp /etc/apt/apt.conf.d/*proxy* "$base.tmp/etc/apt/apt.conf.d/" 2>/dev/null
    mv "$base.tmp" "$base"
}

# Runs a command line in a copy of the file system, with processes and mounts of its own.
in_bare()
{
    local copy
    copy=$(mktemp -d "$root/build/bare-run.XXXXXX") || return
    cp -a --reflink=auto "$base/." "$copy"
    git clone -q "$root" "$copy/srv/psync-relay" || return
    cp /etc/resolv.conf "$copy/etc/resolv.conf"
    # Its ports are this machine's: tests that run beside it must know which ones are taken.
    touch "$ports"
    # It is the root and not a chroot, in which nobody may make a user namespace.
    # shellcheck disable=SC2016 # the inner shell's dollars
    unshare -m -p -f --mount-proc --kill-child bash -c '
        mount --make-rprivate / && mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
            mount --rbind /dev "$1/dev" && mount --rbind /sys "$1/sys" && mount -t tmpfs tmp "$1/tmp" &&
            touch "$1$3" && mount --bind "$3" "$1$3" && cd "$1" &&
            pivot_root . mnt && umount -l mnt && cd /srv/psync-relay &&
            exec env -i HOME=/home TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin \
                ${PSYNC_RELAY_SLOW:+PSYNC_RELAY_SLOW="$PSYNC_RELAY_SLOW"} \
                bash -c "$2"' in_bare "$copy" "$1" "$ports"
    local status=$?
    rm -rf "$copy"
    return $status
}

# As it is pasted; `ip` is not there, and needed for addresses of a network of one's own only.
quick_start()
{
    PYTHONPATH=$root/tests/support /usr/bin/python3 -B -c '
import documents
print(documents.PRELUDE.replace("ip link set lo up\n", "") + documents.script_of("README", "Quick start"))'
}

arm64()
{
    cat <<'END'
set -e
dpkg --add-architecture arm64
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
    pkg-config qemu-user libevent-dev:arm64 libssl-dev:arm64 libinih-dev:arm64 liblz4-dev:arm64 libzstd-dev:arm64 libwslay-dev:arm64 >/tmp/log 2>&1 || { tail /tmp/log; exit 1; }
export PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig
make CC=aarch64-linux-gnu-gcc
qemu-aarch64 -L / build/psync-relay --version
qemu-aarch64 -L / build/psync-relay --set upstream.replicaof='127.0.0.1 6379' --print-config | grep -q ^replicaof
END
}

passed=0 failed=0
[ -d "$base" ] || make_base || exit 1
for word in $words; do
    case $word in
    quick-start | arm64) command="bash <(echo $("$(echo "$word" | tr - _)" | base64 -w0) | base64 -d)" ;;
    demo) command="make demo" ;;
    test) command="make test" ;;
    *)
        echo "usage: bare.sh [quick-start] [demo] [test] [arm64]" >&2
        exit 2
        ;;
    esac
    if in_bare "$command"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "  FAIL  $word"
    fi
done
echo "$passed passed, $failed failed (on a bare Debian 12)"
[ "$failed" -eq 0 ]
