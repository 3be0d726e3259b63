# From the medians to tables. Reads summary.tsv.

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
    print machine
    for (k = 1; k <= kind_count; k++)
        print_kind(kinds[k])
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
                line = line (c == 1 ? "" : "-") substr("----------------------------------------", 1, width[c] + (c == 1 ? 2 : 1)) (c == 1 ? "" : ":") "|"
            gsub(/--:\|/, "-:|", line)
            print line
        }
    }
    split("", table)
}

# --- Kinds ---

function print_kind(kind,    i, p, peer) {
    printf "\n## %s\n\n%s\n", title[kind], about[kind]
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
