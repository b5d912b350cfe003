#!/usr/bin/env bash
# README.md, CONTRIBUTING.md, CHANGELOG.md, docs/*.md and slurm/README.md name only what exists: files behind relative links and headings behind
# their anchors, files and folders of the project in backticks, options of job files (in backticks or behind --set), variables ELMPI_*, and flags of
# the programs. Lines have at most 120 columns, 140 in tables and blocks; no paragraph stands in two places; words that stand for a term of the field
# are not used; README.md has at most 180 lines. The test fails on a copy with each of these wrong.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

flags_of() { # PROGRAM
    "$ELMPI_BIN/elmpi-$1" --help | grep -oE '^  --[a-z][a-z-]*|\[--[a-z][a-z-]*' | tr -d ' ['
}
"$ELMPI_BIN/elmpi-train" --help | sed -nE 's/^  ([a-z]+\.[a-z_.-]+)$/\1/p' >"$scratch/options"
printf "job.%s\n" include setup data_set >>"$scratch/options" # what reads job files knows it, no table
# Old keys, which job files may still hold.
sed -nE 's/^    \{"([a-z.]+)", "[a-z.]+", .*/\1/p' "$ELMPI_SOURCE/src/job/aliases.c" >>"$scratch/options"
cut -d. -f1 "$scratch/options" | sort -u | paste -sd'|' >"$scratch/sections"
for program in bench evaluate export predict prepare report train; do
    flags_of "$program" | sort -u | sed "s/^/$program /"
done >"$scratch/flags"
# Flags of the project's own scripts.
cat "$ELMPI_SOURCE"/tools/*.sh "$ELMPI_SOURCE"/tools/packaging/*.sh | grep -oE -e '--[a-z][a-z-]+' | sort -u >"$scratch/scripts"
if [ "$(wc -l <"$scratch/options")" -lt 80 ] || [ "$(wc -l <"$scratch/flags")" -lt 60 ]; then
    fail "the programs' --help does not list their options as it did"
fi

# shellcheck disable=SC2016 # backquotes of Markdown
fence='/^```/ { block = !block; next }' code='`[^`]+`'

# Backticks of running text, a span a line; and commands in blocks, a line each.
text() { awk "$fence !block" "$1"; }
spans() { text "$1" | grep -oE "$code" | tr -d '`' || true; }
blocks() { awk "$fence block" "$1" | sed -E ':join; /\\$/ { N; s/\\\n/ /; b join }; s/(^|[[:space:]])#.*//'; }

# An anchor as GitHub makes it of a heading.
anchors() { sed -nE 's/^#+ +//p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'; }

