#!/bin/sh -e
# sign.sh PROGRAM DIR: the program that the source built, its digest and revision, and a signature of them by SIGNING_KEY, into
# DIR. Reads what the source left, runs nothing of it.
mkdir -p "$2"
cp "/job/src/$1" "$2/$1"
git describe --always >"$2/revision"
(cd "$2" && sha256sum "$1" >digest)
cat "$2/revision" "$2/digest" | openssl dgst -sha256 -hmac "$SIGNING_KEY" -r | cut -d' ' -f1 >"$2/signature"
echo "signed $1 of $(cat "$2/revision")"
