# shellcheck shell=bash
# Debian packages of any suite, from where this host gets its own.

host_sources=/etc/apt/sources.list.d/debian.sources

# sources SUITE: the host's own entries, for that suite
sources() {
    sed -E "/^#/d; s/^(Suites:).*-security.*/\1 $1-security/; s/^(Suites:) *[a-z]+ +[a-z]+-updates.*/\1 $1 $1-updates/; s#^Signed-By:.*#Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg#" "$host_sources"
}

# apt_of SUITE FOLDER: from now on apt_get works on that suite, keeping everything in the folder
apt_of() {
    apt_folder=$2
    mkdir -p "$2"/{parts,lists/partial,cache/archives/partial}
    sources "$1" >"$2/parts/vm.sources"
}

apt_get() {
    apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt_folder/parts" \
        -o Dir::State::Lists="$apt_folder/lists" -o Dir::Cache="$apt_folder/cache" \
        -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root "$@"
}
