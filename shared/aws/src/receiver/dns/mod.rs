//! Names into addresses: one question, within a time, and nothing left behind when the time is up
//! (`infra/decisions/0007-own-client.md` says why the system's `getaddrinfo` is not asked).

mod message;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use domain::failure::Failure;
use domain::limits::{DNS_UDP_BYTES, RESOLVE_TRIES, RESOLVERS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use message::{Kind, Query, Reply};

/// The resolvers that are asked, in this order.
#[derive(Debug, Clone)]
pub(super) struct Names {
    servers: Vec<SocketAddr>,
}

impl Names {
    /// Those of `/etc/resolv.conf`; should it name none, one on this machine, as the C library
    /// has it.
    pub(super) fn of_the_machine() -> Self {
        Self::of_configuration(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    fn of_configuration(text: &str) -> Self {
        let address = |line: &str| {
            let mut words = line.split_whitespace();
            let (keyword, address) = (words.next()?, words.next()?);
            let address: IpAddr = (keyword == "nameserver").then(|| address.parse().ok())??;
            Some(SocketAddr::new(address, DNS_PORT))
        };
        let named: Vec<SocketAddr> = text.lines().filter_map(address).take(RESOLVERS).collect();
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DNS_PORT);
        Self { servers: if named.is_empty() { vec![local] } else { named } }
    }

    #[cfg(test)]
    pub(super) fn of(servers: &[SocketAddr]) -> Self {
        Self { servers: servers.to_vec() }
    }

    /// All addresses of a name: of IPv4, or of IPv6 if it has none of IPv4. (Where DNS64 is on, an
    /// ordinary name would seem to have addresses inside 64:ff9b::/96 too. They are never seen.)
    ///
    /// # Errors
    /// Of the class `dns`.
    pub(super) async fn resolve(
        &self,
        name: &str,
        within: Duration,
    ) -> Result<Vec<IpAddr>, Failure> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if let Some(addresses) = without_asking(name) {
            return addresses;
        }
        let asking = async {
            let found = self.ask(name, Kind::A, within).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            let found = self.ask(name, Kind::Aaaa, within).await?;
            if found.is_empty() { Err(Failure::NoAddress) } else { Ok(found) }
        };
        let answered = tokio::time::timeout(within, asking).await;
        answered.unwrap_or(Err(Failure::NamesSilent(within)))
    }

    /// Asks one resolver after the other until one answers.
    async fn ask(&self, name: &str, kind: Kind, within: Duration) -> Result<Vec<IpAddr>, Failure> {
        let mut failed = 0;
        let tries = usize::try_from(RESOLVE_TRIES).unwrap_or(1);
        for server in self.servers.iter().cycle().take(tries) {
            // Without randomness an answer could be forged.
            let id = getrandom::u32().map_err(|_| Failure::NamesFailed)?;
            let Some(query) = Query::new(name, kind, id) else { return Err(Failure::NoSuchName) };
            match tokio::time::timeout(within / RESOLVE_TRIES, exchange(*server, &query)).await {
                Ok(Ok(Reply::Addresses(found))) => return Ok(found),
                Ok(Ok(Reply::NoSuchName)) => return Err(Failure::NoSuchName),
                Ok(Ok(Reply::Failed | Reply::Truncated) | Err(_)) => failed += 1,
                Err(_) => {}
            }
            if failed == self.servers.len() {
                break;
            }
        }
        Err(if failed > 0 { Failure::NamesFailed } else { Failure::NamesSilent(within) })
    }
}

const DNS_PORT: u16 = 53;

/// Names whose answer is fixed (RFC 6761, 6.3 and 6.4). Only a local stack gets this far with one.
fn without_asking(name: &str) -> Option<Result<Vec<IpAddr>, Failure>> {
    match name.rsplit('.').next() {
        Some("localhost") => Some(Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])),
        Some("invalid") => Some(Err(Failure::NoSuchName)),
        Some(_) | None => None,
    }
}

/// Over UDP; over TCP if the answer is too long for that.
async fn exchange(server: SocketAddr, query: &Query) -> io::Result<Reply> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A new socket, and with it a new port, for every question: what an answer must guess.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query.bytes()).await?;
    let mut received = [0; DNS_UDP_BYTES];
    loop {
        let count = socket.recv(&mut received).await?;
        match query.read(&received[..count]) {
            // Somebody else's, or forged.
            None => {}
            Some(Reply::Truncated) => return exchange_over_tcp(server, query).await,
            Some(reply) => return Ok(reply),
        }
    }
}

async fn exchange_over_tcp(server: SocketAddr, query: &Query) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.bytes().len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), query.bytes()].concat()).await?;
    let mut received = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut received).await?;
    Ok(query.read(&received).unwrap_or(Reply::Failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_resolvers_are_asked() {
        let check = |text: &str, expected: &[&str]| {
            let expected: Vec<SocketAddr> =
                expected.iter().map(|server| server.parse().expect("a place")).collect();
            assert_eq!(Names::of_configuration(text).servers, expected, "{text:?}");
        };
        check("nameserver 10.0.0.2\nsearch ec2.internal\n", &["10.0.0.2:53"]);
        check("# nameserver 1.1.1.1\n;x\n\tnameserver\t::1 # here\n", &["[::1]:53"]);
        check(
            "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4",
            &["1.0.0.1:53", "1.0.0.2:53", "1.0.0.3:53"],
        );
        for nothing in ["", "nameserver", "nameserver x", "options timeout:1"] {
            check(nothing, &["127.0.0.1:53"]);
        }
    }
}
