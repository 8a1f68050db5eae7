# What ./demo and ./check share: packages, building, lines with times, the last line.
#
# To be sourced by bash with set -euo pipefail, from any folder. What must stay true: nothing is
# installed without a question unless --yes, CI or a missing terminal stands for the answer; the last
# line says how it went, whatever happened.
# shellcheck shell=bash

# A plugin that others of the group could write is refused, and some systems let them by default.
umask 022

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TREE
readonly PACKAGES=$TREE/tests/lib/packages.txt
readonly STARTED=$EPOCHREALTIME
ASSUME_YES=no
PROGRAM=${0##*/}

# ---- lines ---------------------------------------------------------------------------------------

# Seconds since the start, as 12.3.
elapsed ()
{
  local us=$(( (${EPOCHREALTIME/[.,]/} - ${STARTED/[.,]/}) / 100000 ))
  printf '%d.%d' $((us / 10)) $((us % 10))
}

# A line of progress with its time.
say ()
{
  printf '[%6s s] %s\n' "$(elapsed)" "$*"
}

# Ends with the last line that says why.
die ()
{
  printf '%s: failed: %s\n' "$PROGRAM" "$*"
  exit 1
}

# Runs a command with its output in a log; prints the end of the log where it fails.
quietly ()
{
  local log=$1
  shift
  if "$@" >"$log" 2>&1; then
    return 0
  fi
  printf -- '---- the end of %s\n' "$log"
  tail -n 60 "$log"
  printf -- '----\n'
  return 1
}

# ---- packages ------------------------------------------------------------------------------------

listed_packages ()
{
  sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$PACKAGES"
}

is_installed ()
{
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

missing_packages ()
{
  local package
  for package in $(listed_packages); do
    is_installed "$package" || printf '%s\n' "$package"
  done
}

may_install ()
{
  local answer
  if [[ $ASSUME_YES == yes || ${CI:-} == true || ! -t 0 ]]; then
    return 0
  fi
  read -r -p 'Install them from Debian with apt-get? [y/N] ' answer || true
  [[ $answer == [yY]* ]]
}

as_root ()
{
  if [[ $(id -u) == 0 ]]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

# The lists of packages may be missing or old: then update them, and try once more.
install_packages ()
{
  local options=(-y --no-install-recommends)
  if as_root apt-get install "${options[@]}" "$@"; then
    return 0
  fi
  as_root apt-get update && as_root apt-get install "${options[@]}" "$@"
}

need_packages ()
{
  local missing
  command -v dpkg-query >/dev/null || die 'this needs Debian 12 or a relative of it: there is no dpkg-query'
  mapfile -t missing < <(missing_packages)
  if (( ${#missing[@]} == 0 )); then
    return 0
  fi
  say "missing Debian packages: ${missing[*]}"
  may_install || die "these packages are needed: ${missing[*]}"
  install_packages "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
  say 'packages installed'
}

# ---- building ------------------------------------------------------------------------------------

# configure FOLDER [OPTION…]: a build folder with these options, new or as it was left.
configure ()
{
  local folder=$1
  shift
  mkdir -p "$folder"
  if [[ -f $folder/meson-private/coredata.dat ]] &&
     quietly "$folder/setup.log" meson setup --reconfigure "$folder" "$TREE" "$@"; then
    return 0
  fi
  # Left by another version of Meson or for another compiler, or half made.
  rm -rf "$folder/meson-private" "$folder/meson-info" "$folder/build.ninja"
  quietly "$folder/setup.log" meson setup "$folder" "$TREE" "$@"
}

compile ()
{
  quietly "$1/compile.log" ninja --quiet -C "$1"
}
