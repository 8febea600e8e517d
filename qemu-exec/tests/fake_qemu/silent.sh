#!/bin/sh
# A guest that never answers.
exec sleep 600
