//! What certificates and handshakes can do to a request. The certificates are made here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use domain::delivery::{Answer, Outcome};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::kit::*;

/// An authority that the receiver of a test trusts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// What a server presents.
pub type Identity = (CertificateDer<'static>, KeyPair);

pub fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signed").der().clone();
    Authority { issuer: Issuer::new(params, key), certificate }
}

impl Authority {
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        roots
    }

    pub fn root(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = params(names, change);
        (params.signed_by(&key, &self.issuer).expect("signed").der().clone(), key)
    }
}

fn self_signed(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let key = KeyPair::generate().expect("a key");
    (params(names, change).self_signed(&key).expect("signed").der().clone(), key)
}

fn params(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    change(&mut params);
    params
}

pub fn config((certificate, key): Identity) -> ServerConfig {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .expect("a server")
}

/// Answers one request over TLS; tells the name it was asked for, and the request.
fn tls_server(config: ServerConfig) -> (SocketAddr, JoinHandle<(Option<String>, String)>) {
    tls_server_that(config, |stream| {
        let request = read_request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        request
    })
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

fn tls_server_that(
    config: ServerConfig,
    serve: impl FnOnce(&mut Tls) -> String + Send + 'static,
) -> (SocketAddr, JoinHandle<(Option<String>, String)>) {
    server(|stream| {
        let connection = ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut stream = StreamOwned::new(connection, stream);
        let request = serve(&mut stream);
        (stream.conn.server_name().map(str::to_owned), request)
    })
}

/// POSTs to `https://hooks.example.com:8443/`, which is this server.
fn post_to(server: SocketAddr, authority: &Authority) -> Answer {
    let receiver = public(resolver_of(PUBLIC), authority.roots(), Some(server));
    run(&receiver, &request(format!("https://{NAME}:8443/in")), PATIENT)
}

#[test]
fn a_good_certificate() {
    let authority = authority("Ours");
    let (address, thread) = tls_server(config(authority.sign(&[NAME], |_| {})));
    let answer = post_to(address, &authority);
    assert_eq!((answer.outcome, answer.error), (Outcome::Succeeded, None));
    assert_eq!(answer.response_body.as_deref(), Some("ok"));
    let (asked_for, sent) = thread.join().expect("served");
    assert_eq!(asked_for.as_deref(), Some(NAME));
    assert!(sent.starts_with("POST /in HTTP/1.1\r\nHost: hooks.example.com:8443\r\n"), "{sent}");
}

#[test]
fn a_trailing_dot_is_no_part_of_the_name_in_the_certificate() {
    let authority = authority("Ours");
    let (address, thread) = tls_server(config(authority.sign(&[NAME], |_| {})));
    let receiver = public(resolver_of(PUBLIC), authority.roots(), Some(address));
    let answer = run(&receiver, &request(format!("https://{NAME}./")), PATIENT);
    assert_eq!(answer.outcome, Outcome::Succeeded, "{answer:?}");
    assert_eq!(thread.join().expect("served").0.as_deref(), Some(NAME));
}

#[test]
fn an_address_in_a_certificate() {
    let authority = authority("Ours");
    let (address, thread) = tls_server(config(authority.sign(&[&PUBLIC.to_string()], |_| {})));
    let receiver = public(resolver_of(PUBLIC), authority.roots(), Some(address));
    let answer = run(&receiver, &request(format!("https://{PUBLIC}/")), PATIENT);
    assert_eq!(answer.outcome, Outcome::Succeeded, "{answer:?}");
    assert_eq!(thread.join().expect("served").0, None, "addresses are not sent as names");
}

#[test]
fn bad_certificates() {
    let ours = authority("Ours");
    let stranger = authority("Theirs");
    let cases: Vec<(Identity, &str)> = vec![
        (
            ours.sign(&[NAME], |params| {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2021, 5, 1);
            }),
            "the certificate of hooks.example.com expired on 2021-05-01; renew it",
        ),
        (
            ours.sign(&[NAME], |params| params.not_before = date_time_ymd(2999, 1, 1)),
            "the certificate of hooks.example.com is not valid before 2999-01-01",
        ),
        (self_signed(&[NAME], |_| {}), "does not lead to a public authority: it is self-signed"),
        (
            self_signed(&[NAME], |params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }),
            "does not lead to a public authority: it is self-signed",
        ),
        (stranger.sign(&[NAME], |_| {}), "does not lead to a public authority"),
        (
            ours.sign(&["www.example.org"], |_| {}),
            "the certificate of hooks.example.com port 8443 is for www.example.org; install one",
        ),
        (ours.sign(&["*.example.org", "a.b"], |_| {}), "is for *.example.org, a.b;"),
        (ours.sign(&["192.0.2.7"], |_| {}), "names no host;"),
        (ours.sign(&["93.184.215.14"], |_| {}), "install one that is valid for hooks.example.com"),
        (
            ours.sign(&[NAME], |params| {
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
            }),
            "the certificate of hooks.example.com cannot be verified",
        ),
    ];
    for (identity, words) in cases {
        let (address, thread) = tls_server(config(identity));
        check_failed(&post_to(address, &ours), Outcome::Tls, None, words);
        assert_eq!(thread.join().expect("served").1, "", "nothing was sent");
    }
}

