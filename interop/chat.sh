# The chat of scaproust's examples, with its page in a browser. Sourced by interop/run.
# shellcheck shell=bash

chat_name='chat over wss: the page in Chromium, the example joins'

build_chat() {
    local root=${CARGO_TARGET_DIR:-$interop/../target}
    "${CARGO:-cargo}" build --quiet --locked --manifest-path "$interop/../scaproust/Cargo.toml" --target-dir "$root" \
        --features tls --example chat || stop "no chat"
    # The conversation runs in a folder of its own.
    chat=$(realpath "$root/debug/examples/chat")
}

# A member of the room in the browser greets another one, hears its answer, and answers that from the page's form.
chat_case() {
    local address room member status=0
    mkfifo typed
    timeout -k 5 "$LIMIT" "$chat" serve wss://127.0.0.1:0 "$NN_TLS_CERT_FILE" "$NN_TLS_CERT_FILE" >room.txt 2>&1 &
    room=$!
    wait_for room.txt 'open at' || status=1
    address=$(sed -n 's/^open at //p' room.txt)
    timeout -k 5 "$LIMIT" "$chat" join "$address" "$NN_TLS_CA_FILE" ben <typed >heard.txt 2>&1 &
    member=$!
    exec {types}>typed
    wait_for heard.txt '. 1 here' || status=1
    open_in_browser "$address" "chat.html#$address,anna,good morning" --allow-file-access-from-files
    wait_for heard.txt 'anna: good morning' && echo 'good evening' >&"$types" &&
        wait_for heard.txt 'anna: good night' || status=1
    # It has the pipe open too.
    close_browser "$status"
    exec {types}>&-
    wait "$member" || { echo "the member: status $?"; status=1; }
    kill "$room"
    [ "$status" -eq 0 ] || cat room.txt heard.txt
    return "$status"
}

run_chat() {
    case $chat_name in *"${ONLY:-}"*) build_chat ;; esac
    run_case "$chat_name" chat_case
}

write_chat() {
    echo '## The chat'
    echo
    # shellcheck disable=SC2016 # The name of an example, in Markdown.
    echo 'The example `chat` of the Rust interface is the room, and one of its members; its page in headless Chromium is the other.'
    echo
    echo '| each hears the other | over wss |'
    echo '|---|---|'
    echo "| the page, the example |$(cell "$chat_name")"
}
