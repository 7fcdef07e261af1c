# SPDX-License-Identifier: MIT
#
# awk -f settings.awk psync-relay.ini psync-relay.ini.5: prints the manual page with the settings of the
# commented ini in place of its line "@SETTINGS@".

# Escapes what mdoc interprets: a backslash anywhere, a dot or an apostrophe at the start of a line.
function plain(text)
{
    gsub(/\\/, "\\e", text)
    if (text ~ /^[.']/)
        text = "\\&" text
    return text
}

# An argument of a macro. Words inside the quotes are not taken for macros.
function quoted(text)
{
    gsub(/"/, "\"\"", text)
    return "\"" plain(text) "\""
}

function add(line) { settings = settings line "\n" }

function mean(line) { meaning = meaning (meaning == "" ? "" : "\n") line }

# Text, in which each sentence begins a line.
function mean_text(text)
{
    while (match(text, /[.] /)) {
        mean(plain(substr(text, 1, RSTART)))
        text = substr(text, RSTART + 2)
    }
    mean(plain(text))
}

# Two blanks, a value, two blanks, what it means; what is indented deeper goes on with that.
function begin_value(line,  end)
{
    sub(/^ +/, "", line)
    end = match(line, /  +/)
    if (!in_values++)
        mean(".Bl -tag -width Ds -compact")
    mean(".It Ql " quoted(substr(line, 1, end - 1)))
    mean_text(substr(line, end + RLENGTH))
}

function end_values()
{
    if (in_values)
        mean(".El")
    in_values = 0
}

function end_section()
{
    if (has_settings)
        add(".El")
    has_settings = 0
}

FNR == 1 { file++ }

file == 1 && /^\[/ {
    end_section()
    section = $0
}

file == 1 && /^#/ {
    sub(/^# ?/, "")
    if ($0 ~ /^Example: /)
        example = substr($0, 10)
    else if ($0 ~ /^  [^ ].*[^ ]  +[^ ]/ || $0 ~ /^  [^ ]  +[^ ]/)
        begin_value($0)
    else {
        gsub(/^ +/, "")
        mean_text($0)
    }
    next
}

file == 1 && /^;/ {
    equals = index($0, "=")
    key = substr($0, 2, equals - 2)
    value = substr($0, equals + 1)
    gsub(/^ +| +$/, "", key)
    gsub(/^ +| +$/, "", value)
    if (!has_settings++)
        add(".Ss " quoted(section) "\n.Bl -tag -width Ds")
    end_values()
    add(".It Cm " quoted(key))
    add(meaning)
    add(".Pp")
    add(value == "" ? "Default: empty." : "Default:\n.Ql " quoted(value))
    if (example != "")
        add(".Pp\nExample:\n.Ql " quoted(example))
}

# A comment belongs to the setting right below it.
file == 1 {
    meaning = example = ""
    in_values = 0
}

file == 2 && $0 == "@SETTINGS@" {
    end_section()
    printf "%s", settings
    next
}

file == 2
