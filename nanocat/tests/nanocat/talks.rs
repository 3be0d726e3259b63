//! Features that only our nanocat has, and conversations between two of it.

use std::fs;
use std::time::Duration;

use scaproust::Push;

#[cfg(feature = "tls")]
use crate::ports::free_port;
use crate::programs::{End, Folder, Program, Which, run};

#[test]
fn each_line_is_a_message_and_the_end_of_the_input_ends_the_program() {
    let folder = Folder::new();
    let address = folder.ipc("lines");
    let receiver = Program::start(Which::Ours, &format!("--pull --bind {address} -Q --count 4"));
    let mut sender = Program::start(Which::Ours, &format!("--push --connect {address} --lines"));
    sender.write("one\n\n two \nand the last");
    assert_eq!(sender.end(), End { status: Some(0), stdout: Vec::new(), stderr: String::new() });
    let expected = b"\"one\"\n\"\"\n\" two \"\n\"and the last\"\n";
    assert_eq!(receiver.end(), End { status: Some(0), stdout: expected.to_vec(), stderr: String::new() });
}

#[test]
fn events_are_printed_as_text_or_as_json() {
    let folder = Folder::new();
    let address = folder.ipc("events");
    let receiver =
        Program::start(Which::Ours, &format!("--pull --bind {address} --monitor=json -A --count 1"));
    let sender = Program::start(Which::Ours, &format!("--push --connect {address} --monitor -D hello"));
    let (sent, received) = (sender.end(), receiver.end());
    assert_eq!((sent.status, received.status, &received.stdout[..]), (Some(0), Some(0), &b"hello\n"[..]));
    let kinds = sent.stderr.lines().filter_map(|line| line.split(' ').next());
    let kinds: Vec<&str> = kinds.filter(|kind| !["connecting", "retry"].contains(kind)).collect();
    assert_eq!(kinds, ["connected", "disconnected", "closed"], "{}", sent.stderr);
    let lines: Vec<&str> = received.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{}", received.stderr);
    assert!(lines[1].starts_with("{\"event\":\"accepted\",\"time\":"), "{}", lines[1]);
    assert!(lines.iter().all(|line| line.starts_with("{\"event\":") && line.ends_with('}')));
}

#[test]
fn a_line_is_sent_before_the_input_ends() {
    for pair in ["--pair", "--pair1"] {
        let folder = Folder::new();
        let address = folder.ipc("chat");
        let mut one = Program::start(Which::Ours, &format!("{pair} --bind {address} --lines -A"));
        let mut two =
            Program::start(Which::Ours, &format!("{pair} --connect {address} --lines -A --count 2"));
        one.write("hello\n");
        two.read_until(b"hello\n");
        two.write("good day\n");
        one.read_until(b"good day\n");
        one.write("good bye\n");
        // It ends because of --count, although its input is still open.
        two.read_until(b"good bye\n");
        assert_eq!(two.end().status, Some(0));
    }
}

#[test]
fn members_of_a_star_hear_each_other() {
    let folder = Folder::new();
    let address = folder.ipc("star");
    let _hub = Program::start(Which::Ours, &format!("--star --bind {address}"));
    let _one = Program::start(Which::Ours, &format!("--star --connect {address} --data news -i 0.1"));
    let two = Program::start(Which::Ours, &format!("--star --connect {address} -A --count 1"));
    let End { status, stdout, .. } = two.end();
    assert_eq!((status, &*stdout), (Some(0), &b"news\n"[..]));
}

#[test]
fn requests_and_replies_are_read_line_by_line() {
    let folder = Folder::new();
    let address = folder.ipc("dialogue");
    let replies = folder.file("replies");
    fs::write(&replies, "yes\nno\n").unwrap();
    let server =
        Program::start(Which::Ours, &format!("--rep --bind {address} --lines -F {replies} -A --count 2"));
    let mut client = Program::start(Which::Ours, &format!("--req --connect {address} --lines -A"));
    client.write("really?\nsure?\n");
    let End { status, stdout, .. } = client.end();
    assert_eq!((status, &*stdout), (Some(0), &b"yes\nno\n"[..]));
    let End { status, stdout, .. } = server.end();
    assert_eq!((status, &*stdout), (Some(0), &b"really?\nsure?\n"[..]));
}

#[test]
fn a_file_arrives_unchanged() {
    let folder = Folder::new();
    let address = folder.ipc("file");
    let (original, copy) = (folder.file("original"), folder.file("copy"));
    let bytes: Vec<u8> = (0..200_000_u32).map(|index| (index.wrapping_mul(index) >> 5) as u8).collect();
    fs::write(&original, &bytes).unwrap();
    let receiver = Program::start(Which::Ours, &format!("--pull --bind {address} --count 2 --output {copy}"));
    let sender = run(Which::Ours, &format!("--push --connect {address} --file {original} --count 2"));
    assert_eq!((sender.status, receiver.end().status), (Some(0), Some(0)));
    assert!(fs::read(copy).unwrap() == [&*bytes, &*bytes].concat());
}

