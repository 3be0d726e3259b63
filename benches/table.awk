# Tables and figures as Markdown, for floods.awk, topics.awk, shapes.awk and growth.awk, which print their part of the page each in its
# END. `mode` is that of benches/report.

BEGIN {
    FS = "\t"
    PEERS = split("ours libnanomsg nng libzmq omq bare spin", peer_names, " ")
}

function is_compared(peer) { return peer ~ /^(libnanomsg|nng|libzmq|omq)$/ }

function begin_table() { rows = 0; columns = 0 }

function cell(text) { table[rows, ++column] = text; if (column > columns) columns = column }

function begin_row() { rows++; column = 0 }

# The first column is aligned left, the others right.
function end_table(    c, r, width, line) {
    for (c = 1; c <= columns; c++)
        for (r = 1; r <= rows; r++)
            if (length(table[r, c]) > width[c] + 0)
                width[c] = length(table[r, c])
    print ""
    for (r = 1; r <= rows; r++) {
        line = "|"
        for (c = 1; c <= columns; c++)
            line = line sprintf(c == 1 ? " %-" width[c] "s |" : " %" width[c] "s |", table[r, c])
        print line
        if (r == 1) {
            line = "|"
            for (c = 1; c <= columns; c++)
                line = line dashes(width[c] + (c == 1 ? 2 : 1)) (c == 1 ? "|" : ":|")
            print line
        }
    }
    split("", table)
}

function dashes(count,    text) {
    while (length(text) < count)
        text = text "-"
    return text
}

# Three significant digits, and thousands as k.
function figure(value) {
    if (value == "-" || value == "")
        return value
    if (value >= 999500)
        return sprintf("%.3g M", value / 1e6)
    if (value >= 10000)
        return sprintf("%.3g k", value / 1e3)
    if (value >= 1000)
        return sprintf("%d", value)
    if (value < 0.0005)
        return "0"
    return sprintf(value < 0.1 ? "%.2g" : "%.3g", value)
}
