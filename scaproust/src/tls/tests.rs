//! Two sides in memory, with the certificates in `certificates/`.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use super::*;
use TlsOption::{
    Auth, Ca, CaFile, Cert, CertFile, Crl, CrlFile, Key, KeyFile, MaxVersion, MinVersion, ServerName,
};

/// The path of one of the certificates.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls/certificates").join(name).with_extension("pem")
}

/// Settings with these files and numbers.
pub(crate) fn settings(files: &[(TlsOption, &str)], numbers: &[(TlsOption, i32)]) -> Settings {
    let mut settings = Settings::new();
    for (option, name) in files {
        let path = file(name);
        let text = path.to_str().unwrap().as_bytes();
        option.text(text).unwrap();
        settings.set_text(*option, text).unwrap();
    }
    for (option, value) in numbers {
        settings.set_int(*option, *value).unwrap();
    }
    settings
}

fn server(name: &str) -> Settings {
    settings(&[(CertFile, name)], &[])
}

fn client(ca: &str) -> Settings {
    settings(&[(CaFile, ca)], &[])
}

/// The plaintext that a session has.
fn taken(session: &mut Session) -> Vec<u8> {
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut taken = Vec::new();
    while let Plaintext::Bytes(count) = session.take(&mut room) {
        // SAFETY: so many bytes were written.
        taken.extend(room[..count].iter().map(|byte| unsafe { byte.assume_init() }));
    }
    taken
}

/// Moves the records of one session into another one, in parts of `size` bytes. Returns the plaintext.
fn pass(from: &mut Session, to: &mut Session, size: usize) -> Vec<u8> {
    let mut records = Vec::new();
    from.send(&mut records);
    let mut plain = taken(to);
    for mut part in records.chunks(size) {
        while !part.is_empty() && to.failure().is_none() {
            let _ = to.feed(&mut part);
            plain.extend(taken(to));
        }
    }
    plain
}

/// Two sides after their handshake, whether it has succeeded or not. The first one is the client.
fn meet(one: &Config, other: &Config) -> (Session, Session) {
    let (mut client, mut server) = (one.session().unwrap(), other.session().unwrap());
    for _ in 0..4 {
        pass(&mut client, &mut server, usize::MAX);
        pass(&mut server, &mut client, usize::MAX);
    }
    (client, server)
}

fn sides(client: &Settings, server: &Settings, host: &str) -> (Session, Session) {
    meet(&Config::client(client, host).unwrap(), &Config::server(server).unwrap())
}

/// Asserts that a session has failed so, with a reason that has these words.
fn expect_failure(session: &Session, errno: i32, words: &str) {
    let failure = session.failure().unwrap_or_else(|| panic!("no failure: {words}"));
    assert_eq!(failure.error, Error::Os(errno), "{failure:?}");
    let is_of_certificate = session.fault() == Some(Fault::Certificate);
    assert_eq!(is_of_certificate, errno == libc::EACCES, "{failure:?}");
    assert!(failure.reason.contains(words), "{failure:?}: {words}");
}

fn expect_success((client, server): &(Session, Session)) {
    assert_eq!((client.failure(), server.failure()), (None, None));
    assert!(!client.is_handshaking() && !server.is_handshaking());
}

#[test]
fn a_server_is_accepted_by_its_authority_and_by_its_name() {
    for (ca, certificate, host) in [
        ("ca", "server", "localhost"),
        ("ca", "server", "localhost."),
        ("ca", "server", "127.0.0.1"),
        ("ca", "server", "::1"),
        ("ca", "rsa", "LOCALHOST"),
        ("ca", "wrong-name", "elsewhere"),
        ("self-signed", "self-signed", "localhost"),
        ("server", "server", "localhost"),
    ] {
        expect_success(&sides(&client(ca), &server(certificate), host));
    }
    for (ca, certificate, host, words) in [
        ("other-ca", "server", "localhost", "UnknownIssuer"),
        ("ca", "other", "localhost", "UnknownIssuer"),
        ("ca", "server", "elsewhere", "not valid for"),
        ("ca", "server", "127.0.0.2", "not valid for"),
        ("ca", "wrong-name", "localhost", "not valid for"),
        ("ca", "expired", "localhost", "expired"),
        ("ca", "self-signed", "localhost", AUTHORITY),
        ("self-signed", "self-signed", "elsewhere", "not valid for"),
        ("self-signed-expired", "self-signed-expired", "localhost", "expired"),
        ("server", "other", "localhost", "UnknownIssuer"),
    ] {
        let (one, other) = sides(&client(ca), &server(certificate), host);
        expect_failure(&one, libc::EACCES, words);
        expect_failure(&other, libc::EPROTO, "alert");
    }
}

