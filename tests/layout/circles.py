"""Circles between source files: circles.py BUILD_FOLDER SOURCE_FOLDER prints each group of files that call each other in a loop.

An object file uses another when it refers to a symbol that the other defines (nm). Files that are no longer in the source are passed over.
Exit status 1 when there is a circle.
"""
import os
import subprocess
import sys

build, source = sys.argv[1:3]
defined, used = {}, {}
for folder, _, names in os.walk(os.path.join(build, "src")):
    for name in names:
        path = os.path.join(folder, name)
        parts = [part for part in os.path.relpath(path, build).split(os.sep) if part != "CMakeFiles" and not part.endswith(".dir")]
        file = "/".join(parts)[:-2]
        if not name.endswith(".c.o") or not os.path.exists(os.path.join(source, file)):
            continue
        for line in subprocess.run(["nm", "-g", path], capture_output=True, text=True, check=True).stdout.splitlines():
            words = line.split()
            if len(words) == 2:
                used.setdefault(file, set()).add(words[1])
            elif words[1] in "TDBRVWG":
                defined[words[2]] = file
if len(used) < 100:
    sys.exit(f"circles.py: only {len(used)} object files in {build}: build first")
calls = {file: {defined[s] for s in symbols if defined.get(s, file) != file} for file, symbols in used.items()}


def reach(start):
    """All files that `start` calls, directly or not."""
    seen, todo = set(), list(calls.get(start, ()))
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += calls.get(file, ())
    return seen


reached = {file: reach(file) for file in calls}
circular = sorted(file for file in calls if file in reached[file])
for file in circular:
    back = sorted(other for other in calls[file] if file in reached.get(other, ()))
    print(f"{file} calls {', '.join(back)}, which call it back")
print(f"{len(calls)} files, {len(circular)} of them in circles")
sys.exit(1 if circular else 0)
