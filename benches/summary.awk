# Computes the medians of the runs that benches/run.sh has left. Prints for each case and peer, in the order of runs:
#
#     name, peer, speed, CPU time, switches, system calls, share lost, median, 99th percentile, bytes on the wire
#
# Speed is microseconds for a latency, else messages per second. CPU time (microseconds), switches and system calls are
# those of one message, and so are the bytes, which are measured for topics. A figure that was not measured is a hyphen; the speed of a case that a peer cannot do is "cannot". The figures of
# growth are copied: name, peer, figure, value.

BEGIN { FS = OFS = "\t" }

{ key = $2 FS $3 }

$1 == "growth" { print $2, $3, $4, $5 }

$1 == "calls" { syscalls[key] = $4 > 0 ? sprintf("%.6f", $5 / $4) : "-" }

$1 == "run" {
    if (!(key in runs))
        order[++keys] = key
    if ($4 == "cannot") {
        cannot[key] = 1
        runs[key]++
        next
    }
    messages = $4 > 0 ? $4 : 1
    put("speed", $2 ~ /^latency/ ? $5 / messages * 1e6 : $4 / $5)
    put("cpu", $6 / messages * 1e6)
    put("switches", $7 / messages)
    put("lost", $8)
    put("median", NF > 12 ? $12 : "-")
    put("p99", NF > 12 ? $13 : "-")
    put("wire", NF == 12 ? $12 / messages : "-")
    runs[key]++
}

END {
    for (i = 1; i <= keys; i++) {
        key = order[i]
        if (key in cannot)
            print key, "cannot"
        else
            print key, median("speed"), median("cpu"), median("switches"), (key in syscalls ? syscalls[key] : "-"),
                median("lost"), median("median"), median("p99"), median("wire")
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
