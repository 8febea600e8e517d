#!/bin/sh
# A guest that floods its console.
exec yes
