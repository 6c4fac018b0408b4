# `just` lists these; CONTRIBUTING.md says more.

# List the recipes
default:
    @just --list --unsorted

# Start a hub and three nodes, edit, kill one with SIGKILL, and check that nothing confirmed is lost
demo *arguments:
    cargo run --release -- demo {{ arguments }}

# Run a hub and `nodes` nodes until Ctrl-C; hub at port 7070, APIs from 7071
mesh nodes="3" room="MESH01":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release
    target="${CARGO_TARGET_DIR:-target}"
    meshwork="$target/release/meshwork"
    # A node knows its space, so a mesh of another size begins anew.
    data="$target/mesh-{{ nodes }}"
    hub=127.0.0.1:7070
    # The nodes say goodbye, and are waited for.
    stop() {
        kill $(jobs -p) 2>/dev/null || true
        wait
    }
    trap stop EXIT
    trap 'exit 0' INT TERM
    "$meshwork" hub --listen "$hub" &
    for number in $(seq {{ nodes }}); do
        api=127.0.0.1:$((7070 + number))
        mkdir -p "$data/node-$number"
        "$meshwork" node --hub "http://$hub" --room {{ room }} --name "node-$number" \
            --data "$data/node-$number" --api "$api" 2>"$data/node-$number.log" &
        echo "node-$number: API at $api, log in $data/node-$number.log"
    done
    echo "try: $meshwork peers --api 127.0.0.1:7071    stop: Ctrl-C"
    # Until the first of them ends.
    wait -n

# Quick checks while working: format, lints, the rules of the workspace
check:
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo xtask deps
    cargo xtask purity

# All tests
test *arguments:
    cargo test --workspace {{ arguments }}

# Simulate meshes under faults, one per seed; a seed that fails prints how to replay it
swarm seeds="0..1000" scenario="chaos":
    cargo run --release -p meshwork-sim -- swarm --scenario {{ scenario }} --seeds {{ seeds }} --jobs 2

# Cut, lose, delay, kill, pause and fill disks under real processes, and check what they promised (needs root)
chaos *arguments:
    cargo xtask chaos {{ arguments }}

# Build the browser node and its demo page, and serve it at http://127.0.0.1:7070
page:
    cargo xtask web
    cargo run --release -- hub --page "${CARGO_TARGET_DIR:-target}/page"

# Drive Chromium and Firefox beside native nodes
e2e *arguments:
    cargo xtask e2e {{ arguments }}

# Fuzz every target, or those named, for `seconds` each
fuzz seconds="60" *targets:
    cargo xtask fuzz --seconds {{ seconds }} {{ targets }}

# Build the documentation and open it
docs:
    cargo doc --workspace --no-deps --open

# Measure
bench *arguments:
    cargo run --release -- bench {{ arguments }}

# Everything that must hold, as on a fresh machine
ci:
    .ci/run
