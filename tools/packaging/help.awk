# Reads a program's --help and makes a man page (-v form=man) or the tables of a bash completion (-v form=completion) of it.
# What it knows of the text: the usage, a blank line, the summary, flags "  --name ARGUMENT  help", headings that end with ":" or stand in
# brackets, and under them "  name  help" or "  key" with indented lines about it.
function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}

function line_of(tag, text) {
    return ".TP\n\\fB" escape(tag) "\\fR\n" escape(text)
}

# A first sentence in the form "program \- does something".
function purpose(text) {
    sub(/\. .*/, "", text)
    sub(/[.:].*$/, "", text)
    return tolower(substr(text, 1, 1)) substr(text, 2)
}

function add(text) {
    body[section] = body[section] text "\n"
}

# Values of an option, out of "auto, fp32 or bf16; default: auto".
function choices(text) {
    sub(/; .*/, "", text)
    if (text !~ / or / || text ~ /[0-9] or more|number|text/)
        return ""
    gsub(/, | or /, " ", text)
    return text
}

NR == 1 {
    sub(/^usage: /, "")
    program = $1
    usage = $0
    next
}
NR == 2 { next }
NR == 3 {
    summary = $0
    section = "DESCRIPTION"
    add(escape($0))
    next
}
/^  --/ {
    text = $0
    sub(/^  /, "", text)
    split(text, halves, /  +/)
    tag = halves[1]
    sub(/^[^ ]+( [^ ]+)? +/, "", text)
    if (index(tag, " ") == 0)
        text = substr($0, length(tag) + 3)
    sub(/^ +/, "", text)
    section = "OPTIONS"
    add(line_of(tag, text))
    split(tag, words, " ")
    flags = flags " " words[1]
    if (words[2] != "")
        takes = takes words[1] " " words[2] "\n"
    next
}
/^Exit (status|codes):/ {
    section = "EXIT STATUS"
    sub(/^Exit (status|codes): /, "")
    add(escape($0))
    next
}
/^\[.*\]$/ {
    add(".SS " escape($0))
    next
}
/^[^ ].*:$/ {
    heading = $0
    sub(/:$/, "", heading)
    section = toupper(heading)
    sub(/ *\(.*\)/, "", section)
    names_key = heading
    sub(/^[^(]*\(?/, "", names_key)
    sub(/\).*/, "", names_key)
    list = names_key != "" ? names_key : heading
    if (!(section in body))
        order[++sections] = section
    next
}
/^  [^ ]+$/ {
    key = $1
    keys = keys " " key
    add(".TP\n\\fB" escape(key) "\\fR")
    next
}
/^  [^ ]/ {
    name = $1
    text = $0
    sub(/^  [^ ]+ +/, "", text)
    add(line_of(name, text))
    names[list] = names[list] " " name
    next
}
/^      / {
    text = $0
    sub(/^ +/, "", text)
    if (text ~ /; (default:|must be given)/ && choices(text) != "")
        names[key] = " " choices(text)
    else if (text ~ /^true or false/)
        names[key] = " true false"
    else if (text ~ /^only with /)
        text = "(" text ")"
    if (text ~ /^\(only|; default:|; must be given/)
        add(".br")
    add(escape(text))
    next
}
/^$/ { next }
{
    section = "NOTES"
    add(".PP\n" escape($0))
}

function section_of(name) {
    if (name in body)
        printf ".SH %s\n%s", name, body[name]
}

function print_man(    i) {
    printf ".TH %s 1 \"%s\" \"elmpi %s\" \"elmpi\"\n", toupper(program), date, version
    printf ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nh\n\\fB%s\\fR%s\n.hy\n", escape(program), escape(purpose(summary)), escape(program),
        escape(substr(usage, length(program) + 1))
    section_of("DESCRIPTION")
    section_of("OPTIONS")
    for (i = 1; i <= sections; i++)
        if (order[i] != "EXIT STATUS" && order[i] != "OPTIONS" && order[i] != "DESCRIPTION")
            section_of(order[i])
    section_of("NOTES")
    if (!("EXIT STATUS" in body))
        body["EXIT STATUS"] = "0 success, 1 failure, 2 wrong command line.\n"
    section_of("EXIT STATUS")
    printf ".SH SEE ALSO\n"
    n = split(others, all, " ")
    first = 1
    for (i = 1; i <= n; i++)
        if (all[i] != program) {
            printf "%s\\fB%s\\fR(1)", (first ? "" : ",\n"), escape(all[i])
            first = 0
        }
    printf "\n.PP\nThe whole documentation is in \\fI%s\\fR, or in \\fIshare/doc/elmpi\\fR of the folder that elmpi was installed in or moved to.\n", escape(docs)
}

function print_completion(    key) {
    printf "_%s_flags='%s'\n", ident, substr(flags, 2)
    printf "_%s_keys='%s'\n", ident, substr(keys, 2)
    printf "declare -gA _%s_takes=(\n", ident
    n = split(takes, all, "\n")
    for (i = 1; i < n; i++) {
        split(all[i], words, " ")
        printf "    [%s]='%s'\n", words[1], words[2]
    }
    printf ")\ndeclare -gA _%s_values=(\n", ident
    n = asorti_names()
    for (i = 1; i <= n; i++)
        printf "    ['%s']='%s'\n", sorted[i], substr(names[sorted[i]], 2)
    printf ")\n"
}

# The keys of names[] in order, so that the file is the same every time; any awk.
function asorti_names(    count, i, j, key) {
    count = 0
    for (key in names) {
        for (i = ++count; i > 1 && sorted[i - 1] > key; i--)
            sorted[i] = sorted[i - 1]
        sorted[i] = key
    }
    return count
}

END {
    if (program == "" || flags == "") {
        print "help.awk: error: this is no --help of a program" >"/dev/stderr"
        exit 1
    }
    if (form == "man")
        print_man()
    else
        print_completion()
}
