"""A node's profile for the simulated step, from measurements: profile.py BENCH_JSON TRACE STATE_BYTES REDUCE_SECONDS_PER_BYTE [FACTOR].

BENCH_JSON is elmpi-bench's last line, TRACE its --timeline, both of one run. The trace's last step on rank 0 says when each bucket was
full; its times are stretched to the means of the whole run, and everything but the update by FACTOR, for so many times more images."""
import json
import sys


def spans(events, name):
    """(begin, length) in seconds of rank 0's events of this name, in order."""
    return sorted((e["ts"] * 1e-6, e["dur"] * 1e-6, e["args"]["MB"] * 1e6) for e in events if e["ph"] == "X" and e["pid"] == 0 and e["name"] == name)


def buckets(events):
    """(fraction of the backward pass, bytes) of each bucket of the last step, in order."""
    backward = spans(events, "backward")
    if not backward:
        sys.exit("profile.py: error: no backward pass in the trace: make it with elmpi-bench --timeline")
    begin, length, _ = backward[-1]
    found = [((at - begin) / length, size) for at, _, size in spans(events, "allreduce bucket") if at >= begin]
    if not found:
        sys.exit("profile.py: error: no buckets in the trace: make it with this version's elmpi-bench")
    return [(min(1.0, at), size) for at, size in found]


def main():
    bench, trace, state_bytes, reduce = sys.argv[1:5]
    factor = float(sys.argv[5]) if len(sys.argv) > 5 else 1.0
    with open(bench) as file:
        phases = json.loads(file.readlines()[-1])["phases"]
    with open(trace) as file:
        events = json.load(file)
    # The loss is measured as one phase: cross-entropy while embeddings travel, pairs after that. Both are small beside the rest.
    loss = phases["loss"] / 2
    print(f"forward {factor * (phases['input'] + phases['forward']):.6f}")
    print(f"classify {factor * (phases['classify'] + loss):.6f}")
    print(f"pull {factor * loss:.6f}")
    print(f"backward {factor * phases['backward']:.6f}")
    print(f"update {phases['update']:.6f}")
    print(f"state_bytes {state_bytes}")
    print(f"reduce {reduce}")
    for fraction, size in buckets(events):
        print(f"bucket {factor * fraction * phases['backward']:.6f} {size:.0f}")


if __name__ == "__main__":
    main()
