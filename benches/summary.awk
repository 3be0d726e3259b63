# From the runs to their medians. Reads syscalls.tsv, then runs.tsv. Prints for each case and peer, in the order of runs:
#
#     kind, transport, size, peer, speed, CPU time, switches, system calls, share lost
#
# Speed is microseconds for a latency, else messages per second. CPU time (microseconds), switches and system calls are
# those of one message. What was not measured is a hyphen.

BEGIN { FS = OFS = "\t" }

{ key = $1 FS $2 FS $3 FS $4 }

FILENAME ~ /syscalls/ {
    syscalls[key] = $5 > 0 ? sprintf("%.6f", $6 / $5) : "-"
    next
}

{
    if (!(key in runs))
        order[++keys] = key
    messages = $5 > 0 ? $5 : 1
    put("speed", $1 == "latency" ? $6 / messages * 1e6 : $5 / $6)
    put("cpu", $7 / messages * 1e6)
    put("switches", $8 / messages)
    put("lost", $9)
    runs[key]++
}

END {
    for (i = 1; i <= keys; i++) {
        key = order[i]
        print key, median("speed"), median("cpu"), median("switches"), (key in syscalls ? syscalls[key] : "-"), median("lost")
    }
}

function put(figure, value) { values[key, figure, runs[key] + 0] = value }

function median(figure,    n, i, j, kept, sorted) {
    n = runs[key]
    if (values[key, figure, 0] == "-")
        return "-"
    for (i = 0; i < n; i++) {
        kept = values[key, figure, i] + 0
        for (j = i; j > 0 && sorted[j - 1] > kept; j--)
            sorted[j] = sorted[j - 1]
        sorted[j] = kept
    }
    return sprintf("%.6f", (sorted[int((n - 1) / 2)] + sorted[int(n / 2)]) / 2)
}
