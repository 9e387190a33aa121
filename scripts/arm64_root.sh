# shellcheck shell=bash
# A Debian for arm64 with scrim in /venv, kept in ${SCRIM_ARM64_CACHE:-~/.cache/scrim-arm64}/SUITE and used again.
# Read by scripts that have "say" and "die", in the project's folder.

arm64_cache=${SCRIM_ARM64_CACHE:-$HOME/.cache/scrim-arm64}
arm64_contents=python3,python3-venv,python3-dev,gcc,libc6-dev,ca-certificates,mount
arm64_mounts=()
# shellcheck source=tests/vm/machine/apt.sh
. tests/vm/machine/apt.sh

# arm64_unmount: to be called at the end, however it comes
arm64_unmount() {
    local mount
    for mount in "${arm64_mounts[@]}"; do umount "$mount" || say "still mounted: $mount"; done
}

# arm64_inside COMMAND...: run a command there, by emulation
arm64_inside() { chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 "$@"; }

# arm64_packages NAME...: install Debian packages here that are missing
arm64_packages() {
    local name missing=()
    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
}

# arm64_root SUITE: make it, or take the one that is there; sets root
arm64_root() {
    local name file
    [ "$(id -u)" = 0 ] || die "needs root, for mmdebstrap and chroot"
    [ "$(uname -m)" = x86_64 ] || die "is for x86-64 machines; on aarch64 scripts/test and scrim bench say more"
    arm64_packages mmdebstrap qemu-user-static binfmt-support arch-test
    [ -e /proc/sys/fs/binfmt_misc/status ] || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64
    root=$arm64_cache/$1
    if [ "$(cat "$root/.complete" 2>/dev/null)" != "$arm64_contents" ]; then
        say "making Debian $1 for arm64, 5 minutes"
        mkdir -p "$arm64_cache"
        sources "$1" >"$arm64_cache/$1.sources"
        rm -rf --one-file-system "$root"  # a mount that an interrupted run left behind must lose nothing
        mmdebstrap --quiet --arch=arm64 --variant=apt --include="$arm64_contents" "$1" "$root" "$arm64_cache/$1.sources"
        echo "$arm64_contents" >"$root/.complete"
    fi
    for name in proc dev; do
        mount --bind "/$name" "$root/$name"
        arm64_mounts+=("$root/$name")
    done
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
        [ ! -e "$file" ] || install -D -m 644 "$file" "$root$file"
    done
}

# arm64_install: install this commit of scrim there, with real wheels and with its extensions in C
arm64_install() {
    say "installing scrim there, with real wheels"
    rm -rf "$root/src"
    mkdir "$root/src"
    git archive HEAD | tar -x -C "$root/src"
    [ -x "$root/venv/bin/python" ] || arm64_inside python3 -m venv /venv
    arm64_inside /venv/bin/pip install --quiet --no-compile --disable-pip-version-check "/src[litert]"
    arm64_inside /venv/bin/python -c "
import platform, cv2, numpy, importlib.metadata as m
print('there:', platform.machine(), platform.python_version(), 'OpenCV', cv2.__version__,
      'NumPy', numpy.__version__, 'LiteRT', m.version('ai-edge-litert'))" >&2
    # shellcheck disable=SC2046  # a list of words
    arm64_inside /venv/bin/python -c 'import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]' \
        $(sed -n 's/^name = "\(scrim\.core\..*\)"/\1/p' pyproject.toml) ||
        die "an extension in C was not built there, and pip says nothing of it"
}
