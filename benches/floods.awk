# Floods and ping-pongs, from summary.tsv. With `mode` "document" each kind shows its plot.

BEGIN {
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

$1 ~ /^(latency|flow|handover|fanout|calls)\// {
    split($1, part, "/")
    kind = part[1]
    if (!(kind in title_seen)) {
        title_seen[kind] = 1
        kinds[++kind_count] = kind
    }
    if (!($1 in case_seen)) {
        case_seen[$1] = 1
        cases[++case_count] = $1
    }
    has[kind, $2] = 1
    speed[$1, $2] = $3
    cpu[$1, $2] = $4
    switches[$1, $2] = $5
    syscalls[$1, $2] = $6
    lost[$1, $2] = $7
}

END {
    if (mode != "misses")
        for (k = 1; k <= kind_count; k++)
            print_kind(kinds[k])
}

# Begins a table with a column for each peer that was measured.
function begin_peer_table(kind,    p) {
    begin_table()
    begin_row()
    cell("transport"); cell("bytes")
    for (p = 1; p <= PEERS; p++)
        if (has[kind, peer_names[p]])
            cell(peer_names[p])
}

function print_kind(kind,    i) {
    printf "\n## %s\n\n%s\n", title[kind], about[kind]
    if (mode == "document")
        printf "\n![%s](benchmarks/%s.svg)\n", title[kind], kind
    begin_peer_table(kind)
    cell(kind == "latency" ? "best / ours" : "ours / best")
    if (has[kind, "bare"])
        cell(kind == "latency" ? "ours / bare" : "of bare")
    cell("bar"); cell("")
    for (i = 1; i <= case_count; i++)
        if (index(cases[i], kind "/") == 1)
            speed_row(kind, cases[i])
    end_table()

    printf "\nWhat a message costs: microseconds of CPU time, context switches, system calls; of all threads on both sides.\n"
    begin_peer_table(kind)
    for (i = 1; i <= case_count; i++)
        if (index(cases[i], kind "/") == 1)
            cost_row(kind, cases[i])
    end_table()
}

function begin_case(name,    part) {
    split(name, part, "/")
    begin_row()
    cell(part[2]); cell(part[3])
}

function speed_row(kind, name,    p, peer, best, part, ours, factor, share, against, verdict, ratio, text) {
    begin_case(name)
    split(name, part, "/")
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
        if (is_compared(peer) && (best == "" || (kind == "latency" ? speed[name, peer] < best : speed[name, peer] > best)))
            best = speed[name, peer]
    }
    ours = speed[name, "ours"]
    ratio = ours > 0 && best > 0 ? (kind == "latency" ? best / ours : ours / best) : ""
    cell(ratio == "" ? "" : sprintf("%.2f", ratio))
    against = ours > 0 && speed[name, "bare"] > 0 ? ours / speed[name, "bare"] : ""
    if (has[kind, "bare"])
        cell(against == "" ? "" : sprintf("%.2f", against))
    factor = ratio == "" ? "" : bar_of(kind, part[2], part[3])
    share = against == "" ? "" : share_of(kind, part[2], part[3])
    if (factor == "" && share == "") {
        cell(""); cell("")
        return
    }
    text = factor
    verdict = factor == "" || ratio >= factor
    if (share != "") {
        text = text (text == "" ? "" : ", ") (kind == "latency" ? "<= " : "") share " of bare"
        verdict = verdict && (kind == "latency" ? against <= share : against >= share)
    }
    cell(text)
    if (kind == "fanout" && (name, "libnanomsg") in lost && lost[name, "ours"] > lost[name, "libnanomsg"] + 0.01)
        cell("missed: loses more than libnanomsg")
    else
        cell(verdict ? "reached" : "missed")
}

# The bar: the factor to the best of the peers; "" if none is set.
function bar_of(kind, transport, size) {
    if (kind == "latency")
        return transport ~ /^(ws|wss|tls\+tcp)$/ ? "" : 1
    if (kind == "flow" && transport ~ /^(inproc|ipc|tcp)$/)
        return size == 64 ? 3.5 : size == 1024 ? 2.5 : ""
    if (kind == "flow" && transport == "ipc+shm")
        return size == 65536 ? 3 : ""
    if (kind == "fanout" && transport == "inproc")
        return size == 1024 || size == 65536 ? 2 : ""
    return ""
}

# The bar: the share of what bare sockets reach; "" if none is set.
function share_of(kind, transport, size) {
    if (kind == "latency" && transport != "inproc")
        return size == 1048576 ? 1.2 : 1.15
    if (kind == "flow" && transport ~ /^(ipc|tcp)$/)
        return size == 64 ? 0.6 : size == 1024 ? 0.8 : size == 65536 && transport == "tcp" ? 0.95 : ""
    if (kind == "calls" && size == 64)
        return 0.85
    return ""
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