#[test]
fn the_port_that_the_system_has_chosen_is_printed() {
    let sender = run(Which::Ours, "--pub --bind tcp://127.0.0.1:0 -D hello --verbose");
    let port = sender.stderr.trim_end().strip_prefix("bound to tcp://127.0.0.1:");
    assert!(port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port != 0)), "{}", sender.stderr);
}

#[test]
fn a_connect_waits_for_its_time() {
    let folder = Folder::new();
    let address = folder.ipc("absent");
    let sender = run(Which::Ours, &format!("--push --connect {address} -Dping --connect-timeout 0.01"));
    assert_eq!(
        (sender.status, sender.stderr.contains("Can't connect")),
        (Some(3), true),
        "{}",
        sender.stderr
    );
    // Without a limit it waits until there is a receiver, so that nothing published is lost.
    let publisher = Program::start(
        Which::Ours,
        &format!("--pub --connect {address} --connect-timeout -1 --prefilter -Dnews -i0.01"),
    );
    let subscriber =
        Program::start(Which::Ours, &format!("--sub --bind {address} --prefilter --conflate -A --count 1"));
    assert_eq!(subscriber.end().stdout, b"news\n");
    drop(publisher);
}

#[test]
fn only_messages_that_do_not_belong_together_may_be_dropped() {
    for (options, reason) in [
        ("--req --conflate -Dx", "keeps all messages"),
        ("--respondent --prefer-new", "keeps all messages"),
        ("--push --conflate -Dx", "only sends"),
        ("--pull --prefilter", "has no subscriptions"),
    ] {
        let end = run(Which::Ours, &format!("{options} --bind inproc://x"));
        assert_eq!((end.status, end.stderr.contains(reason)), (Some(1), true), "{options}: {}", end.stderr);
    }
    let folder = Folder::new();
    for option in ["--prefer-new", "--conflate"] {
        let address = folder.ipc(option);
        let receiver = Program::start(Which::Ours, &format!("--pull --bind {address} {option} -A --count 1"));
        let sender = run(Which::Ours, &format!("--push --connect {address} -Dping"));
        assert_eq!((sender.status, receiver.end().stdout), (Some(0), b"ping\n".to_vec()));
    }
}

#[test]
fn a_count_ends_the_program() {
    let folder = Folder::new();
    let address = folder.ipc("count");
    let receiver = Program::start(Which::Ours, &format!("--pull --bind {address} -A --count 3"));
    let sender = run(Which::Ours, &format!("--push --connect {address} -Dping -i0.01 --count 3"));
    assert_eq!(sender.status, Some(0));
    let receiver = receiver.end();
    assert_eq!((receiver.status, &*receiver.stdout), (Some(0), &b"ping\n".repeat(3)[..]));
}

#[test]
fn closing_the_output_ends_the_program() {
    let folder = Folder::new();
    let source = Push::new().unwrap();
    source.bind(folder.ipc("pipe")).unwrap();
    let mut receiver = Program::start(Which::Ours, &format!("--pull --connect {} --raw", folder.ipc("pipe")));
    source.send(b"first").unwrap();
    receiver.read_until(b"first");
    receiver.stop_reading();
    // The reader closes the pipe; the program ends when it writes a later message.
    source.set_send_timeout(Some(Duration::from_millis(10))).unwrap();
    while receiver.is_running() {
        // The send fails when the program has just ended.
        let _ = source.send(b"more");
    }
    assert_eq!(receiver.end(), End { status: Some(141), stdout: b"first".to_vec(), stderr: String::new() });
}

#[test]
#[cfg(feature = "tls")]
fn certificates_are_given_as_files() {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/../scaproust/src/tls/certificates");
    let port = free_port("127.0.0.1");
    let receiver = Program::start(
        Which::Ours,
        &format!(
            "--pull --bind tls+tcp://127.0.0.1:{port} --cert {certificates}/server-cert.pem \
             --key {certificates}/server-key.pem -A --count 2"
        ),
    );
    for verification in [format!("--cacert {certificates}/ca.pem --server-name localhost"), "-k".to_owned()] {
        let address = format!("tls+tcp://127.0.0.1:{port}");
        let sender = run(Which::Ours, &format!("--push --connect {address} {verification} -Dsecret"));
        assert_eq!(sender.status, Some(0));
    }
    assert_eq!(receiver.end().stdout, b"secret\nsecret\n");
}

#[test]
#[cfg(feature = "tls")]
fn a_server_demands_certificates_of_its_clients() {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/../scaproust/src/tls/certificates");
    let port = free_port("127.0.0.1");
    let receiver = Program::start(
        Which::Ours,
        &format!(
            "--pull --bind tls+tcp://127.0.0.1:{port} --cert {certificates}/server.pem \
             --cacert {certificates}/ca.pem --require-cert -A --count 1"
        ),
    );
    let client = |own: &str| {
        run(
            Which::Ours,
            &format!("--push --connect tls+tcp://localhost:{port} --cacert {certificates}/ca.pem {own}"),
        )
    };
    for nobody in [String::new(), format!("--cert {certificates}/other.pem")] {
        assert_eq!(client(&format!("{nobody} -Dsecret --send-timeout 0.5")).status, Some(3));
    }
    assert_eq!(client(&format!("--cert {certificates}/client.pem -Dwelcome")).status, Some(0));
    assert_eq!(receiver.end().stdout, b"welcome\n");
}

