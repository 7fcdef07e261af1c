# SPDX-License-Identifier: MIT
#
# awk -f settings.awk psync-relay.ini psync-relay.ini.5: prints the manual page with the settings of the
# commented ini in place of its line "@SETTINGS@".

# What mdoc would take for its own: a backslash anywhere, a dot or an apostrophe at the start of a line.
function plain(text)
{
    gsub(/\\/, "\\e", text)
    if (text ~ /^[.']/)
        text = "\\&" text
    return text
}

# As an argument of a macro: with the quotes around it, what is in them is no macro itself.
function quoted(text)
{
    gsub(/"/, "\"\"", text)
    return "\"" plain(text) "\""
}

function add(line) { settings = settings line "\n" }

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
    if ($0 ~ /^as in: /)
        example = substr($0, 8)
    else
        meaning = meaning (meaning == "" ? "" : "\n") plain($0)
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
    add(".It Cm " quoted(key))
    add(meaning)
    add(".Pp")
    add(value == "" ? "Default: empty." : "Default:\n.Ql " quoted(value))
    if (example != "")
        add(".Pp\nExample:\n.Ql " quoted(example))
}

# A comment belongs to the setting right below it.
file == 1 { meaning = example = "" }

file == 2 && $0 == "@SETTINGS@" {
    end_section()
    printf "%s", settings
    next
}

file == 2
