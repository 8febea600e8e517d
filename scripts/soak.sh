#!/usr/bin/env bash
# The long runs: nothing may be found in the allocators that are meant to be correct.
set -euo pipefail
cd "$(dirname "$0")/.."

rig=target/all/release/kmem-rig
controls=(
    talc talc-4 linked-list buddy-system rlsf embedded-llff embedded-tlsf dlmalloc good-memory
    buddy-alloc slab-rs ax-slab stalloc
)

# The judge by its models against the same by naive ones, on two million traces of all subjects.
KMEM_RIG_CASES=20000 cargo test --release --locked --quiet -p kmem-rig --lib naive

scripts/miri.sh long

# Twenty kills of campaigns, at moments that are not chosen.
KMEM_RIG_KILLS=20 cargo test --release --locked --quiet -p kmem-rig --test campaign survives

# A case has some 38 ops: the five hunts of a subject come to 10^8 ops and more, those of kmem to
# 10^9.
for subject in kmem page "${controls[@]}"; do
    case $subject in
        kmem) execs=5300000 ;;
        *) execs=600000 ;;
    esac
    for seed in 1 2 3 4 5; do
        echo "soak: $subject, seed $seed"
        $rig hunt --subject "$subject" --seed "$seed" --execs "$execs"
    done
done
for seed in 1 2 3 4 5; do
    echo "soak: kmem in heaps that grow, seed $seed"
    $rig hunt --subject kmem --grow --misuse --seed "$seed" --execs 600000
done
$rig hunt --on qemu --subject kmem --seed 1 --execs 300000
$rig hunt --on qemu --subject kmem --grow --seed 1 --execs 100000
for subject in "${controls[@]}"; do
    echo "soak: $subject in the guest"
    $rig hunt --on qemu --subject "$subject" --seed 1 --execs 30000
done
$rig explore --subject kmem --heap 192
$rig explore --subject kmem --heap 160 --aligns 8,16
$rig explore --subject page --heap 49152
