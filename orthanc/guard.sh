#!/bin/sh
# Prints what of Orthanc's settings depends on the practice, as JSON: who may store and ask (DICOM_ALLOW_LIST), whether by
# TLS (DICOM_TLS…), and who may look (ORTHANC_VIEWERS_FILE). With orthanc.json in one folder, or as ORTHANC_JSON, it is all
# that Orthanc is told. Ends with 1, saying why, where one of them cannot be used.
#
#   DICOM_ALLOW_LIST      a file, a line for each that may come: AE title, IP address, and any of store, find, get, echo;
#                         "#" begins a comment. Without it everybody may store and echo, and nobody may ask.
#   DICOM_TLS             "true": the DICOM port takes TLS only (BCP 195), with these:
#   DICOM_TLS_CERTIFICATE DICOM_TLS_KEY      PEM files
#   DICOM_TLS_CLIENT_CA   a PEM file: only who shows a certificate that one of these signed gets in
#   ORTHANC_FILTER        where filter.lua is, which says what accounts may do
#   ORTHANC_VIEWERS_FILE  a file of lines "name:password": accounts that look, download and set labels, nothing else
set -eu

fail() { echo "guard.sh: $*" >&2; exit 1; }
readable() { [ -r "$2" ] || fail "$1: cannot read $2"; }

if [ -n "${DICOM_ALLOW_LIST:-}" ]; then
  readable DICOM_ALLOW_LIST "$DICOM_ALLOW_LIST"
  dicom=$(awk '
    function wrong(why) { printf "guard.sh: DICOM_ALLOW_LIST line %d: %s\n", NR, why > "/dev/stderr"; bad = 1; exit 1 }
    function yes(what) { return may[what] ? "true" : "false" }
    { sub(/#.*/, "") }
    NF == 0 { next }
    NF < 3 { wrong("needs an AE title, an IP address and what it may do") }
    length($1) > 16 || $1 !~ /^[A-Za-z0-9_.-]+$/ { wrong("an AE title is 1 to 16 of A-Z, a-z, 0-9, _, . and - here") }
    $2 !~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/ { wrong("the second word is not an IPv4 address") }
    {
      split("", may)
      for (i = 3; i <= NF; i++) {
        if ($i !~ /^(store|find|get|echo)$/) wrong("it may do store, find, get or echo")
        may[$i] = 1
      }
      if (seen[$1]++) wrong("an AE title twice: Orthanc knows one address of each")
      printf "%s\n    \"peer-%d\": { \"AET\": \"%s\", \"Host\": \"%s\", \"Port\": 104, \"AllowEcho\": true, \"AllowStore\": %s, \"AllowFind\": %s, \"AllowFindWorklist\": false, \"AllowGet\": %s, \"AllowMove\": false, \"AllowStorageCommitment\": false }", \
        (count++ ? "," : ""), NR, $1, $2, yes("store"), yes("find"), yes("get")
    }
    END { if (!bad && !count) wrong("nobody is listed"); exit bad }
  ' "$DICOM_ALLOW_LIST") || exit 1
  listed=true
else
  echo 'guard.sh: anybody who reaches the DICOM port may store: DICOM_ALLOW_LIST is not set' >&2
  dicom='' listed=false
fi
[ "$listed" = true ] && anybody=false || anybody=true

tls=''
case ${DICOM_TLS:-false} in
  false | '') ;;
  true)
    [ -n "${DICOM_TLS_CERTIFICATE:-}" ] && [ -n "${DICOM_TLS_KEY:-}" ] || fail 'DICOM_TLS needs DICOM_TLS_CERTIFICATE and DICOM_TLS_KEY'
    readable DICOM_TLS_CERTIFICATE "$DICOM_TLS_CERTIFICATE"
    readable DICOM_TLS_KEY "$DICOM_TLS_KEY"
    [ -z "${DICOM_TLS_CLIENT_CA:-}" ] || readable DICOM_TLS_CLIENT_CA "$DICOM_TLS_CLIENT_CA"
    [ -n "${DICOM_TLS_CLIENT_CA:-}" ] && required=true || required=false
    tls=",
  \"DicomTlsEnabled\": true,
  \"DicomTlsCertificate\": \"$DICOM_TLS_CERTIFICATE\",
  \"DicomTlsPrivateKey\": \"$DICOM_TLS_KEY\",
  \"DicomTlsTrustedCertificates\": \"${DICOM_TLS_CLIENT_CA:-$DICOM_TLS_CERTIFICATE}\",
  \"DicomTlsRemoteCertificateRequired\": $required"
    ;;
  *) fail 'DICOM_TLS: must be true or false' ;;
esac

viewers=''
if [ -n "${ORTHANC_VIEWERS_FILE:-}" ]; then
  readable ORTHANC_VIEWERS_FILE "$ORTHANC_VIEWERS_FILE"
  viewers=$(awk -v own="$ORTHANC_USERNAME" '
    function wrong(why) { printf "guard.sh: ORTHANC_VIEWERS_FILE line %d: %s\n", NR, why > "/dev/stderr"; exit 1 }
    /^[ \t]*(#|$)/ { next }
    {
      at = index($0, ":"); name = substr($0, 1, at - 1); password = substr($0, at + 1)
      if (at < 2 || name !~ /^[A-Za-z0-9._-]+$/) wrong("is not name:password")
      if (name == own) wrong("is the account of the sidecar")
      if (length(password) < 12 || password ~ /[[:cntrl:]"\\$]/) wrong("a password has 12 characters or more, without quotes, backslashes and $")
      printf ",\n    \"%s\": \"%s\"", name, password
    }
  ' "$ORTHANC_VIEWERS_FILE") || exit 1
fi

# Orthanc puts its environment in where this says so; what reads its settings beside it, as the health check of the Docker
# image does, would not.
own='"${ORTHANC_USERNAME}": "${ORTHANC_PASSWORD}"'
if [ -n "${ORTHANC_PASSWORD:-}" ]; then
  case $ORTHANC_USERNAME$ORTHANC_PASSWORD in
    *[!A-Za-z0-9._~+=/@:,%-]*) fail 'ORTHANC_USERNAME and ORTHANC_PASSWORD: letters, digits and ._~+=/@:,%- only' ;;
  esac
  own="\"$ORTHANC_USERNAME\": \"$ORTHANC_PASSWORD\""
fi

cat <<EOF
{
  "LuaScripts": ["${ORTHANC_FILTER:-/etc/orthanc/filter.lua}"],
  "DicomAlwaysAllowStore": $anybody,
  "DicomAlwaysAllowEcho": $anybody,
  "DicomCheckModalityHost": $listed,
  "DicomModalities": {$dicom
  },
  "RegisteredUsers": {
    $own$viewers
  }$tls
}
EOF
