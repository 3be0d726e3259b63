# Features that only this library has, with sockets of other libraries and with programs that have none: the Python programs in
# features/, one call of them for each row of the table. Sourced by interop/run.
# shellcheck shell=bash

shopt -s extglob

# Each line: the section, what is checked, with what, and the program with its arguments. The first word of the fourth field is
# "root" if the program needs to be run by root, "network" if it needs a network of its own too, and "set-ID" if the system must
# respect the set-ID bits of files: where these are missing, its line of the table stays as it is.
features=(
    'Contexts of other patterns|64 subscribers, each with its own messages|pynng|contexts.py subscribers pynng tcp'
    'Contexts of other patterns|64 subscribers, each with its own messages|libnanomsg|contexts.py subscribers libnanomsg ipc'
    'Contexts of other patterns|64 surveyors, each with one response of each respondent|pynng|contexts.py surveyors pynng ipc'
    'Contexts of other patterns|64 surveyors, each with one response of each respondent|libnanomsg|contexts.py surveyors libnanomsg tcp'
    'Contexts of other patterns|64 respondents, one for each survey|pynng|contexts.py respondents pynng ws'
    'Contexts of other patterns|64 respondents, one for each survey|libnanomsg|contexts.py respondents libnanomsg tcp'
    'Peers of messages|the addresses, and the number of the connection|pynng|identity.py addresses pynng'
    'Peers of messages|the addresses, and the number of the connection|libnanomsg|identity.py addresses libnanomsg'
    'Peers of messages|over ipc, the process, user and group|nngcat of another user|root identity.py credentials nngcat'
    'Peers of messages|over ipc, the process, user and group|nanocat of Debian, of another user|root identity.py credentials /usr/bin/nanocat'
    'Peers of messages|over tls+tcp, the certificate|pynng, TLS 1.3|identity.py of_pynng tls+tcp'
    'Peers of messages|over tls+tcp, the certificate|nngcat, TLS 1.2|identity.py of_nngcat tls+tcp'
    'Peers of messages|over wss, the certificate|pynng, TLS 1.3|identity.py of_pynng wss'
    'Peers of messages|over wss, the certificate|nngcat, TLS 1.2|identity.py of_nngcat wss'
    'Peers of messages|over ws, the request|pynng|identity.py request pynng'
    'Peers of messages|over ws, the request|libnanomsg|identity.py request libnanomsg'
    'Peers of messages|one of two peers is sent away|pynng|identity.py pipe_close pynng'
    'Peers of messages|one of two peers is sent away|libnanomsg|identity.py pipe_close libnanomsg'
    'Rules for peers|a user id over ipc|nngcat of two users|root admission.py user nngcat'
    'Rules for peers|a user id over ipc|nanocat of Debian, of two users|root admission.py user /usr/bin/nanocat'
    'Rules for peers|a group id over ipc|nngcat of two groups|root admission.py group nngcat'
    'Rules for peers|a group id over ipc|nanocat of Debian, of two groups|root admission.py group /usr/bin/nanocat'
    'Rules for peers|the mode of the file of ipc|nngcat of two users|root admission.py permissions nngcat'
    'Rules for peers|the mode of the file of ipc|nanocat of Debian, of two users|root admission.py permissions /usr/bin/nanocat'
    'Rules for peers|networks over tcp|nanocat of Debian, from two addresses|admission.py sources tcp'
    'Rules for peers|networks over tcp|pynng|admission.py networks tcp'
    'Rules for peers|networks over ws|nanocat of Debian, from two addresses|admission.py sources ws'
    'Rules for peers|networks over ws|pynng|admission.py networks ws'
    'Events over TLS|tls+tcp: a peer connects, sends, and is killed|nngcat|secure_events.py accepted nngcat tls+tcp'
    'Events over TLS|tls+tcp: a peer connects, sends, and closes|pynng|secure_events.py accepted pynng tls+tcp'
    'Events over TLS|tls+tcp: this side connects, and the peer closes|pynng|secure_events.py connected pynng tls+tcp'
    'Events over TLS|tls+tcp: this side connects, and the peer is killed|openssl s_server|secure_events.py connected openssl tls+tcp'
    'Events over TLS|tls+tcp: the peer does not trust the certificate|nngcat|secure_events.py distrusted nngcat tls+tcp'
    'Events over TLS|tls+tcp: the peer has no TLS|nngcat|secure_events.py plain nngcat tls+tcp'
    'Events over TLS|tls+tcp: the peer shows no certificate, and must|nngcat|secure_events.py unknown nngcat tls+tcp'
    'Events over TLS|wss: a peer connects, sends, and is killed|nngcat|secure_events.py accepted nngcat wss'
    'Events over TLS|wss: a peer connects, sends, and closes|pynng|secure_events.py accepted pynng wss'
    'Events over TLS|wss: this side connects, and the peer closes|pynng|secure_events.py connected pynng wss'
    'Events over TLS|wss: the peer does not trust the certificate|nngcat|secure_events.py distrusted nngcat wss'
    'Events over TLS|wss: the peer has no TLS|nngcat|secure_events.py plain nngcat wss'
    'Events over TLS|wss: the peer shows no certificate, and must|nngcat|secure_events.py unknown nngcat wss'
    'Events over TLS|tls+tcp: the certificate of the server is of another CA|openssl s_server|secure_events.py refused openssl other'
    'Events over TLS|tls+tcp: the certificate of the server has expired|openssl s_server|secure_events.py refused openssl expired'
    'Events over TLS|tls+tcp: the certificate of the server has another name|openssl s_server|secure_events.py refused openssl wrong-name'
    'Events over TLS|tls+tcp: the certificate of the server is revoked|openssl s_server|secure_events.py refused openssl revoked'
    'Waiting for a connection|ipc: the peer is there|pynng|connecting.py served pynng ipc'
    'Waiting for a connection|ipc: the peer comes late|pynng|connecting.py late pynng ipc'
    'Waiting for a connection|ipc: the peer has another protocol|pynng|connecting.py mismatch pynng ipc'
    'Waiting for a connection|ipc: the peer is there|libnanomsg|connecting.py served libnanomsg ipc'
    'Waiting for a connection|ipc: the peer comes late|libnanomsg|connecting.py late libnanomsg ipc'
    'Waiting for a connection|ipc: the peer has another protocol|libnanomsg|connecting.py mismatch libnanomsg ipc'
    'Waiting for a connection|ipc: the peer says nothing|a socket that listens|connecting.py silent ipc'
    'Waiting for a connection|ipc: there is no peer|nothing|connecting.py absent ipc'
    'Waiting for a connection|tcp: the peer is there|pynng|connecting.py served pynng tcp'
    'Waiting for a connection|tcp: the peer comes late|pynng|connecting.py late pynng tcp'
    'Waiting for a connection|tcp: the peer has another protocol|pynng|connecting.py mismatch pynng tcp'
    'Waiting for a connection|tcp: the peer is there|libnanomsg|connecting.py served libnanomsg tcp'
    'Waiting for a connection|tcp: the peer comes late|libnanomsg|connecting.py late libnanomsg tcp'
    'Waiting for a connection|tcp: the peer has another protocol|libnanomsg|connecting.py mismatch libnanomsg tcp'
    'Waiting for a connection|tcp: the peer says nothing|a socket that listens|connecting.py silent tcp'
    'Waiting for a connection|tcp: there is no peer|nothing|connecting.py absent tcp'
    'Waiting for a connection|ws: the peer is there|pynng|connecting.py served pynng ws'
    'Waiting for a connection|ws: the peer comes late|pynng|connecting.py late pynng ws'
    'Waiting for a connection|ws: the peer has another protocol|pynng|connecting.py mismatch pynng ws'
    'Waiting for a connection|ws: the peer is there|libnanomsg|connecting.py served libnanomsg ws'
    'Waiting for a connection|ws: the peer comes late|libnanomsg|connecting.py late libnanomsg ws'
    'Waiting for a connection|ws: the peer has another protocol|libnanomsg|connecting.py mismatch libnanomsg ws'
    'Waiting for a connection|ws: the peer says nothing|a socket that listens|connecting.py silent ws'
    'Waiting for a connection|ws: there is no peer|nothing|connecting.py absent ws'
    'Queues and counters|a slow receiver drops the oldest messages (`NN_RCV_PREFER_NEW`)|pynng|counting.py prefer_new pynng'
    'Queues and counters|the newest message of each of two peers is kept (`NN_CONFLATE`)|pynng|counting.py conflate pynng'
    'Queues and counters|messages and bytes of two endpoints and of three connections|pynng|counting.py endpoints pynng'
    'Queues and counters|messages and bytes of a pair, in both directions|pynng|counting.py both_ways pynng'
    'Queues and counters|a slow receiver drops the oldest messages (`NN_RCV_PREFER_NEW`)|libnanomsg|counting.py prefer_new libnanomsg'
    'Queues and counters|the newest message of each of two peers is kept (`NN_CONFLATE`)|libnanomsg|counting.py conflate libnanomsg'
    'Queues and counters|messages and bytes of two endpoints and of three connections|libnanomsg|counting.py endpoints libnanomsg'
    'Queues and counters|messages and bytes of a pair, in both directions|libnanomsg|counting.py both_ways libnanomsg'
    'Options of TCP|tcp: keepalive and timeout of both ends, as the system and `ss` show them|pynng|network.py options pynng tcp'
    'Options of TCP|ws: keepalive and timeout of both ends, as the system and `ss` show them|pynng|network.py options pynng ws'
    'Options of TCP|tcp: keepalive and timeout of both ends, as the system and `ss` show them|libnanomsg|network.py options libnanomsg tcp'
    'Options of TCP|ws: keepalive and timeout of both ends, as the system and `ss` show them|libnanomsg|network.py options libnanomsg ws'
    'Options of TCP|a message is not acknowledged in time (`NN_TCP_USER_TIMEOUT`)|nngcat, whose network goes|network network.py user_timeout nngcat'
    'Options of TCP|a silent peer answers no probe (`NN_TCP_KEEPALIVE`)|nngcat, whose network goes|network network.py keepalive nngcat'
    'Options of TCP|a message is not acknowledged in time (`NN_TCP_USER_TIMEOUT`)|nanocat of Debian, whose network goes|network network.py user_timeout libnanomsg'
    'Options of TCP|a silent peer answers no probe (`NN_TCP_KEEPALIVE`)|nanocat of Debian, whose network goes|network network.py keepalive libnanomsg'
    'Sessions and trust of TLS|TLS 1.2: the peer resumes its session|openssl s_client|sessions.py client 1.2'
    'Sessions and trust of TLS|TLS 1.2: the peer does not, after `NN_TLS_RELOAD`|openssl s_client|sessions.py reload 1.2'
    'Sessions and trust of TLS|TLS 1.2: ours resumes its session|openssl s_server|sessions.py server 1.2'
    'Sessions and trust of TLS|TLS 1.3: the peer resumes its session|openssl s_client|sessions.py client 1.3'
    'Sessions and trust of TLS|TLS 1.3: the peer does not, after `NN_TLS_RELOAD`|openssl s_client|sessions.py reload 1.3'
    'Sessions and trust of TLS|TLS 1.3: ours resumes its session|openssl s_server|sessions.py server 1.3'
    'Sessions and trust of TLS|the authorities of the system (`SSL_CERT_FILE`)|openssl s_server|trust.py roots'
    'Sessions and trust of TLS|a revocation list, and a client that it names|openssl s_client|trust.py crl client'
    'Sessions and trust of TLS|a revocation list, and a server that it names|openssl s_server|trust.py crl server'
    'Programs with more rights|set-user-ID: `NN_TLS_` variables and `SSL_CERT_FILE` do not count|nngcat|set-ID rights.py user'
    'Programs with more rights|set-group-ID: `NN_TLS_` variables and `SSL_CERT_FILE` do not count|nngcat|set-ID rights.py group'
    'STAR|ipc: three processes, of which one binds|ours|star.py hub ipc'
    'STAR|ipc: three processes, and a fourth with a device|ours|star.py device ipc'
    'STAR|tcp: three processes, of which one binds|ours|star.py hub tcp'
    'STAR|tcp: three processes, and a fourth with a device|ours|star.py device tcp'
    'STAR|ws: three processes, of which one binds|ours|star.py hub ws'
    'STAR|ws: three processes, and a fourth with a device|ours|star.py device ws'
)

