# From the medians to tables. Reads summary.tsv and growth.tsv. With `document` set, each kind shows its plot.

BEGIN {
    FS = "\t"
    PEERS = split("ours libnanomsg nng libzmq bare spin", peer_names, " ")
    title["latency"] = "Latency"
    about["latency"] = "Microseconds one way: half of a round trip between two PAIR sockets. Less is better."
    title["flow"] = "Flow"
    about["flow"] = "Messages per second, from one PUSH to one PULL. More is better."
    title["handover"] = "Handover"
    about["handover"] = "Messages per second, from one PUSH to one PULL, in memory of the library's own (`NN_MSG` and its like)."
    title["fanout"] = "Fan-out"
    about["fanout"] = "Messages delivered per second, from one PUB that never pauses to eight SUB together; in brackets the share that was lost."
    title["calls"] = "Calls"
    about["calls"] = "Calls per second, of eight REQ together to one REP."
}

FILENAME ~ /growth/ {
    growth[$1, $2, $3] = $4
    growth_peers[$3] = 1
    growths++
    next
}

{
    if (!($1 in title_seen)) {
        title_seen[$1] = 1
        kinds[++kind_count] = $1
    }
    name = $1 FS $2 FS $3
    if (!(name in case_seen)) {
        case_seen[name] = 1
        cases[++case_count] = name
    }
    speed[name, $4] = $5
    cpu[name, $4] = $6
    switches[name, $4] = $7
    syscalls[name, $4] = $8
    lost[name, $4] = $9
    has[$1, $4] = 1
}

END {
    for (k = 1; k <= kind_count; k++)
        print_kind(kinds[k])
    if (growths > 0)
        print_growth()
}

# --- Tables ---

function begin_table() { rows = 0; columns = 0 }

function cell(text) { table[rows, ++column] = text; if (column > columns) columns = column }

function begin_row() { rows++; column = 0 }

# The text goes left in the first column, else right.
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

# --- Kinds ---

function print_kind(kind,    i, p, peer) {
    printf "\n## %s\n\n%s\n", title[kind], about[kind]
    if (document)
        printf "\n![%s](benchmarks/%s.svg)\n", title[kind], kind
    begin_table()
    begin_row()
    cell("transport"); cell("bytes")
    for (p = 1; p <= PEERS; p++)
        if (has[kind, peer_names[p]])
            cell(peer_names[p])
    cell(kind == "latency" ? "best / ours" : "ours / best")
    if (has[kind, "bare"])
        cell(kind == "latency" ? "ours / bare" : "of bare")
    cell("bar"); cell("")
    for (i = 1; i <= case_count; i++)
        if (index(cases[i], kind FS) == 1)
            speed_row(kind, cases[i])
    end_table()

    printf "\nWhat a message costs: microseconds of CPU time, context switches, system calls; of all threads on both sides.\n"
    begin_table()
    begin_row()
    cell("transport"); cell("bytes")
    for (p = 1; p <= PEERS; p++)
        if (has[kind, peer_names[p]])
            cell(peer_names[p])
    for (i = 1; i <= case_count; i++)
        if (index(cases[i], kind FS) == 1)
            cost_row(kind, cases[i])
    end_table()
}

function begin_case(name,    part) {
    split(name, part, FS)
    begin_row()
    cell(part[2]); cell(part[3])
}

function speed_row(kind, name,    p, peer, best, part, ours, bar, verdict, ratio, text) {
    begin_case(name)
    split(name, part, FS)
    for (p = 1; p <= PEERS; p++) {
        peer = peer_names[p]
        if (!has[kind, peer])
            continue
        if (!((name, peer) in speed)) {
            cell("")
            continue
        }
        text = figure(speed[name, peer])
        if (kind == "fanout")
            text = text sprintf(" (%.0f %%)", lost[name, peer] * 100)
        cell(text)
        if (peer ~ /^(libnanomsg|nng|libzmq)$/ && (best == "" || (kind == "latency" ? speed[name, peer] < best : speed[name, peer] > best)))
            best = speed[name, peer]
    }
    ours = speed[name, "ours"]
    ratio = ours > 0 && best > 0 ? (kind == "latency" ? best / ours : ours / best) : ""
    cell(ratio == "" ? "" : sprintf("%.2f", ratio))
    against = ours > 0 && speed[name, "bare"] > 0 ? ours / speed[name, "bare"] : ""
    if (has[kind, "bare"])
        cell(against == "" ? "" : sprintf("%.2f", against))
    bar = bar_of(kind, part[2], part[3])
    if (bar == "" || ratio == "") {
        cell(""); cell("")
        return
    }
    verdict = ratio >= bar
    if (kind == "latency") {
        cell(sprintf("%s%s", "> 1", against == "" ? "" : ", <= 1.15"))
        verdict = ratio > 1 && (against == "" || against <= 1.15)
    } else
        cell(bar)
    if (kind == "fanout" && (name, "libnanomsg") in lost && lost[name, "ours"] > lost[name, "libnanomsg"] + 0.01)
        cell("missed: loses more than libnanomsg")
    else
        cell(verdict ? "reached" : "missed")
}