#[test]
fn the_name_to_verify_can_be_set() {
    let mut client = client("ca");
    client.set_text(ServerName, b"elsewhere").unwrap();
    expect_success(&sides(&client, &server("wrong-name"), "localhost"));
    expect_failure(&sides(&client, &server("server"), "localhost").0, libc::EACCES, "not valid for");
}

#[test]
fn a_key_that_was_given_with_a_certificate_is_not_read_back() {
    let text = std::fs::read(file("server")).unwrap();
    let mut settings = Settings::new();
    for option in [Cert, Ca] {
        settings.set_text(option, &text).unwrap();
        let Some(crate::option::Value::Bytes(read)) = settings.get(option) else { panic!("{option:?}") };
        let read = String::from_utf8(read).unwrap();
        assert!(read.contains("CERTIFICATE") && !read.contains("PRIVATE"), "{option:?}: {read}");
        assert!(String::from_utf8(text.clone()).unwrap().contains("PRIVATE KEY"));
    }
    // The key is still there.
    assert!(sides(&client("ca"), &settings, "localhost").1.failure().is_none());
}

#[test]
fn a_revoked_certificate_is_refused() {
    let client = settings(&[(CaFile, "ca"), (CrlFile, "crl")], &[]);
    expect_success(&sides(&client, &server("server"), "localhost"));
    expect_failure(&sides(&client, &server("revoked"), "localhost").0, libc::EACCES, "Revoked");
}

#[test]
fn without_verification_any_server_is_accepted() {
    let anything = settings(&[], &[(Auth, 0)]);
    for certificate in ["server", "expired", "self-signed", "other"] {
        expect_success(&sides(&anything, &server(certificate), "elsewhere"));
    }
}

#[test]
fn a_server_asks_for_certificates_as_it_is_set() {
    let with = |certificate| settings(&[(CaFile, "ca"), (CertFile, certificate)], &[]);
    let asking = |auth, ca| settings(&[(CaFile, ca), (CertFile, "server")], &[(Auth, auth)]);
    for (client, server) in [
        (client("ca"), server("server")),
        (with("other"), server("server")),
        (client("ca"), asking(1, "ca")),
        (with("client"), asking(1, "ca")),
        (with("client"), asking(2, "ca")),
        (with("self-signed"), asking(2, "self-signed")),
    ] {
        expect_success(&sides(&client, &server, "localhost"));
    }
    for (client, server, words) in [
        (client("ca"), asking(2, "ca"), "no certificates"),
        (with("other"), asking(1, "ca"), "UnknownIssuer"),
        (with("expired"), asking(2, "ca"), "expired"),
        (with("self-signed-expired"), asking(2, "self-signed-expired"), "expired"),
    ] {
        let (client, server) = sides(&client, &server, "localhost");
        expect_failure(&server, libc::EACCES, words);
        expect_failure(&client, libc::EPROTO, "alert");
    }
}

#[test]
fn both_sides_know_each_other() {
    let with_client = settings(&[(CaFile, "ca"), (CertFile, "client")], &[]);
    let asking = settings(&[(CaFile, "ca"), (CertFile, "server")], &[(Auth, 2)]);
    let (one, other) = sides(&with_client, &asking, "localhost");
    let (of_server, of_client) = (one.peer().unwrap(), other.peer().unwrap());
    assert_eq!((&*of_server.subject, of_server.is_verified), ("CN=server", true));
    assert_eq!((&*of_client.subject, of_client.is_verified), ("CN=client", true));
    let (one, other) = sides(&settings(&[], &[(Auth, 0)]), &server("other"), "localhost");
    let of_server = one.peer().unwrap();
    assert_eq!((&*of_server.subject, of_server.is_verified), ("CN=other", false));
    assert_eq!(other.peer(), None);
}

#[test]
fn a_version_is_chosen_from_the_range_of_both() {
    let range = |file, least, most| settings(&[file], &[(MinVersion, least), (MaxVersion, most)]);
    let (ca, certificate) = ((CaFile, "ca"), (CertFile, "server"));
    for (of_client, of_server, version) in [
        ((0x303, 0x304), (0x303, 0x304), 0x304),
        ((0x303, 0x303), (0x303, 0x304), 0x303),
        ((0x303, 0x304), (0x303, 0x303), 0x303),
        ((0x304, 0x304), (0x304, 0x304), 0x304),
    ] {
        let (client, server) =
            (range(ca, of_client.0, of_client.1), range(certificate, of_server.0, of_server.1));
        let met = sides(&client, &server, "localhost");
        expect_success(&met);
        assert_eq!(met.0.peer().unwrap().version, version);
    }
    let (client, server) = sides(&range(ca, 0x304, 0x304), &range(certificate, 0x303, 0x303), "localhost");
    expect_failure(&server, libc::EPROTO, "");
    expect_failure(&client, libc::EPROTO, "alert");
}

