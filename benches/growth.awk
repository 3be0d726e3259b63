# The cost of many connections, sockets or subscriptions, from summary.tsv.

$1 ~ /^growth/ {
    growth[$1, $3, $2] = $4
    growth_peers[$2] = 1
    growths++
}

END {
    if (growths > 0 && mode != "misses")
        print_growth()
}

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

# A row, if the figure was measured. The bar is the least or the most it may be; for a cost that must not grow it is the
# cost with few, plus a quarter for the noise of one measurement.
function growth_row(program, name, label, bar, least,    p, peer, ours, found, compared, most) {
    for (p = 1; p <= PEERS; p++)
        found = found || (("growth/" program, name, peer_names[p]) in growth)
    if (!found)
        return
    begin_row()
    cell(label)
    for (p = 1; p <= PEERS; p++) {
        peer = peer_names[p]
        if (peer in growth_peers)
            cell(("growth/" program, name, peer) in growth ? growth_figure(growth["growth/" program, name, peer]) : "cannot")
    }
    if (bar == "" || !(("growth/" program, name, "ours") in growth)) {
        cell(""); cell("")
        return
    }
    ours = growth["growth/" program, name, "ours"]
    compared = bar == "few us"
    most = compared ? growth["growth/" program, bar, "ours"] * 1.25 : bar
    cell(compared ? "as with 10" : (least ? ">= " : "<= ") bar)
    cell((least ? ours >= bar : ours <= most) ? "reached" : "missed")
}

function growth_figure(value) { return value == int(value) ? value : sprintf("%.3g", value) }
