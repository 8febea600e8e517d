#!/bin/sh
# A QEMU that refuses its arguments.
echo "fake-qemu: no such machine" >&2
exit 7