# How many times the best of the peers it is to be; "" where no bar is set.
function bar_of(kind, transport, size) {
    if (transport == "ws" || kind == "handover")
        return ""
    if (kind == "latency")
        return 1
    if (kind == "calls")
        return size == 64 ? 2 : ""
    return size == 64 ? 3 : size == 1024 ? 2.5 : size == 65536 ? 1.3 : ""
}

function cost_row(kind, name,    p, peer) {
    begin_case(name)
    for (p = 1; p <= PEERS; p++) {
        peer = peer_names[p]
        if (!has[kind, peer])
            continue
        cell((name, peer) in cpu ? figure(cpu[name, peer]) ", " figure(switches[name, peer]) ", " figure(syscalls[name, peer]) : "")
    }
}

# Three digits that matter, and thousands as k.
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

# --- Growth ---

function print_growth(    p) {
    printf "\n## Growth\n\nWhat much of something costs. Measured once, not in rounds.\n"
    begin_table()
    begin_row()
    cell("")
    for (p = 1; p <= PEERS; p++)
        if (peer_names[p] in growth_peers)
            cell(peer_names[p])
    cell("bar"); cell("")
    growth_row("connections", "count", "tcp connections of one REP", 10000, 1)
    growth_row("connections", "bytes", "memory of one, bytes", 10240, 0)
    growth_row("connections", "bytes of who connects", "the same, where it connects", "", 0)
    growth_row("connections", "few us", "a call over one of 10, microseconds", "", 0)
    growth_row("connections", "many us", "a call over one of all, microseconds", "few us", 0)
    growth_row("sockets", "count", "sockets of one process", 10000, 1)
    growth_row("sockets", "bytes", "memory of one, bytes", "", 0)
    growth_row("sockets", "few us", "a message, with 10 sockets, microseconds", "", 0)
    growth_row("sockets", "many us", "a message, with all sockets, microseconds", "few us", 0)
    growth_row("subscriptions", "count", "subscriptions of one SUB", 100000, 1)
    growth_row("subscriptions", "bytes", "memory of one, bytes", "", 0)
    growth_row("subscriptions", "few us", "a message, with 10 subscriptions, microseconds", "", 0)
    growth_row("subscriptions", "many us", "a message, with all subscriptions, microseconds", "few us", 0)
    growth_row("idle", "syscalls", "system calls in 5 s of waiting", 0, 0)
    end_table()
}

# A row, if the figure was measured. The bar is the least or the most it may be; that of a cost that is not to grow is the
# cost with few, and a quarter for the noise of one measurement.
function growth_row(program, name, label, bar, least,    p, peer, ours, found, compared, most) {
    for (p = 1; p <= PEERS; p++)
        found = found || ((program, name, peer_names[p]) in growth)
    if (!found)
        return
    begin_row()
    cell(label)
    for (p = 1; p <= PEERS; p++) {
        peer = peer_names[p]
        if (peer in growth_peers)
            cell((program, name, peer) in growth ? growth_figure(growth[program, name, peer]) : "cannot")
    }
    if (bar == "" || !((program, name, "ours") in growth)) {
        cell(""); cell("")
        return
    }
    ours = growth[program, name, "ours"]
    compared = bar == "few us"
    most = compared ? growth[program, bar, "ours"] * 1.25 : bar
    cell(compared ? "as with 10" : (least ? ">= " : "<= ") bar)
    cell((least ? ours >= bar : ours <= most) ? "reached" : "missed")
}

function growth_figure(value) { return value == int(value) ? value : sprintf("%.3g", value) }
