#!/bin/sh
# Sets up what `npm run demo` and `npm test` need and is not there yet: the npm packages (a Node new enough among them)
# and Orthanc; `packages` as an argument: the npm packages alone. Runs under whatever Node the machine has; takes a blink
# when there is nothing to do.
set -eu
cd "$(dirname "$0")/../.."

say() { echo "setup: $*" >&2; }

packages_current() {
  [ -x node_modules/.bin/node ] && [ -e node_modules/.package-lock.json ] &&
    [ ! package-lock.json -nt node_modules/.package-lock.json ] && node_modules/.bin/node --version >/dev/null 2>&1
}

if ! packages_current; then
  exec 8>.setup.lock
  flock -w 1800 8 || { say 'another set-up did not end within 30 minutes'; exit 1; }
  if ! packages_current; then
    say 'installing the npm packages'
    npm ci --no-audit --no-fund --loglevel=error >&2 8>&-
    # The package `node` fetches its binary in an install script, which a setting such as ignore-scripts may have held back.
    [ -x node_modules/.bin/node ] || npm rebuild node --ignore-scripts=false >&2 8>&-
    touch node_modules/.package-lock.json
  fi
  exec 8>&-
fi
version=$(node_modules/.bin/node --version)
case $version in
  v24.*) ;;
  *) say "node_modules/.bin/node is $version, but 24 is needed: delete node_modules and try again"; exit 1 ;;
esac

[ "${1:-}" = packages ] || sh orthanc/install.sh >/dev/null