#[test]
fn a_session_is_resumed_only_with_the_same_configurations() {
    let configs = || {
        let client = Config::client(&client("ca"), "localhost").unwrap();
        (client, Config::server(&server("server")).unwrap())
    };
    let ((client, server), (_, other_server)) = (configs(), configs());
    let resumed = |client, server| {
        let (client, server) = meet(client, server);
        assert_eq!((client.failure(), server.failure()), (None, None));
        client.is_resumed()
    };
    assert!(!resumed(&client, &server));
    assert!(resumed(&client, &server));
    assert!(!resumed(&client, &other_server));
}

/// The error and the reason of settings that cannot be used.
fn unusable(config: Result<Config, Failure>) -> (Error, String) {
    let Err(Failure { error, reason }) = config else { panic!("usable") };
    (error, reason)
}

#[test]
fn unusable_settings_are_found_before_a_peer_comes() {
    let key_and_certificate = |key, certificate| settings(&[(KeyFile, key), (CertFile, certificate)], &[]);
    for (server, words) in [
        (Settings::new(), "needs a certificate"),
        (settings(&[(KeyFile, "server")], &[]), "no certificate"),
        (settings(&[(CertFile, "ca")], &[]), "no private key"),
        (key_and_certificate("client", "server"), "own certificate"),
        (server("version-1"), "openssl x509 -req -extfile"),
        (settings(&[(CertFile, "server")], &[(Auth, 2)]), "no CA"),
        (settings(&[(CertFile, "server")], &[(MinVersion, 0x304), (MaxVersion, 0x303)]), "version"),
    ] {
        let (error, reason) = unusable(Config::server(&server));
        assert_eq!(error, Error::InvalidArgument);
        assert!(reason.contains(words), "{reason}: {words}");
    }
    for (client, host) in [(Settings::new(), "localhost"), (client("ca"), ""), (client("ca"), "a b")] {
        assert_eq!(unusable(Config::client(&client, host)).0, Error::InvalidArgument);
    }
    let mut gone = Settings::new();
    gone.set_text(CaFile, b"/there/is/no/such/file").unwrap();
    assert_eq!(unusable(Config::client(&gone, "localhost")).0, Error::Os(libc::ENOENT));
}

#[test]
fn a_text_is_checked_before_it_is_set() {
    let pem = |name| std::fs::read(file(name)).unwrap();
    for (option, name) in [(Ca, "ca"), (Cert, "server"), (Key, "server"), (Key, "rsa"), (Crl, "crl")] {
        assert_eq!(option.text(&pem(name)).map(drop), Ok(()));
        assert_eq!(option.text(b""), Ok(&b""[..]));
        for bad in [&b"text"[..], b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            assert_eq!(option.text(bad).unwrap_err().error, Error::InvalidArgument, "{option:?}");
        }
    }
    for (option, name) in [(Ca, "crl"), (Key, "ca"), (Crl, "ca")] {
        assert_eq!(option.text(&pem(name)).unwrap_err().error, Error::InvalidArgument, "{option:?}");
    }
    for option in [CaFile, CertFile, KeyFile, CrlFile] {
        assert_eq!(option.text(b"/there/is/no/such/file").unwrap_err().error, Error::Os(libc::ENOENT));
        assert_eq!(
            option.text(file("make").with_extension("").as_os_str().as_encoded_bytes()).unwrap_err().error,
            Error::InvalidArgument
        );
    }
    assert_eq!(ServerName.text(b"a.b\0"), Ok(&b"a.b"[..]));
    assert_eq!(ServerName.text(b"a b").unwrap_err().error, Error::InvalidArgument);
    for option in [Ca, Cert, Key, Crl, CaFile, CertFile, KeyFile, CrlFile, ServerName] {
        assert_eq!(option.text(b"\0"), Ok(&b""[..]));
        assert_eq!(option.text(b"a.b\0c").unwrap_err(), Failure::invalid("a zero byte within the text"));
    }
}

