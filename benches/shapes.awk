# Shapes of conversation and crowds, from summary.tsv. Figures of this library that are above the bar are bold; with `mode`
# "misses" only these are printed.

BEGIN {
    SLACK = 1.05
    split("answer back work push pub stages self ask serve device short poll epoll spread gather fan", shape_order, " ")
    split("shape busy one-core", shape_places, " ")

    shape_title["answer"] = "Messages, then an answer"
    shape_about["answer"] = "Two PAIR: so many messages one way, then one back. Microseconds for all of that."
    shape_title["back"] = "By one pipeline there, by another back"
    shape_about["back"] = "PUSH to PULL, so many messages, then one back by another PUSH and PULL. Microseconds for all of that."
    shape_title["work"] = "Ping-pong with work"
    shape_about["work"] = "Two PAIR, of which one works for so long between two round trips. Microseconds one way."
    shape_title["push"] = "Age of a message"
    shape_about["push"] = "One PUSH to one PULL, at a pace. Microseconds from before the message is sent until it is there."
    shape_title["pub"] = "Age of a published message"
    shape_about["pub"] = "One PUB, at a pace. Microseconds until it is there. In brackets the share that was lost."
    shape_title["stages"] = "Three stages"
    shape_about["stages"] = "Three stages: each message passes through a PULL and another PUSH. Microseconds until it arrives; a flood has messages per second."
    shape_title["self"] = "To itself"
    shape_about["self"] = "One thread sends by its PUSH and receives by its own PULL. Microseconds for both."
    shape_title["ask"] = "Callers that work"
    shape_about["ask"] = "REQ, each with a thread that works for so long after an answer, and one REP. Microseconds for a call."
    shape_title["serve"] = "A server that works"
    shape_about["serve"] = "REQ, each with a thread, and one REP that works for so long before it answers. Microseconds for a call."
    shape_title["device"] = "Calls through a device"
    shape_about["device"] = "REQ, each with a thread, a device (`nn_device` and its like), and one REP. Microseconds for a call."
    shape_title["short"] = "Short-lived sockets"
    shape_about["short"] = "A REQ is opened, connected, calls one REP once, and is closed; by so many threads. Microseconds for all of that."
    shape_title["poll"] = "One thread for many sockets, by poll"
    shape_about["poll"] = "It waits for so many REP by `nn_poll` or its like. One thread calls by a REQ for each, one after the other. Microseconds for a call."
    shape_title["epoll"] = "One thread for many sockets, by epoll"
    shape_about["epoll"] = "The same, but it waits by epoll and the descriptors of `NN_RCVFD` and its like."
    shape_title["spread"] = "From one to a crowd"
    shape_about["spread"] = "Messages per second, from one PUSH to PULL that have a thread each."
    shape_title["gather"] = "From a crowd to one"
    shape_about["gather"] = "Messages per second, from PUSH that have a thread each to one PULL."
    shape_title["fan"] = "From a publisher to a crowd"
    shape_about["fan"] = "Messages delivered per second, from one PUB that never pauses to SUB that have a thread each; in brackets the share that was lost."
}

# Name, kind of machine, kind of shape, transport, bytes, count, pause.
$1 ~ /^(shape|busy|one-core)\// {
    if (!($1 in shape_seen)) {
        shape_seen[$1] = 1
        shape_cases[++shape_count] = $1
        split($1, shape_part, "/")
        place_seen[shape_part[1]] = 1
        shape_of[shape_part[1], shape_part[2]] = 1
    }
    has[substr($1, 1, index($1, "/") - 1), $2] = 1
    shape["speed", $1, $2] = $3
    shape["CPU", $1, $2] = $4
    shape["lost", $1, $2] = $7
    shape["median", $1, $2] = $8
    shape["99 %", $1, $2] = $9
}

END {
    if (mode == "misses")
        for (s = 1; s <= shape_count; s++)
            print_misses(shape_cases[s])
    else
        for (s = 1; s <= 3; s++)
            if (place_seen[shape_places[s]])
                print_place(shape_places[s])
}

function print_place(place,    k, kind) {
    if (place == "busy") {
        printf "\n## Shapes on a busy machine\n\nBeside a busy loop on each processor, which is pinned to it.\n"
        print_shapes(place, "")
    } else if (place == "one-core") {
        printf "\n## Shapes on one processor\n\nAll processes are pinned to the same one.\n"
        print_shapes(place, "")
    } else {
        printf "\n## Shapes and crowds\n"
        if (mode == "document")
            printf "\n![Ages of messages](benchmarks/ages.svg)\n\n![Crowds](benchmarks/crowds.svg)\n"
        for (k = 1; k in shape_order; k++) {
            kind = shape_order[k]
            if (!((place, kind) in shape_of))
                continue
            printf "\n### %s\n\n%s\n", shape_title[kind], shape_about[kind]
            print_shapes(place, kind)
        }
    }
}

