# The table in docs/interop.md, from the results of all conversations. Sourced by interop/run.
# shellcheck shell=bash

cell() {
    if [ "$(cat "$results/$1/status" 2>/dev/null)" = 0 ]; then echo ' yes |'; else echo ' no |'; fi
}

# cells TRANSPORT PATTERN PAIR...: the cells of a row, one for each pair of libraries.
cells() {
    local transport=$1 pattern=$2 pair
    for pair in "${@:3}"; do
        if can_hold "$transport" "$pattern" "$pair"; then
            cell "$(pair_name "$transport" "$pattern" "$pair")"
        else
            echo ' – |'
        fi
    done | tr -d '\n'
}

# head_of FIRST PAIR...: the head of a table whose first columns are FIRST, followed by one for each pair of libraries.
head_of() {
    local row=$1 pair
    for pair in "${@:2}"; do row+=" ${pair/ /, } |"; done
    echo "$row"
    # A line of the same columns.
    sed 's/[^|]\+/---/g' <<<"$row"
}

section_of() { sed -n "/^## $1\$/,/^## /{ /^## $1\$/p; /^## /!p; }" "$table"; }

write_table() {
    local transport pattern pair script way peer line row role
    echo '# Interoperability'
    echo
    # shellcheck disable=SC2016 # The name of a command, in Markdown.
    echo 'The results of `make interop`. Each cell is one conversation, between the socket types that its row names.'
    echo 'Those of libraries and scripts exchange messages from 0 to 3,000,000 bytes, and compare each byte.'
    for transport in "${transports[@]}"; do
        echo
        if ! is_there "$transport"; then
            section_of "$transport" | sed '$ { /^$/d; }'
            continue
        fi
        echo "## $transport"
        echo
        echo '| binds, connects | ours, libnanomsg | libnanomsg, ours | ours, nng | nng, ours |'
        echo '|---|---|---|---|---|'
        for pattern in "${patterns[@]}"; do
            echo "| ${pattern/ /, } |$(cells "$transport" "$pattern" "${libraries[@]}")"
        done
    done
    echo
    echo '## Filtering at the publisher'
    echo
    # shellcheck disable=SC2016 # Names, in Markdown.
    echo 'A "filtering" socket is ours with `NN_PUB_FILTER` or `NN_SUB_FILTER_UPSTREAM`. The other libraries, and ours without'
    echo 'the option, get all messages.'
    echo
    head_of '| transport | binds, connects |' "${filtering[@]}"
    for transport in "${transports[@]}"; do
        for pattern in 'pub sub' 'sub pub'; do
            echo "| $transport | ${pattern/ /, } |$(cells "$transport" "$pattern" "${filtering[@]}")"
        done
    done
    echo
    echo '## Shared memory'
    echo
    # shellcheck disable=SC2016 # A name, in Markdown.
    echo 'A "sharing" socket is ours with `NN_IPC_SHM`, over ipc. Any other one is served by the local socket.'
    echo
    head_of '| binds, connects |' "${sharing[@]}"
    for pattern in "${patterns[@]}"; do
        echo "| ${pattern/ /, } |$(cells ipc "$pattern" "${sharing[@]}")"
    done
    echo
    echo '## Python'
    echo
    echo 'Sockets of PAIR v1, and the package pynng, which contains nng.'
    echo
    echo '| binds, connects | ours, pynng | pynng, ours |'
    echo '|---|---|---|'
    for transport in "${transports[@]}"; do
        row="| $transport |"
        for pair in 'ours pynng' 'pynng ours'; do
            is_there "$transport" || { row+=' – |'; continue; }
            row+=$(cell "$(name_of "$transport" pair1 "${pair% *}" pair1 "${pair#* }")")
        done
        echo "$row"
    done
    echo
    echo '## Contexts'
    echo
    echo '64 requests at once, each of a context, at a server that answers them in any order; libnanomsg has a socket for each'
    echo 'request, and one REP socket as a server. Each gets its own reply.'
    echo
    echo '| binds, connects | ipc | tcp | ws |'
    echo '|---|---|---|---|'
    for line in "${contexts[@]}"; do
        row="| $(sed -E 's/(\w+ \w+) /\1, /; s/ask/asks/; s/serve/serves/' <<<"$line") |"
        for transport in ipc tcp ws; do
            row+=$(cell "contexts, $transport: $line")
        done
        echo "$row"
    done
    echo
    echo '## WebSockets in scripts'
    echo
    echo 'Headless Chromium, and the npm package ws. A "pair" script talks to a PAIR socket, a "req" script to a REP'
    echo 'socket, and a "rep" script to a REQ socket. A browser cannot bind. Both verify the certificate of a wss socket.'
    echo
    row='| the script |' line='|---|'
    for way in Chromium 'ws connects' 'ws binds'; do
        for peer in "${script_peers[@]}"; do row+=" $way, ${peer#* } over ${peer% *} |" line+='---|'; done
    done
    echo "$row"
    echo "$line"
    for script in "${scripts[@]}"; do
        row="| ${script/ /, } |"
        for way in "${script_ways[@]}"; do
            for peer in "${script_peers[@]}"; do
                line=$(script_name "$way" "$script" "$peer")
                case $line in Chromium*:\ rep*) row+=' – |' ;; *) row+=$(cell "$line") ;; esac
            done
        done
        echo "$row"
    done
    echo
    write_chat
    echo
    echo '## TLS 1.3'
    echo
    echo 'The package pynng of Python, which contains nng with Mbed TLS 3. The nng of Debian above has TLS 1.2.'
    echo
    echo '| binds, connects | tls+tcp: ours, pynng | tls+tcp: pynng, ours | wss: ours, pynng | wss: pynng, ours |'
    echo '|---|---|---|---|---|'
    for pattern in "${patterns[@]}"; do
        row="| ${pattern/ /, } |"
        for transport in tls+tcp wss; do
            for pair in 'ours pynng' 'pynng ours'; do
                row+=$(cell "$(name_of "$transport" "${pattern% *}" "${pair% *}" "${pattern#* }" "${pair#* }")")
            done
        done
        echo "$row"
    done
    echo
    write_bridged
    echo
    write_bytes
    echo
    echo '## Command lines'
    echo
    echo "This library's nanocat and nng's nngcat."
    echo
    echo "| binds, connects |$(printf ' %s |' "${command_transports[@]}")"
    echo "|---|$(printf '%.s---|' "${command_transports[@]}")"
    for line in "${command_lines[@]}"; do
        pair="$(words_of "$line" 2), $(words_of "$line" 3)"
        row="| \`${pair/, /\`, \`}\` |"
        for transport in "${command_transports[@]}"; do
            row+=$(cell "$transport: $pair")
        done
        echo "$row"
    done
    echo
    echo '## Sockets of the program'
    echo
    # shellcheck disable=SC2016 # Addresses, in Markdown.
    echo 'This library'"'"'s nanocat with a socket that it was given: one of a pair, as `socket://`, with pynng at the other; and one of'
    echo '`systemd-socket-activate`, as `fd://work`, to which nngcat connects.'
    echo
    row='| given |' line='|---|'
    for role in "${given_roles[@]}"; do row+=" $role |" line+='---|'; done
    echo "$row"
    echo "$line"
    row='| one of a pair |'
    for role in "${given_roles[@]}"; do row+=$(cell "a pair of sockets: nanocat --$role, pynng"); done
    echo "$row"
    for transport in ipc tcp; do
        echo "| by systemd, $transport | – | – |$(cell "systemd: $transport, nngcat --req") – | – |"
    done
    echo
    echo '## Events'
    echo
    echo 'What `nanocat --pull --monitor` of this library prints of a peer of another one, which connects.'
    echo
    echo "| the peer |$(printf ' %s |' "${event_transports[@]}")"
    echo "|---|$(printf '%.s---|' "${event_transports[@]}")"
    for line in "${strangers[@]}"; do
        row="| $line |"
        for transport in "${event_transports[@]}"; do
            can_talk "$transport" "$line" || { row+=' – |'; continue; }
            row+=$(cell "$transport: events, $line")
        done
        echo "$row"
    done
    echo
    write_features
    echo
    echo '## Versions'
    echo
    echo 'The versions with which this page was last written. Each run compares everything above.'
    echo
    echo '| program | version |'
    echo '|---|---|'
    for line in libnanomsg5 libnng1 nng-utils chromium stunnel4 openssl; do
        echo "| $line | $(dpkg-query -W -f '${Version}' "$line" 2>/dev/null || echo unknown) |"
    done
    echo "| node | $(node --version) |"
    echo "| pynng | $("$python" -c 'import importlib.metadata as m; print(m.version("pynng"))') |"
    echo "| ws of npm | $(node -p 'require(process.argv[1]).version' "$node_modules/ws/package.json") |"
}

# The versions come last, and are not compared.
compare_table() {
    diff -u --label docs/interop.md --label 'what was found' <(sed '/^## Versions$/,$d' "$table") \
        <(sed '/^## Versions$/,$d' "$results/interop.md") ||
        { echo 'To write it anew: UPDATE_INTEROP=1 make interop'; return 1; }
}
