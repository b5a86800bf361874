# What the demo and the tests share: finding a compiler, installing emulators, building peapod.
# Sourced by bash, with $root set to the repository.

tools=${PEAPOD_TOOLS:-$root/.tools}

say() { printf '\033[1m%s\033[0m\n' "$*"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Debian packages, installed only where they are missing.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# A Python here that is at least the given minor version of 3: python_at_least 13.
python_at_least() {
    local candidate
    for candidate in python3 python3.14 python3.13 "$HOME"/.pyenv/versions/3.*/bin/python3; do
        if "$candidate" -c "import sys, venv; sys.exit(sys.version_info < (3, $1))" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# A virtual environment in $tools with exactly these requirements: venv NAME PYTHON REQUIREMENT...
venv() {
    local name=$1 python=$2
    shift 2
    local stamp="$tools/$name/.installed"
    [ "$(cat "$stamp" 2>/dev/null)" = "$*" ] && return
    say "installing $name into ${tools#"$root"/}/$name"
    rm -rf "${tools:?}/$name"
    "$python" -m venv "$tools/$name"
    "$tools/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    printf '%s' "$*" >"$stamp"
}

install_client() { venv client python3 boto3==1.44.5 awscli==1.46.3; }
install_ministack() { venv ministack python3 ministack==1.5.33; }
install_moto() { venv moto python3 'moto[server]==5.2.5'; }
# A bookmark manager whose state is a SQLite database.
install_buku() { venv buku python3 buku==5.1; }

# LocalStack's own dependencies are not pinned: only those of its release day fit. Its metadata
# asks for Python 3.10, but it imports warnings.deprecated, which came with 3.13.
install_localstack() {
    local python stamp="$tools/localstack/.installed" release=localstack-core-2026.3.0
    [ "$(cat "$stamp" 2>/dev/null)" = "$release" ] && return
    if ! python=$(python_at_least 13); then
        say "leaving LocalStack out: it needs Python 3.13 or newer (pyenv install 3.13, then run this again)"
        return
    fi
    venv localstack "$python" uv==0.13.9
    VIRTUAL_ENV="$tools/localstack" "$tools/localstack/bin/uv" pip install --quiet \
        --exclude-newer 2026-03-30 'localstack-core[runtime]==2026.3.0'
    printf '%s' "$release" >"$stamp"
}

# fakecloud takes about 17 minutes to build on two cores, so only who asks for it gets it.
install_fakecloud() {
    [ -x "$tools/fakecloud/bin/fakecloud" ] && return
    say "building fakecloud (about 17 minutes on two cores)"
    cargo install --quiet fakecloud --version 0.51.0 --locked --root "$tools/fakecloud"
}

# The linker is most of an incremental build; mold is much faster where it is there.
use_mold() {
    if command -v mold >/dev/null && [ -z "${RUSTFLAGS:-}" ]; then
        export RUSTFLAGS="-C link-arg=-fuse-ld=mold"
    fi
}

need_toolchain() {
    command -v cargo >/dev/null || { echo "Rust is needed: https://rustup.rs" >&2; exit 1; }
    command -v python3 >/dev/null || need_packages python3
    python3 -c 'import venv, ensurepip' 2>/dev/null || need_packages python3-venv
    command -v cc >/dev/null || need_packages gcc libc6-dev
    use_mold
}