/// An option of a server that has no effect would let clients in that are to be kept out.
#[test]
fn options_without_an_effect_are_refused() {
    for (options, reason) in [
        (
            "--require-cert --bind tcp://127.0.0.1:0",
            "--require-cert has no effect without --bind and an address",
        ),
        ("--require-cert --connect wss://a:1", "--require-cert has no effect without --bind and an address"),
        ("--cacert x --bind ipc://x", "--cacert has no effect without an address of tls+tcp or wss"),
        (
            "--cacert x --cert x --bind wss://*:1",
            "--cacert has no effect without --require-cert, or --connect",
        ),
        ("--cert x --connect ws://a:1", "--cert has no effect without an address of tls+tcp or wss"),
        ("--cert x --key x --bind inproc://x", "--cert has no effect without an address of tls+tcp or wss"),
        (
            "--insecure --cert x --bind tls+tcp://*:1",
            "--insecure has no effect without --connect and an address",
        ),
        (
            "--server-name x --connect tcp://a:1",
            "--server-name has no effect without --connect and an address",
        ),
        ("--key x --connect tls+tcp://a:1 -k", "--cert <PATH>"),
        ("--cacert x --connect tls+tcp://a:1 -k", "cannot be used with '--insecure'"),
        ("--connect-timeout 1 --bind ipc://x", "--connect-timeout has no effect without --connect"),
    ] {
        let end = run(Which::Ours, &format!("--pull {options}"));
        assert_eq!((end.status, end.stderr.contains(reason)), (Some(1), true), "{options}: {}", end.stderr);
        assert!(end.stderr.starts_with("error: "), "{}", end.stderr);
    }
}

#[test]
#[cfg(feature = "tls")]
fn a_missing_or_unusable_file_of_tls_is_named() {
    let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/../scaproust/src/tls/certificates");
    let server = format!("--bind tls+tcp://127.0.0.1:0 --cert {certificates}/server.pem");
    let client = "--connect wss://localhost:1";
    for (options, status, reason) in [
        (
            "--bind tls+tcp4://127.0.0.1:0",
            1,
            "--bind tls+tcp4://127.0.0.1:0 needs a certificate: --cert, or NN_TLS_CERT_FILE",
        ),
        (
            &format!("{server} --require-cert"),
            1,
            "--require-cert needs certificates to trust: --cacert, or NN_TLS_CA_FILE",
        ),
        (client, 1, "--connect wss://localhost:1 needs certificates to trust: --cacert, or NN_TLS_CA_FILE"),
        ("--bind wss://127.0.0.1:0 --cert /missing", 3, "Can't use --cert /missing: "),
        (
            &format!("--bind wss://127.0.0.1:0 --cert {certificates}/server-cert.pem"),
            3,
            "server-cert.pem without --key: Invalid argument",
        ),
        (&format!("{server} --key /missing"), 3, "Can't use --key /missing: "),
        (&format!("{client} --cacert {certificates}/make"), 3, "/make: Invalid argument"),
        (&format!("{client} -k --server-name ..."), 3, "Can't use --server-name ...: Invalid argument"),
    ] {
        let end = run(Which::Ours, &format!("--pull {options}"));
        assert_eq!(
            (end.status, end.stderr.contains(reason)),
            (Some(status), true),
            "{options}: {}",
            end.stderr
        );
    }
}

/// The options for TLS do not make an abbreviation ambiguous that the C library's nanocat has.
#[test]
fn abbreviations_mean_what_they_mean_to_the_c_library() {
    let folder = Folder::new();
    let address = folder.ipc("abbreviations");
    let receiver = Program::start(Which::Ours, &format!("--pull --bind {address} -A --count 2"));
    let sender = run(Which::Ours, &format!("--push --connect {address} -Dping --i=0.01 --count 2 --se 5"));
    assert_eq!(sender.status, Some(0));
    assert_eq!(receiver.end().stdout, b"ping\nping\n");
}

/// The status is that of the failure, and events that cannot be printed keep no message from being received.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_standard_error_changes_nothing_else() {
    use std::fs::OpenOptions;
    use std::process::Command;

    let folder = Folder::new();
    let start = |program: &str, arguments: &str| {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).stderr(full).output().unwrap()
    };
    let nanocat = |arguments: &str| start(env!("CARGO_BIN_EXE_nanocat"), arguments);
    assert_eq!(nanocat("--nonsense").status.code(), Some(1));
    assert_eq!(nanocat("--pull --bind nonsense").status.code(), Some(3));
    assert_eq!(start(env!("CARGO_BIN_EXE_nntop"), "--nonsense").status.code(), Some(1));
    let address = folder.ipc("full");
    let _sender = Program::start(Which::Ours, &format!("--push --bind {address} --data ping -i0.01"));
    let received = nanocat(&format!("--pull --connect {address} -A --count 1 -vv --monitor"));
    assert_eq!((received.status.code(), &received.stdout[..]), (Some(0), &b"ping\n"[..]));
}
