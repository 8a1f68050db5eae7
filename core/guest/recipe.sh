# recipe.sh - what the recipes of the appliance, of the bundle and of the OCI image share; bash sources it
#
# What must stay true: nothing of this machine but the named files and packages gets in, no time, no
# order of folders, no owner, so that the same packages give the same bytes on any machine.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C TZ=UTC
unset SOURCE_DATE_EPOCH
umask 022

# 1 January 2024: all files are as old as that.
readonly TIME=1704067200
readonly CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
readonly LOCALE=/usr/lib/locale/C.utf8

die ()
{
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

say ()
{
  printf 'image: %s\n' "$*" >&2
}

# need_tool PROGRAM PACKAGE
need_tool ()
{
  command -v "$1" >/dev/null || die "there is no program $1: install the package $2"
}

need_certificates ()
{
  [[ -r $CERTIFICATES ]] || die "there is no $CERTIFICATES: install the package ca-certificates"
}

same_time ()
{
  find "$1" -exec touch --no-dereference --date="@$TIME" {} +
}

# install_stripped FILE PLACE: a program or a plugin of ours
install_stripped ()
{
  mkdir -p "${2%/*}"
  strip --strip-all --remove-section=.note.gnu.build-id -o "$2" "$1"
  chmod 0755 "$2"
}

# install_libraries BUNDLE LIST: LIST has a line for each, its place below BUNDLE/lib and the file here; and
# what libraries look up while they run
install_libraries ()
{
  local bundle=$1 list=$2 place file
  mkdir -p "$bundle"/{etc,lib/gio/modules,lib/locale}
  while read -r place file; do
    install -D -m 0755 "$file" "$bundle/lib/$place"
  done <"$list"
  # So that it is loaded where TLS is wanted only.
  printf 'libgiognutls.so: gio-tls-backend\n' >"$bundle/lib/gio/modules/giomodule.cache"
  cp -R "$LOCALE" "$bundle/lib/locale/C.utf8"
  install -m 0644 "$CERTIFICATES" "$bundle/etc/ca-certificates.crt"
}

# list_packages LIST FILE…: NAME VERSION of the packages that these files are from, sorted. Files of no
# package are not told of: their bytes are in the hashes.
list_packages ()
{
  local list=$1 file names
  shift
  command -v dpkg-query >/dev/null || return 0
  mapfile -t names < <(
    {
      printf 'ca-certificates\n'
      # A name may be known with /usr or without.
      {
        printf '%s\n' "$@" "$LOCALE/LC_CTYPE"
        while read -r _ file; do printf '%s\n' "$file"; done <"$list"
      } | while read -r file; do
        printf '%s\n' "$file" "${file#/usr}" "/usr$file"
      done | xargs dpkg-query --search 2>/dev/null | sed 's/: .*//; s/, /\n/g'
    } | sort -u
  )
  dpkg-query --show --showformat='${Package} ${Version}\n' "${names[@]}" 2>/dev/null | sort -u || true
}
