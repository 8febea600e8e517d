#!/bin/sh
# A wrapper that ignores every polite signal, and whose child holds its console open.
trap '' TERM INT HUP
echo up
sleep 600
echo "not reached"
