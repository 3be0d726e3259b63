//! nntop, and processes whose reports are false.

use std::path::Path;

use scaproust::Rep;

use crate::programs::{End, Folder, Program};

/// What nntop makes of this answer, with an option such as `--once`.
fn shown(option: &str, answer: &[u8]) -> End {
    let folder = Folder::new();
    let address = folder.ipc("report");
    let server = Rep::new().unwrap();
    server.bind(&address).unwrap();
    let program = env!("CARGO_BIN_EXE_nntop");
    let viewer = Program::start_in(Path::new("."), program.as_ref(), [option, &address].into_iter());
    server.accept().unwrap().1.send(answer).unwrap();
    viewer.end()
}

#[test]
fn an_answer_that_is_no_report_is_refused() {
    let endless = vec![b'a'; 16 << 20];
    let quoted = format!("{{\"version\":\"\u{202e}{}\"}}", "x".repeat(1 << 20));
    let deep = format!("{{\"version\":1,\"pid\":{}", "[".repeat(1 << 20));
    for (answer, reason) in [
        (&b""[..], "EOF"),
        (b"hello\x1b]0;x\x07", "expected value"),
        (b"{\"version\":1,\"pid\":", "EOF"),
        (b"{\"version\":1,\"pid\":-1}", "integer `-1`"),
        (b"{\"version\":1,\"pid\":\"\\u001b]0;x\\u0007\"}", "expected u32"),
        (b"{\"version\":99999999999}", "expected u32"),
        (deep.as_bytes(), "EOF"),
        (quoted.as_bytes(), "string \"\\u{202e}xxx"),
        (&endless, "expected value"),
    ] {
        let End { status, stdout, stderr } = shown("--once", answer);
        assert_eq!((status, stdout.len()), (Some(3), 0), "{stderr}");
        assert!(stderr.contains("has no report") && stderr.contains(reason), "{stderr}");
        assert!(stderr.len() < 1000 && !stderr.trim_end().contains(char::is_control), "{stderr}");
    }
}

#[test]
fn names_and_numbers_of_a_report_are_shown_safely() {
    let name = "\\u001b]0;x\\u0007\\u009b2J".repeat(10_000);
    let most = u64::MAX;
    let report = format!(
        "{{\"version\":1,\"pid\":1,\"clock\":{most},\"sockets\":[{{\"socket\":0,\"protocol\":\"{name}\",\"name\":\"{name}\",\
         \"parent\":0,\"statistics\":{{\"messages_dropped\":{most},\"messages_missed\":{most}}},\"endpoints\":[{{\"endpoint\":1,\
         \"address\":\"{name}\",\"state\":\"{name}\",\"messages_missed\":{most}}},{{\"endpoint\":1,\"address\":\"\",\
         \"state\":\"\",\"messages_missed\":{most}}}]}}]}}"
    );
    let End { status, stdout, stderr } = shown("--once", report.as_bytes());
    assert_eq!((status, &*stderr), (Some(0), ""));
    let text = String::from_utf8(stdout).unwrap();
    assert_eq!(text.lines().count(), 5);
    assert!(text.lines().all(|line| line.len() < 2000 && !line.contains(char::is_control)), "{text}");
}

#[test]
fn a_report_is_printed_as_json_safely() {
    let report = b"{\"version\":1,\"pid\":1,\"clock\":1,\"sockets\":[],\"new\":\"\xc2\x9b2J\x7f\xe2\x80\xae\xe2\x80\xa8\xff\"}";
    let End { status, stdout, stderr } = shown("--json", report);
    assert_eq!((status, &*stderr), (Some(0), ""));
    let text = String::from_utf8(stdout).unwrap();
    assert!(text.ends_with("\"new\":\"\\u009b2J\\u007f\\u202e\\u2028\u{fffd}\"}\n"), "{text}");
}
