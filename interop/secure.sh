# Conversations over TLS with programs that have no library of messages, or one without TLS: the C library behind stunnel, and
# the bytes that openssl's commands send and receive. Sourced by interop/run.
# shellcheck shell=bash

# A host and a port that nothing else has.
own_address() { echo "$(own_host):$NN_TEST_PORT"; }

# trust_in_browser HOME: makes the store of certificates of a user of Chromium, with the CA of the tests.
trust_in_browser() {
    mkdir -p "$1/.pki/nssdb" && certutil -d "sql:$1/.pki/nssdb" -N --empty-password &&
        certutil -d "sql:$1/.pki/nssdb" -A -n tests -t C,, -i "$NN_TLS_CA_FILE"
}

# ---- the C library behind stunnel -----------------------------------------------------------

# The library that binds, and the one that connects.
bridged_libraries=('ours libnanomsg' 'libnanomsg ours')
# The transports of ours, and those of the C library behind stunnel.
declare -A without_tls=([tls+tcp]=tcp [wss]=ws)

# scheme_of LIBRARY TRANSPORT
scheme_of() { if [ "$1" = ours ]; then echo "$2"; else echo "${without_tls[$2]}"; fi; }

# bridge TRANSPORT LIBRARY LIBRARY: reads the address of the first library, which is bound, and writes that of a stunnel in
# front of it for the second. Passes on what the first writes afterwards, until it ends, and stunnel with it.
bridge() {
    local address stunnel
    read -r address || return
    {
        echo 'foreground = quiet'
        echo 'pid ='
        echo '[bridge]'
        echo "accept = $(own_address)"
        echo "connect = ${address##*/}"
        if [ "$2" = ours ]; then
            echo 'client = yes'
            echo "CAfile = $NN_TLS_CA_FILE"
            echo 'verifyChain = yes'
            echo "checkHost = $NN_TLS_SERVER_NAME"
        else
            echo "cert = $NN_TLS_CERT_FILE"
        fi
    } >stunnel.conf
    timeout -k 5 "$LIMIT" stunnel stunnel.conf >stunnel.txt 2>&1 &
    stunnel=$!
    echo "$(scheme_of "$3" "$1")://$(own_address)"
    cat
    kill "$stunnel"
    wait "$stunnel" 2>/dev/null
}

# bridged_talk TRANSPORT LIBRARY ROLE LIBRARY ROLE: as talk. Ours speaks TLS, and stunnel in place of the C library.
bridged_talk() {
    local address bound other status=0
    address=$(address_of "$(scheme_of "$2" "$1")" 127.0.0.1)
    mkfifo to-bound from-bound to-other
    side "$2" "$3" binary "$address" <to-bound >from-bound &
    bound=$!
    bridge "$1" "$2" "$4" <from-bound >to-other &
    side "$4" "$5" binary >to-bound <to-other &
    other=$!
    wait "$bound" || { echo "the bound side: status $?"; status=1; }
    wait "$other" || { echo "the connecting side: status $?"; status=1; }
    wait
    [ "$status" = 0 ] || cat stunnel.txt
    return "$status"
}

# bridged_name TRANSPORT PATTERN PAIR
bridged_name() { pair_name "$1, stunnel" "$2" "$3"; }

run_bridged() {
    local transport pattern pair
    for transport in tls+tcp wss; do
        for pattern in "${patterns[@]}"; do
            for pair in "${bridged_libraries[@]}"; do
                has "$pair" "$pattern" || continue
                run_case "$(bridged_name "$transport" "$pattern" "$pair")" \
                    bridged_talk "$transport" "${pair% *}" "${pattern% *}" "${pair#* }" "${pattern#* }"
            done
        done
    done
}

write_bridged() {
    local transport pattern pair row
    echo '## The C library behind stunnel'
    echo
    echo 'The C library has no TLS: stunnel has it, in front of its tcp and ws. Ours has tls+tcp and wss.'
    echo
    echo '| binds, connects | tls+tcp: ours, libnanomsg | tls+tcp: libnanomsg, ours | wss: ours, libnanomsg | wss: libnanomsg, ours |'
    echo '|---|---|---|---|---|'
    for pattern in "${patterns[@]}"; do
        has "${bridged_libraries[0]}" "$pattern" || continue
        row="| ${pattern/ /, } |"
        for transport in tls+tcp wss; do
            for pair in "${bridged_libraries[@]}"; do
                row+=$(cell "$(bridged_name "$transport" "$pattern" "$pair")")
            done
        done
        echo "$row"
    done
}

# ---- the bytes of openssl's commands ----------------------------------------------------------

tls_versions=(1.2 1.3)
# What a PAIR socket sends that has one message: its greeting, and a frame.
greeting='\0SP\0\0\20\0\0'
frame='\0\0\0\0\0\0\0\10'

