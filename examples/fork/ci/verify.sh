#!/bin/sh -e
# verify.sh DIR: is what lies in DIR signed by us?
cd "$1"
sha256sum -c --quiet digest
cat revision digest | openssl dgst -sha256 -hmac "$SIGNING_KEY" -r | cut -d' ' -f1 | cmp - signature
echo "the signature holds"
