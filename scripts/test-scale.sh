#!/usr/bin/env bash
# Builds the fuzz targets by `.clusterfuzzlite/build.sh` from a copy of the sources, takes the copy
# away, as happens to them there, and has ClusterFuzz's own engine drive what was built.
set -euo pipefail
cd -P "$(dirname "$0")/.."

requirements=tests/scale/requirements.txt
python=target/clusterfuzz/bin/python
if ! cmp --silent "$requirements" target/clusterfuzz/installed.txt; then
    echo "installing ClusterFuzz into target/clusterfuzz"
    rm -rf target/clusterfuzz
    python3 -m venv target/clusterfuzz
    "$python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" target/clusterfuzz/installed.txt
fi

scale=$PWD/target/scale
rm -rf "$scale"
mkdir -p "$scale"/{src/kmem-rig,work,out}
git ls-files -z --cached --others --exclude-standard |
    tar --create --null --files-from=- | tar --extract --directory "$scale/src/kmem-rig"

# The variables that OSS-Fuzz's image sets, but for those that name its own clang and libFuzzer.
built=(
    SRC="$scale/src" WORK="$scale/work" OUT="$scale/out"
    FUZZING_ENGINE=libfuzzer FUZZING_LANGUAGE=rust SANITIZER=address ARCHITECTURE=x86_64
    RUSTUP_TOOLCHAIN=nightly
    RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cdebuginfo=1 -Cforce-frame-pointers"
)
env "${built[@]}" bash "$scale/src/kmem-rig/.clusterfuzzlite/build.sh"
rm -rf "$scale/src" "$scale/work"

# The package warns of what its own dependencies will no longer have one day.
"$python" -W ignore tests/scale/drive.py "$scale/out" "$scale" target/release/kmem-rig

# Corpora: one that was lost, one of junk and of other versions, and one as fuzzing leaves it.
corpora=$scale/corpora
mkdir -p "$corpora"/{page,kmem_2019}
cp -r "$scale/corpus/kmem" "$corpora/kmem"
head -c 3000 /dev/zero | tr '\0' '\377' >"$corpora/kmem_2019/no-version"
head -c 20000000 /dev/zero >"$corpora/kmem_2019/too-long"
: >"$corpora/kmem_2019/empty"
cp README.md qemu-tests/regressions/kmem-2019-unmerged-free.trace "$corpora/kmem_2019"
scripts/corpus.sh "$corpora"
for target in kmem kmem_2019 page; do
    if [ -z "$(ls "$corpora/$target")" ]; then
        echo "error: the corpus of $target is empty" >&2
        exit 1
    fi
done