# What stands above the lines of a section.
declare -A feature_notes=(
    ['Contexts of other patterns']='The contexts are those of one socket of ours, which binds.'
    ['Peers of messages']='What this library says of the peer of a message (`NN_PEER_INFO`), and `NN_PIPE_CLOSE`.'
    ['Rules for peers']='A peer that a rule of this library excludes is refused, and another one is served.'
    ['Events over TLS']='What `NN_MONITOR` and `NN_PRINT_ERRORS` say of connections and of handshakes that fail, with the reason.'
    ['Sessions and trust of TLS']='What the commands of openssl print, and the events of ours.'
    ['Programs with more rights']='A copy of a program without the bit uses the variables; the one with it ignores those of its caller.'
    ['STAR']='No other library that can be had here has this pattern: all processes are of ours.'
    ['Waiting for a connection']='`NN_CONNECT_TIMEO`: `nn_connect` of ours returns when there is a connection, or fails.'
    ['Queues and counters']='Ours receives, and `NN_ENDPOINT_STATISTICS` and `NN_PIPE_STATISTICS` say what the peer has sent.'
    ['Options of TCP']='Of connections that ours accepts and makes.'
)

# feature_name LINE
feature_name() {
    local section what with
    IFS='|' read -r section what with _ <<<"$1"
    echo "$section: $what, $with"
}

