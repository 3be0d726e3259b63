# Features that only this library has, with sockets of other libraries and with programs that have none: the Python programs in
# features/, one call of them for each row of features/rows. Sourced by interop/run.
# shellcheck shell=bash

shopt -s extglob

# Each line of `features`: the section, what is checked, with what, and the program with its arguments.
features=()
# What stands above the lines of a section.
declare -A feature_notes=()

read_features() {
    local line section what with command
    while read -r line; do
        case $line in
        '' | '# '* | '#') ;;
        '## '*) section=${line#\#\# } ;;
        ': '*) feature_notes[$section]=${line#: } ;;
        *)
            IFS='|' read -r what with command <<<"${line// | /|}"
            features+=("$section|$what|$with|$command")
            ;;
        esac
    done <"$interop/features/rows"
}

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
    INTEROP_PREFIX=$prefix INTEROP_REFERENCE=$reference INTEROP_CERTIFICATES=$certificates INTEROP_HOST=$(own_host) \
        PYTHONDONTWRITEBYTECODE=1 \
        timeout -k 5 "$LIMIT" "$python" "$interop/features/$program" "$@"
}

run_features() {
    local line command
    read_features
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