# A table of one kind of shape, or of all kinds.
function print_shapes(place, kind,    i, p, part) {
    begin_table()
    begin_row()
    cell("shape"); cell("transport"); cell("bytes")
    for (p = 1; p <= PEERS; p++)
        if (has[place, peer_names[p]])
            cell(peer_names[p])
    cell("ours / best")
    for (i = 1; i <= shape_count; i++) {
        split(shape_cases[i], part, "/")
        if (part[1] == place && (kind == "" || part[2] == kind))
            shape_row(place, shape_cases[i], kind == "")
    }
    end_table()
}

function shape_row(place, name, with_kind,    part, p, peer, what) {
    split(name, part, "/")
    begin_row()
    what = describe(part[2], part[5], part[6])
    cell(with_kind ? part[2] ": " what : what)
    cell(part[3]); cell(part[4])
    for (p = 1; p <= PEERS; p++) {
        peer = peer_names[p]
        if (has[place, peer])
            cell(figures_of(name, part[2], peer))
    }
    what = is_rate(name) ? "speed" : "median"
    best = best_of(what, name)
    cell(best > 0 && is_number(shape[what, name, "ours"]) ? sprintf("%.2f", shape[what, name, "ours"] / best) : "")
}

function describe(kind, count, pause,    what) {
    if (kind == "answer" || kind == "back")
        return count " and 1 back"
    if (kind == "work")
        return pause " µs of work"
    if (kind == "push")
        return count " each " pause " µs"
    if (kind == "pub")
        return "to " count ", each " pause " µs"
    if (kind == "stages")
        return pause > 0 ? "one each " pause " µs" : "flood"
    if (kind == "self")
        return "one"
    what = kind == "spread" ? "PULL" : kind == "gather" ? "PUSH" : kind == "fan" ? "SUB" : kind ~ /poll/ ? "REP" : "REQ"
    return count " " what (pause > 0 ? ", " pause " µs" : "")
}

function is_number(value) { return value ~ /^[0-9.]+$/ }

# Whether the shape is a flood, which has messages per second and no samples.
function is_rate(name,    part) {
    split(name, part, "/")
    return part[2] ~ /^(spread|gather|fan)$/ || (part[2] == "stages" && part[6] == 0)
}

# The cell: median / 99 % / CPU, or speed / CPU.
function figures_of(name, kind, peer,    text) {
    text = shape["speed", name, peer]
    if (text == "" || text == "cannot")
        return text
    text = is_rate(name) ? marked("speed", name, peer) : marked("median", name, peer) " / " marked("99 %", name, peer)
    if (kind == "pub" || kind == "fan")
        text = text " (" marked("lost", name, peer) ")"
    return text " / " marked("CPU", name, peer)
}

function marked(what, name, peer,    text) {
    text = shown(what, shape[what, name, peer])
    return peer == "ours" && is_missed(what, name) ? "**" text "**" : text
}

function shown(what, value) { return what == "lost" ? sprintf("%.0f %%", value * 100) : figure(value) }

# Whether the peer's figure counts: not if it loses messages at a rate at which this library loses none, nor its CPU time
# if it takes ten times as long.
function is_comparable(what, name, peer) {
    if (is_rate(name))
        return what != "CPU" || shape["speed", name, peer] * 10 >= shape["speed", name, "ours"]
    if (shape["lost", name, peer] + 0 > shape["lost", name, "ours"] + 0.01)
        return 0
    return what != "CPU" || shape["median", name, peer] <= shape["median", name, "ours"] * 10
}

# The best figure of the others, and `best_peer`; "" if there is none.
function best_of(what, name,    p, peer, value, best) {
    best_peer = ""
    for (p = 1; p <= PEERS; p++) {
        peer = peer_names[p]
        value = shape[what, name, peer]
        if (!is_compared(peer) || !is_number(value) || !is_comparable(what, name, peer))
            continue
        if (best_peer == "" || (what == "speed" ? value > best : value < best)) {
            best = value + 0
            best_peer = peer
        }
    }
    return best_peer == "" ? "" : best
}

function is_missed(what, name,    ours, best) {
    ours = shape[what, name, "ours"]
    if (!is_number(ours))
        return 0
    if (what == "lost")
        return is_number(shape[what, name, "libnanomsg"]) && ours > shape[what, name, "libnanomsg"] + 0.01
    best = best_of(what, name)
    if (best == "")
        return 0
    return what == "speed" ? ours * SLACK < best : ours > best * SLACK
}

function print_misses(name,    i, count, figures, what) {
    count = split(is_rate(name) ? "speed|lost|CPU" : "median|99 %|lost|CPU", figures, "|")
    for (i = 1; i <= count; i++) {
        what = figures[i]
        if (!is_missed(what, name))
            continue
        printf "above the bar: %s, %s: %s", name, what, shown(what, shape[what, name, "ours"])
        if (what == "lost")
            printf ", libnanomsg %s\n", shown(what, shape[what, name, "libnanomsg"])
        else {
            best = best_of(what, name)
            printf ", %s %s\n", best_peer, shown(what, best)
        }
    }
}