# can_run LINE
can_run() {
    case ${1##*|} in
    root\ *) [ "$(id -u)" = 0 ] ;;
    network\ *) [ "$(id -u)" = 0 ] && unshare --net ip link add name probe type veth 2>/dev/null ;;
    set-ID\ *)
        [ "$(id -u)" = 0 ] && grep -q '^NoNewPrivs:.0' /proc/self/status &&
            [[ "$(findmnt -no OPTIONS --target "${TMPDIR:-/tmp}")" != *nosuid* ]]
        ;;
    esac
}

feature_case() {
    local program=$1
    shift
    # The certificates are options here.
    unset NN_TLS_CERT_FILE NN_TLS_CA_FILE NN_TLS_SERVER_NAME
    INTEROP_PREFIX=$prefix INTEROP_REFERENCE=$reference INTEROP_CERTIFICATES=$certificates PYTHONDONTWRITEBYTECODE=1 \
        timeout -k 5 "$LIMIT" "$python" "$interop/features/$program" "$@"
}

run_features() {
    local line command
    for line in "${features[@]}"; do
        command=${line##*|}
        if can_run "$line"; then
            # shellcheck disable=SC2086 # A command of many words, from the program on.
            run_case "$(feature_name "$line")" feature_case ${command#@(root|network|set-ID) }
        else
            echo "not run, since it needs ${command%% *}: $(feature_name "$line")"
        fi
    done
}

write_features() {
    local line section what with last=
    for line in "${features[@]}"; do
        IFS='|' read -r section what with _ <<<"$line"
        if [ "$section" != "$last" ]; then
            [ -z "$last" ] || echo
            echo "## $section"
            echo
            echo "${feature_notes[$section]}"
            echo
            echo '| what | with | |'
            echo '|---|---|---|'
            last=$section
        fi
        if can_run "$line"; then
            echo "| $what | $with |$(cell "$(feature_name "$line")")"
        else
            grep -F "| $what | $with |" "$table"
        fi
    done
}
