#!/bin/sh
# Gets Orthanc where there is no Docker, dcmtk to play a modality, and what backups and the checks of monitoring and TLS
# need: a minimal Debian 13 in a cache folder, to be run with chroot. The same way on every Debian, since Debian 12's own
# Orthanc is too old, and nothing of the host is touched but the `debootstrap` package. Prints the folder. Does nothing
# if it is there already.
set -eu

release=trixie
cache=${AXIS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/axis-portal}
root=$cache/orthanc-$release
# No service of these is ever started by being installed.
more='openssl restic prometheus postgresql-17'

if [ "$(cat "$root/.complete" 2>/dev/null)" = "$more" ]; then
  echo "$root"
  exit 0
fi
say() { echo "orthanc/install.sh: $*" >&2; }
if [ "$(id -u)" != 0 ]; then
  say 'setting up Orthanc needs root: run this once with sudo'
  exit 1
fi

mkdir -p "$cache"
exec 9>"$cache/install.lock"
flock -w 1800 9 || { say 'another set-up did not end within 30 minutes'; exit 1; }
if [ "$(cat "$root/.complete" 2>/dev/null)" = "$more" ]; then
  echo "$root"
  exit 0
fi

if ! command -v debootstrap >/dev/null; then
  say 'installing debootstrap'
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -qq -y --no-install-recommends debootstrap >/dev/null 2>&1 9>&- || {
    apt-get update -qq >&2 9>&-
    apt-get install -qq -y --no-install-recommends debootstrap >&2 9>&-
  }
fi

# The mirror that this machine's apt uses for Debian itself; debootstrap has a default where there is none.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
  grep -v -e security -e snapshot | sort -u | head -n 1 || true)
script=$release
[ -e "/usr/share/debootstrap/scripts/$release" ] || script=sid

build=$cache/building-$$
trap 'rm -rf "$build"' EXIT
log=$cache/install.log
say "fetching Orthanc into a minimal Debian ($release), half a minute or two; log: $log"
if ! debootstrap --variant=minbase --include=orthanc,dcmtk "$release" "$build" \
  ${mirror:+"$mirror"} "/usr/share/debootstrap/scripts/$script" >"$log" 2>&1 9>&-; then
  tail -n 20 "$log" >&2
  say 'debootstrap failed'
  exit 1
fi
printf '#!/bin/sh\nexit 101\n' >"$build/usr/sbin/policy-rc.d"
chmod 755 "$build/usr/sbin/policy-rc.d"
mkdir -p "$build/etc/postgresql-common"
echo 'create_main_cluster = false' >"$build/etc/postgresql-common/createcluster.conf"
# shellcheck disable=SC2086 # a list
if ! DEBIAN_FRONTEND=noninteractive chroot "$build" apt-get install -qq -y --no-install-recommends $more >>"$log" 2>&1 9>&-; then
  tail -n 20 "$log" >&2
  say 'installing into it failed'
  exit 1
fi
rm -rf "$build"/var/cache/apt "$build"/var/lib/apt/lists "$build"/usr/share/doc "$build"/usr/share/man
mkdir -p "$build/srv/axis"
chmod 755 "$build" "$build/srv/axis"
rm -rf "$root"
mv "$build" "$root"
echo "$more" >"$root/.complete"
say "ready: $(chroot "$root" Orthanc --version | head -n 1)"
echo "$root"