check_links() { # ROOT PAGE
    local target file anchor
    while IFS= read -r target; do
        case $target in *://* | mailto:*) continue ;; esac
        file=${target%%#*}
        anchor=${target#"$file"}
        file=$1/$(dirname "$2")/${file:-$(basename "$2")}
        if [ ! -e "$file" ]; then
            echo "$2: link to $target: no such file"
        elif [ -n "$anchor" ] && ! anchors "$file" | grep -qx -- "${anchor#\#}"; then
            echo "$2: link to $target: no such heading"
        fi
    done < <(text "$1/$2" | sed -E "s/$code//g" | grep -oE '\]\([^) ]+\)' | sed -E 's/^\]\(|\)$//g')
}

check_options() { # ROOT PAGE
    local key sections # a key may stand for all that begin with it: `loss.bank`
    sections=$(<"$scratch/sections")
    while IFS= read -r key; do
        grep -qE -- "^$key(\.|\$)" "$scratch/options" || echo "$2: $key is no option"
    done < <({
        spans "$1/$2" | grep -oE "^($sections)\.[a-z_.-]+( ?= ?[^ ]+)?$" | sed -E 's/ ?=.*//' || true
        { spans "$1/$2"; blocks "$1/$2"; } | grep -oE -e '--set [a-z_-]+\.[a-z_.-]+=' | sed -E 's/--set |=//g' || true
    } | grep -vE '\.(h5|ini|c|h|csv|json|txt|tar|onnx|safetensors|[a-z]+\.)$' | sort -u)
}

# Flags behind a program's name, up to the end of its command; a span that is a flag alone is some program's or script's. Of other tools' commands
# (cmake, mpirun, sbatch) nothing is asked: what stands before the program's name is not looked at.
check_flags() { # ROOT PAGE
    local line program rest flag
    while IFS= read -r line; do
        while [[ $line =~ elmpi-(bench|evaluate|export|predict|prepare|report|train)([^a-z-].*|$) ]]; do
            program=${BASH_REMATCH[1]}
            line=${BASH_REMATCH[2]}
            rest=${line%%[;|&]*}
            rest=${rest%%elmpi-*}
            for flag in $(grep -oE -e '(^|[ [])--[a-z][a-z-]*' <<<"$rest" | tr -d ' [' || true); do
                grep -qxF -- "$program $flag" "$scratch/flags" || echo "$2: elmpi-$program has no $flag"
            done
        done
    done < <(spans "$1/$2"; blocks "$1/$2")
    while IFS= read -r flag; do
        grep -qE -- " $flag$" "$scratch/flags" || grep -qxF -- "$flag" "$scratch/scripts" || echo "$2: nothing has the flag $flag"
    done < <(spans "$1/$2" | grep -oE -e '^--[a-z][a-z-]*' | grep -vxE -e "$other_tools" | sort -u)
}
other_tools='--(mca|mpi|nodes|ntasks-per-node|cpus-per-task|no-requeue|prefix|hint|signal|preset|build)' # mpirun, srun, sbatch, cmake

# Jobs need no file of their own.
expect 0 env -u ELMPI_JOBS "$ELMPI_BIN/elmpi-train" --list-jobs
sed -E 's|^([^ ]+).*|jobs/\1.ini|' "$scratch/stdout" >"$scratch/jobs"

check_files() { # ROOT PAGE
    local name
    while IFS= read -r name; do
        compgen -G "$1/$name" >/dev/null || grep -qxF -- "$name" "$scratch/jobs" || echo "$2: no file $name"
    done < <(spans "$1/$2" | grep -oE '^(cmake|docs|include|jobs|slurm|src|tests|tools)/[A-Za-z0-9_./*-]+' |
        grep -vE '^src/loss/logit/square\.c$' | sort -u) # the loss that CONTRIBUTING.md writes
    while IFS= read -r name; do
        compgen -G "$1/tests/*/$name" >/dev/null || echo "$2: no test $name"
    done < <(spans "$1/$2" | grep -oE '^test_[a-z0-9_]+\.(c|sh)$' | sort -u)
}

check_variables() { # ROOT PAGE
    local name
    while IFS= read -r name; do
        grep -rqE --include='*.c' --include='*.h' --include='*.sh' --include='*.cmake' --include=CMakeLists.txt "\b$name\b" \
            "$ELMPI_SOURCE"/{src,include,tools,slurm,cmake,CMakeLists.txt} ||
            echo "$2: nothing reads $name"
    done < <(grep -oE '\bELMPI_[A-Z_]+\b' "$1/$2" | sort -u)
}

# The targets of links, formulas (one span of code) and images do not count.
check_width() { # ROOT PAGE
    awk -v page="$2" '
        /^ *```/ { block = !block; next }
        { line = $0 }
        !block { gsub(/\]\([^)]*\)/, "]", line) }
        !block && /^- Formula: `/ || /^!/ { next }
        length(line) > (block || /^\|/ ? 140 : 120) { printf "%s:%d: %d columns\n", page, NR, length(line) }' "$1/$2"
}

check_words() { # ROOT PAGE
    grep -niE "\\b(is told|are told|puts? up with|stand(s)? still|broken numbers?|leave it away|made anew|patience|the house|rooms?)\\b" "$1/$2" |
        sed "s|^\([0-9]*\):.*|$2:\1: a word of our own (tests/layout/test_documents.sh lists them)|" || true
}

# Sources cite the design by the numbers of its sections.
check_citations() { # ROOT
    local number
    while IFS= read -r number; do
        grep -q "^## $number\. " "$1/docs/design.md" || echo "docs/design.md has no section $number, which the source cites"
    done < <(grep -rhoE 'docs/design\.md,? section [0-9]+' "$1"/{src,include,tools,tests} | grep -oE '[0-9]+$' | sort -u)
}

check_page() { # ROOT PAGE
    check_links "$@"
    check_options "$@"
    check_flags "$@"
    check_files "$@"
    check_variables "$@"
    check_width "$@"
    check_words "$@"
}

# Paragraphs and table rows of some length, each on a line (docs/methods.md lists an option with each method that has it); a second one like it is named with both its pages.
check_copies() { # ROOT PAGE...
    local root=$1 page
    shift
    for page in "$@"; do
        awk -v page="$page" '
            function done() { if (length(text) > 60) print page "\t" text; text = "" }
            /^ *```/ { block = !block; done(); next }
            block || /^$/ || /^#/ { done(); next }
            /^(\||[-*] |[0-9]+\. )/ { done() }
            { text = text " " $0 }
            END { done() }' "$root/$page"
    done | awk -F '\t' '$2 in first { print first[$2] " and " $1 ": the same text:" substr($2, 1, 80) } { first[$2] = $1 }'
}

check_all() { # ROOT
    local page
    for page in "${pages[@]}"; do
        check_page "$1" "$page"
    done
    check_copies "$1" "${written[@]}"
    check_citations "$1"
    [ "$(wc -l <"$1/README.md")" -le 180 ] || echo "README.md: more than 180 lines: the rest belongs into docs/"
}

cd "$ELMPI_SOURCE"
pages=(README.md CONTRIBUTING.md CHANGELOG.md docs/*.md slurm/README.md)
mapfile -t written < <(printf '%s\n' "${pages[@]}" | grep -vx docs/methods.md)
check_all "$ELMPI_SOURCE" >"$scratch/wrong"
[ ! -s "$scratch/wrong" ] || { cat "$scratch/wrong" >&2; fail "documents name what does not exist: see above"; }

# Each kind of mistake is found: planted in a copy.
mkdir "$scratch/copy"
for folder in */; do
    case $folder in build* | runs/ | data/) ;; *) ln -s "$ELMPI_SOURCE/$folder" "$scratch/copy/${folder%/}" ;; esac
done
cp LICENSE README.md CONTRIBUTING.md CHANGELOG.md "$scratch/copy"
# shellcheck disable=SC2016 # backquotes of Markdown
planted=('[page](docs/no-such-page.md)' '[place](#no-such-heading)' '`run.no_such_option`' '`--set optim.lrr=1`' '`elmpi-train JOB --no-such-flag`'
    '`elmpi-report runs/X --resume`' '`--no-such-flag`' '`tests/unit/test_no_such_thing.c`' '`test_no_such_thing.sh`' '`jobs/digits-elmm.ini`' 'ELMPI_NO_SUCH_THING'
    "$(printf 'word %.0s' {1..25})" "$(printf '| word %.0s' {1..24})" 'The log is told of it.')
for text in "${planted[@]}"; do
    { cat README.md; printf '\n%s\n' "$text"; } >"$scratch/copy/README.md"
    check_page "$scratch/copy" README.md >"$scratch/found"
    [ "$(wc -l <"$scratch/found")" -eq 1 ] || fail "planted $text, found: $(cat "$scratch/found")"
done
# shellcheck disable=SC2016
{ cat README.md; printf '\n```\nelmpi-prepare digits --no-such-flag --out S\n```\n'; } >"$scratch/copy/README.md"
check_page "$scratch/copy" README.md | grep -q 'elmpi-prepare has no --no-such-flag' || fail "a wrong flag in a block of commands is not found"
{ cat README.md; sed -n '/^## 4/,/^## 5/p' docs/design.md; } >"$scratch/copy/README.md"
check_copies "$scratch/copy" "${written[@]}" | grep -q 'README.md and docs/design.md: the same text' || fail "a paragraph in two places is not found"
sed 's/^## 3\. /## /' docs/design.md >"$scratch/design.md"
rm "$scratch/copy/docs"
cp -r docs "$scratch/copy/docs"
cp "$scratch/design.md" "$scratch/copy/docs/design.md"
check_citations "$scratch/copy" | grep -q 'no section 3' || fail "a citation of a section that is not there is not found"
{ cat README.md; printf '\n%.0s' {1..180}; } >"$scratch/copy/README.md"
check_all "$scratch/copy" | grep -q 'README.md: more than 180 lines' || fail "a README that is too long is not found"
echo "documents: $(wc -l <"$scratch/options") options and $(wc -l <"$scratch/flags") flags known, ${#planted[@]} planted mistakes found"
