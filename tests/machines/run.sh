#!/usr/bin/env bash
# Runs the scenarios, over IPv4 and over IPv6 at the same time: tests/machines/run.sh [SCENARIO…]
# Exit code 0: each of them did what it says.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --locked -p ftq-tests --bin ftq-process
export FTQ_PROGRAM=$target/debug/ftq-process FTQ_BEDS=$target/machines
mkdir -p "$FTQ_BEDS"

scenarios=("$@")
[ $# -gt 0 ] || for script in tests/machines/*.sh; do
    case $(basename "$script" .sh) in
        bed | notes | run | soak) ;;
        *) scenarios+=("$(basename "$script" .sh)") ;;
    esac
done

failed=0
for scenario in "${scenarios[@]}"; do
    processes=()
    for family in 4 6; do
        FTQ_FAMILY=$family "tests/machines/$scenario.sh" >"$FTQ_BEDS/$scenario-$family.out" 2>&1 &
        processes+=($!)
    done
    for family in 4 6; do
        out=$FTQ_BEDS/$scenario-$family.out
        if wait "${processes[family / 2 - 2]}"; then
            echo "$scenario, IPv$family: $(tail -n 1 "$out")"
        else
            failed=1
            echo "$scenario, IPv$family: FAILED; the logs are in $FTQ_BEDS/$scenario-$family"
            sed 's/^/    /' "$out"
        fi
    done
done
exit "$failed"