#[test]
fn only_a_public_authority_is_trusted_on_a_local_stack_too() {
    let (address, thread) = tls_server(config(self_signed(&["localhost"], |_| {})));
    let answer = post_within(format!("https://localhost:{}/", address.port()), PATIENT);
    check_failed(&answer, Outcome::Tls, None, "the certificate of localhost does not lead");
    assert_eq!(thread.join().expect("served").1, "");
}

#[test]
fn servers_that_speak_something_else() {
    let authority = authority("Ours");
    for greeting in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"220 mail ESMTP\r\n", &[0; 64]] {
        let (address, thread) = server(move |mut stream| {
            let _ = stream.read(&mut [0; 2_048]);
            let _ = stream.write_all(greeting);
        });
        let words = "hooks.example.com port 8443 does not speak TLS";
        check_failed(&post_to(address, &authority), Outcome::Tls, None, words);
        thread.join().expect("served");
    }
}

#[test]
fn servers_that_speak_it_too_old_or_too_new() {
    let authority = authority("Ours");
    // The alert that a server of TLS 1.1 answers with, and its hello of TLS 1.0.
    let hello =
        [&[0x16, 3, 1, 0, 0x2a, 2, 0, 0, 0x26, 3, 1][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
    for answer in [vec![0x15, 3, 1, 0, 2, 2, 70], hello] {
        let (address, thread) = server(move |mut stream| {
            let _ = stream.read(&mut [0; 2_048]);
            let _ = stream.write_all(&answer);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let words = "offers no encryption that is safe today";
        check_failed(&post_to(address, &authority), Outcome::Tls, None, words);
        thread.join().expect("served");
    }
    let mut only_http2 = config(authority.sign(&[NAME], |_| {}));
    only_http2.alpn_protocols = vec![b"h2".to_vec()];
    let (address, thread) = tls_server(only_http2);
    check_failed(&post_to(address, &authority), Outcome::Tls, None, "offers HTTP/2 alone");
    thread.join().expect("served");
}

#[test]
fn a_server_that_refuses() {
    let authority = authority("Ours");
    let (address, thread) = server(|mut stream| {
        let _ = stream.read(&mut [0; 2_048]);
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]);
    });
    let words = "hooks.example.com port 8443 refused the TLS connection";
    check_failed(&post_to(address, &authority), Outcome::Tls, None, words);
    thread.join().expect("served");
}

#[test]
fn handshakes_that_break_or_never_end() {
    let authority = authority("Ours");
    for read in [false, true] {
        let (address, thread) = server(move |mut stream| {
            if read {
                let _ = stream.read(&mut [0; 2_048]);
            }
        });
        let words = "closed the connection during the TLS handshake";
        check_failed(&post_to(address, &authority), Outcome::ConnectionReset, None, words);
        thread.join().expect("served");
    }
    let (address, thread) = server(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let receiver = public(resolver_of(PUBLIC), authority.roots(), Some(address));
    let answer = run(&receiver, &request(format!("https://{NAME}/")), SHORT);
    check_failed(&answer, Outcome::Timeout, None, "did not finish the TLS handshake within 0.3 s");
    thread.join().expect("the connection ended with the deadline");
}

#[test]
fn answers_over_tls_that_break_or_never_end() {
    let authority = authority("Ours");
    let identity = || config(authority.sign(&[NAME], |_| {}));
    // Without a length, the end of the connection is the end of the answer, goodbye or not.
    let (address, thread) = tls_server_that(identity(), |stream| {
        let request = read_request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok");
        request
    });
    let answer = post_to(address, &authority);
    assert_eq!((answer.outcome, answer.response_body.as_deref()), (Outcome::Succeeded, Some("ok")));
    thread.join().expect("served");
    let (address, thread) = tls_server_that(identity(), |stream| {
        let request = read_request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        let _ = stream.flush();
        request
    });
    let answer = post_to(address, &authority);
    check_failed(&answer, Outcome::ConnectionReset, Some(200), "before the answer was complete");
    assert_eq!(answer.response_body.as_deref(), Some("half"));
    thread.join().expect("served");
    let (address, thread) = tls_server_that(identity(), |stream| {
        let request = read_request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 16_384]).is_ok() {}
        request
    });
    let answer = post_to(address, &authority);
    assert_eq!(answer.outcome, Outcome::Succeeded);
    assert_eq!(answer.response_body.map(|body| body.len()), Some(1_024));
    thread.join().expect("the server saw the connection end");
}

#[test]
fn every_attempt_judges_the_certificate() {
    let authority = authority("Ours");
    let config = Arc::new(config(authority.sign(&[NAME], |_| {})));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let thread = std::thread::spawn(move || {
        [(); 2].map(|()| {
            let (stream, _) = listener.accept().expect("a connection");
            let connection = ServerConnection::new(config.clone()).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
        })
    });
    let receiver = public(resolver_of(PUBLIC), authority.roots(), Some(address));
    for _ in 0..2 {
        let answer = run(&receiver, &request(format!("https://{NAME}/")), PATIENT);
        assert_eq!(answer.outcome, Outcome::Succeeded, "{answer:?}");
    }
    assert_eq!(thread.join().expect("served"), [false, false], "no session is resumed");
}
