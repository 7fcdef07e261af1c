#!/bin/bash
# SPDX-License-Identifier: MIT
#
# systemd as the first process of a machine made of namespaces. Its disk is IMAGE with what
# is written kept in FOLDER, its network is ours. All mounts are its own and go with it; the group that it runs in
# stays, empty, under the name of FOLDER.
#
#   boot.sh --boot IMAGE FOLDER
#   boot.sh --forget FOLDER         removes the group; fails as long as somebody lives in it
set -eu

stage=$1 image=$2 folder=${3-$2}
group=$folder/groups/psync-relay${folder//\//-}

case $stage in
--forget)
    # shellcheck disable=SC2016 # expanded inside
    exec unshare --mount bash -c 'mount -t cgroup2 cgroup2 "$1/groups"
        [ ! -d "$2" ] || find "$2" -depth -type d -exec rmdir {} +' bash "$folder" "$group"
    ;;
--boot)
    mkdir -p "$folder"/{groups,upper,work,root}
    exec unshare --mount "$0" --group "$image" "$folder"
    ;;
--group)
    mount --make-rprivate /
    mount -t cgroup2 cgroup2 "$folder/groups"
    mkdir "$group"
    echo $$ >"$group/cgroup.procs"
    exec unshare --mount --cgroup --pid --uts --ipc --fork --kill-child "$0" --inside "$image" "$folder"
    ;;
--inside)
    root=$folder/root
    mount -t overlay overlay -o "lowerdir=$image,upperdir=$folder/upper,workdir=$folder/work" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    cd "$root"
    mkdir -p old
    pivot_root . old
    umount -l /old
    exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no
    ;;
esac
