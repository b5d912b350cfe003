#!/usr/bin/env bash
# ThreadSanitizer over everything that has threads of its own: the loader, the preparation of images, the watchdog. OpenMP's threads are not
# looked at (its run-time library is not instrumented, each barrier would be a finding): one thread a team. A planted race has to be found.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
cd "$ELMPI_SOURCE"
export OMP_NUM_THREADS=1
limit=6000

cc -g -O1 -fsanitize=thread -o "$scratch/race" tests/sanitizer/race.c || skip "cc has no ThreadSanitizer"
expect 66 "$scratch/race"
says stderr "data race"

tests=(test_loader test_loader_images test_prepare_images test_watch)
limit=18000 expect 0 cmake -S . -B build-tsan -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-g -O1 -fsanitize=thread" --log-level=WARNING
limit=18000 expect 0 cmake --build build-tsan -j "$elmpi_cores" --target "${tests[@]}"
for test in "${tests[@]}"; do
    expect 0 "build-tsan/tests/$test"
    says_not stderr "ThreadSanitizer"
    echo "no race: $test"
done
