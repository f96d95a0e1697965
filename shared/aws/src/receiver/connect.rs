//! From vetted addresses to a connection, with TLS unless the URL says otherwise. Nothing in here
//! knows of names: what was judged is what is dialled.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use domain::failure::{Failure, Stage};
use domain::limits::DIALLED_ADDRESSES;
use domain::ports::{PortError, PortResult};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::classify;
use super::exchange::Heard;

/// A connection, encrypted or not.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Dialer {
    tls: TlsConnector,
    /// Where every connection really goes, so that a test can answer for a public address.
    #[cfg(test)]
    pub(super) detour: Option<SocketAddr>,
    /// What was dialled.
    #[cfg(test)]
    pub(super) dialled: Arc<std::sync::Mutex<Vec<SocketAddr>>>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

impl Dialer {
    /// TLS 1.2 or 1.3, HTTP/1.1. Every connection judges the certificate anew: no session is
    /// resumed.
    pub(super) fn new(roots: RootCertStore) -> PortResult<Self> {
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(ring)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|e| PortError::new("receiver.new", &e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        tls.resumption = Resumption::disabled();
        Ok(Self {
            tls: Arc::new(tls).into(),
            #[cfg(test)]
            detour: None,
            #[cfg(test)]
            dialled: Arc::default(),
        })
    }

    /// Connects to the first address that answers.
    pub(super) async fn connect(
        &self,
        url: &Url,
        vetted: &[SocketAddr],
        heard: &mut Heard,
    ) -> Result<Box<dyn Connection>, Failure> {
        heard.reached(Stage::Connecting);
        let stream = self.dial(vetted, heard).await?;
        if url.scheme() == "http" {
            return Ok(Box::new(stream));
        }
        heard.reached(Stage::Encrypting);
        let name = server_name(url).ok_or(Failure::Unsendable)?;
        let stream = self.tls.connect(name, stream).await.map_err(|e| classify::tls(&e))?;
        Ok(Box::new(stream))
    }

    /// Each address but the last gets its share of the time, so that one which swallows packets
    /// does not hide the next.
    async fn dial(&self, vetted: &[SocketAddr], heard: &Heard) -> Result<TcpStream, Failure> {
        let dialled = &vetted[..vetted.len().min(DIALLED_ADDRESSES)];
        let mut last = Failure::Unreachable;
        for (nth, address) in dialled.iter().enumerate() {
            let left = u32::try_from(dialled.len() - nth).unwrap_or(1);
            let share = heard.time_left() / left;
            let connected = tokio::time::timeout(share, self.open(*address)).await;
            match connected {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = classify::connect(&error, heard.limit()),
                Err(_) => last = Failure::TooLate(Stage::Connecting, heard.limit()),
            }
        }
        Err(last)
    }

    async fn open(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        #[cfg(test)]
        let address = {
            self.dialled.lock().expect("unpoisoned").push(address);
            self.detour.unwrap_or(address)
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// The name that the certificate must be for, and SNI: the URL's host, and no other.
fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => {
            ServerName::try_from(name.strip_suffix('.').unwrap_or(name).to_owned()).ok()
        }
        Host::Ipv4(address) => Some(ServerName::from(std::net::IpAddr::from(address))),
        Host::Ipv6(address) => Some(ServerName::from(std::net::IpAddr::from(address))),
    }
}