#[test]
fn texts_and_files_replace_each_other_and_authorities_add_up() {
    let pem = |name| std::fs::read(file(name)).unwrap();
    let mut server = server("other");
    server.set_text(Cert, &pem("server-cert")).unwrap();
    server.set_text(Key, &pem("server-key")).unwrap();
    let mut client = Settings::new();
    client.set_text(Ca, &pem("other-ca")).unwrap();
    client.set_text(Ca, &pem("ca")).unwrap();
    expect_success(&sides(&client, &server, "localhost"));
    server.set_text(Key, b"").unwrap();
    server.set_text(CertFile, file("other").as_os_str().as_encoded_bytes()).unwrap();
    expect_success(&sides(&client, &server, "localhost"));
    client.set_text(Ca, b"").unwrap();
    client.set_text(Ca, &pem("ca")).unwrap();
    expect_failure(&sides(&client, &server, "localhost").0, libc::EACCES, "UnknownIssuer");
}

/// Seals data that is not too much.
fn sealed(session: &mut Session, data: &[u8]) {
    assert_eq!(session.seal(&[IoSlice::new(data)]), data.len());
}

#[test]
fn plaintext_arrives_whole_however_the_records_are_cut() {
    let data: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    for version in [0x303, 0x304] {
        let client = settings(&[(CaFile, "ca")], &[(MaxVersion, version)]);
        let (mut client, mut server) = sides(&client, &server("server"), "localhost");
        for size in [1000, 4096, 65536, usize::MAX] {
            transfer(&mut client, &mut server, &data, size);
            transfer(&mut server, &mut client, &data, size);
        }
    }
}

/// Sends data from one session to another one, in records that are cut into parts of `size` bytes.
fn transfer(from: &mut Session, to: &mut Session, data: &[u8], size: usize) {
    let mut came = Vec::new();
    while came.len() < data.len() {
        assert!(from.seal(&[IoSlice::new(&data[came.len()..])]) > 0);
        came.extend(pass(from, to, size));
    }
    assert!(came == data);
}

#[test]
fn what_is_sealed_before_the_handshake_follows_it() {
    let config =
        (Config::client(&client("ca"), "localhost").unwrap(), Config::server(&server("server")).unwrap());
    let (mut client, mut server) = (config.0.session().unwrap(), config.1.session().unwrap());
    sealed(&mut client, b"question");
    sealed(&mut server, b"answer");
    let (mut of_client, mut of_server) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        of_client.extend(pass(&mut client, &mut server, 1));
        of_server.extend(pass(&mut server, &mut client, 1));
    }
    assert_eq!((&of_client[..], &of_server[..]), (&b"question"[..], &b"answer"[..]));
}

/// Whatever is cut off at the end, what arrives is a beginning, and only the whole ends properly.
#[test]
fn a_stream_that_is_cut_does_not_end_properly() {
    let (mut client, mut server) = sides(&client("ca"), &server("server"), "localhost");
    let mut records = Vec::new();
    sealed(&mut server, b"first");
    server.send(&mut records);
    let first = records.len();
    server.close();
    server.send(&mut records);
    let length = records.len();
    for (at, byte) in records.iter().enumerate() {
        let plain = pass_bytes(&mut client, &[*byte]);
        assert_eq!(plain, if at + 1 == first { &b"first"[..] } else { b"" }, "after byte {at} of {length}");
    }
    let mut room = [MaybeUninit::uninit(); 10];
    assert_eq!(client.take(&mut room), Plaintext::End);
    for cut in [0, first, length - 1] {
        let (mut client, mut server) = sides(&self::client("ca"), &self::server("server"), "localhost");
        let mut records = Vec::new();
        sealed(&mut server, b"first");
        server.close();
        server.send(&mut records);
        pass_bytes(&mut client, &records[..cut]);
        client.end();
        assert_eq!(client.take(&mut room), Plaintext::Cut, "cut at byte {cut} of {length}");
    }
}

fn pass_bytes(session: &mut Session, mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        session.feed(&mut bytes).unwrap();
        plain.extend(taken(session));
    }
    plain
}

#[test]
fn a_changed_byte_is_a_failure() {
    let (mut client, mut server) = sides(&client("ca"), &server("server"), "localhost");
    let mut records = Vec::new();
    sealed(&mut server, b"first");
    server.send(&mut records);
    *records.last_mut().unwrap() ^= 1;
    assert!(client.feed(&mut &records[..]).is_err());
    expect_failure(&client, libc::EPROTO, "decrypt");
    assert_eq!(taken(&mut client), b"");
    assert!(client.has_records());
}

#[test]
fn bytes_that_are_no_tls_are_a_failure_with_an_alert() {
    let config = Config::server(&server("server")).unwrap();
    for bytes in
        [&b"\0SP\0\0\x50\0\0"[..], b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", &[0x16; 100], &[0xff; 40_000]]
    {
        let mut session = config.session().unwrap();
        let mut rest = bytes;
        while !rest.is_empty() && session.feed(&mut rest).is_ok() {}
        expect_failure(&session, libc::EPROTO, "");
    }
}
