# Messages of eight topics, from summary.tsv: at the publisher's rate, and what the network carries for them.

$1 ~ /^(topics|filtered)\// {
    split($1, part, "/")
    place = part[2] "/" part[3]
    if (!(place in place_seen)) {
        place_seen[place] = 1
        places[++place_count] = place
    }
    column = part[1] == "filtered" ? "filtered" : $2
    column_seen[column] = 1
    text = figure($3) " / " figure($4) " / " figure($10)
    topics[place, column] = $3 == "cannot" ? $3 : text sprintf(" (%.0f %%)", $7 * 100)
}

END {
    if (place_count > 0 && mode != "misses")
        print_topics()
}

function print_topics(    p, c, count, columns_of, part) {
    print "\n## Topics\n\nOne PUB sends messages of eight topics in turn, and never pauses; each of eight SUB has subscribed to one topic. Messages"
    print "delivered per second, to all of them together, microseconds of CPU time of one, and bytes on the wire for each; in"
    print "brackets the share that was lost. In `filtered` the PUB of this library filters (`NN_PUB_FILTER` and"
    print "`NN_SUB_FILTER_UPSTREAM`); libzmq's always does."
    count = split("ours filtered libnanomsg nng libzmq omq", columns_of, " ")
    begin_table()
    begin_row()
    cell("transport"); cell("bytes")
    for (c = 1; c <= count; c++)
        if (columns_of[c] in column_seen)
            cell(columns_of[c])
    for (p = 1; p <= place_count; p++) {
        split(places[p], part, "/")
        begin_row()
        cell(part[1]); cell(part[2])
        for (c = 1; c <= count; c++)
            if (columns_of[c] in column_seen)
                cell(topics[places[p], columns_of[c]])
    }
    end_table()
}