# wait_for_bytes FILE OTHER: until the one file has as many bytes as the other.
wait_for_bytes() {
    local end=$((SECONDS + LIMIT))
    until [ "$(stat -c %s "$1")" -ge "$(stat -c %s "$2")" ] || [ "$SECONDS" -ge "$end" ]; do sleep 0.05; done
}

# bytes_case VERSION SIDE: nanocat has the message "question", and openssl writes the bytes of the message "response". SIDE: the
# one of openssl.
bytes_case() {
    local version=-tls${1/./_} nanocat=("$prefix/bin/nanocat" --pair --data question -A --count 1)
    local openssl cat status=0
    printf %b "$greeting" "$frame" response >to-send
    printf %b "$greeting" "$frame" question >expected
    mkfifo input
    case $2 in
    client)
        timeout -k 5 "$LIMIT" "${nanocat[@]}" --bind "tls+tcp://$(own_address)" --cert "$NN_TLS_CERT_FILE" \
            --monitor >messages.txt 2>events.txt &
        cat=$!
        wait_for events.txt listening || status=1
        timeout -k 5 "$LIMIT" openssl s_client -quiet "$version" -connect "$(own_address)" -CAfile "$NN_TLS_CA_FILE" \
            -verify_return_error -verify_hostname "$NN_TLS_SERVER_NAME" <input >received 2>openssl.txt &
        openssl=$!
        ;;
    server)
        timeout -k 5 "$LIMIT" openssl s_server -quiet "$version" -accept "$(own_address)" -naccept 1 \
            -cert "$NN_TLS_CERT_FILE" <input >received 2>openssl.txt &
        openssl=$!
        timeout -k 5 "$LIMIT" "${nanocat[@]}" --connect "tls+tcp://$(own_address)" --cacert "$NN_TLS_CA_FILE" \
            --monitor >messages.txt 2>events.txt &
        cat=$!
        ;;
    esac
    # The input must not end before all output is there: openssl ends with the first of them.
    exec {ends}>input
    cat to-send >&"$ends"
    wait "$cat" || { echo "nanocat: status $?"; status=1; }
    wait_for_bytes received expected
    exec {ends}>&-
    wait "$openssl" || { echo "openssl: status $?"; status=1; }
    [ "$(cat messages.txt)" = response ] || { echo 'not received: response'; status=1; }
    cmp expected received || { od -c received; status=1; }
    [ "$status" = 0 ] || cat events.txt openssl.txt
    return "$status"
}

# A peer of TLS 1.2 may ask for another handshake. It is refused, and the next peer is served.
renegotiation_case() {
    local openssl cat status=0
    mkfifo input
    timeout -k 5 "$LIMIT" "$prefix/bin/nanocat" --pull --bind "tls+tcp://$(own_address)" --cert "$NN_TLS_CERT_FILE" \
        --count 1 -A --monitor >messages.txt 2>events.txt &
    cat=$!
    wait_for events.txt listening || status=1
    timeout -k 5 "$LIMIT" openssl s_client -tls1_2 -connect "$(own_address)" -CAfile "$NN_TLS_CA_FILE" \
        <input >openssl.txt 2>&1 &
    openssl=$!
    exec {ends}>input
    wait_for openssl.txt 'verify return' || status=1
    echo R >&"$ends"
    wait "$openssl" && { echo 'openssl has not failed'; status=1; }
    exec {ends}>&-
    grep 'no renegotiation' openssl.txt || status=1
    timeout -k 5 "$LIMIT" "$prefix/bin/nanocat" --push --connect "tls+tcp://$(own_address)" --cacert "$NN_TLS_CA_FILE" \
        --data served || status=1
    wait "$cat" || status=1
    [ "$(cat messages.txt)" = served ] || { echo 'not received: served'; status=1; }
    [ "$status" = 0 ] || cat events.txt openssl.txt
    return "$status"
}

renegotiation='openssl s_client, TLS 1.2: renegotiation'

bytes_name() { echo "openssl s_$2, TLS $1: the bytes of a greeting and a message"; }

run_bytes() {
    local version side
    for version in "${tls_versions[@]}"; do
        for side in client server; do
            run_case "$(bytes_name "$version" "$side")" bytes_case "$version" "$side"
        done
    done
    run_case "$renegotiation" renegotiation_case
}

write_bytes() {
    local version side row
    echo '## The bytes inside TLS'
    echo
    # shellcheck disable=SC2016 # Names of commands, in Markdown.
    echo '`openssl s_client` connects to a PAIR socket of `nanocat`, and a PAIR socket connects to `openssl s_server`: each sends'
    echo 'the greeting and one message, and gets those of the other, byte for byte.'
    echo
    echo '| openssl | TLS 1.2 | TLS 1.3 |'
    echo '|---|---|---|'
    for side in client server; do
        row="| s_$side |"
        for version in "${tls_versions[@]}"; do row+=$(cell "$(bytes_name "$version" "$side")"); done
        echo "$row"
    done
    echo "| s_client asks for renegotiation, and is refused |$(cell "$renegotiation") – |"
}
