//! A running node: whether it answers, is whole, of this version, of the configured chain, and of one mind about the time.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, SystemTime};

use hanse_client::methods::{GetChainInfo, GetNodeInfo, GetPeers, GetPool, NoParams};
use hanse_client::views::ChainInfo;
use hanse_client::{Client, ClientError};

use super::Finding;
use crate::config::{Loaded, Role};
use crate::groups::read_genesis;

const ABOUT: &str = "node";
/// A node that takes longer to answer is not there for people.
const PATIENCE: Duration = Duration::from_secs(5);
/// Clocks that differ by more make transactions expire early, or be refused. HTTP tells whole seconds.
const CLOCKS_MAY_DIFFER: Duration = Duration::from_secs(3);

/// Looks at the node of this address. If nobody asked for it, it may be absent.
pub(super) async fn look(url: &str, is_asked: bool, loaded: Option<&Loaded>, findings: &mut Vec<Finding>) {
    if loaded.is_some_and(|loaded| loaded.config.network.role == Role::Seed) {
        return findings.push(seed(url, is_asked).await);
    }
    let info = match ask(url).await {
        Ok(info) => info,
        Err(error) if is_asked => {
            let advice = "start it (`hanse start`, `hanse dev`), or name its address; a firewall may be between";
            return findings.push(Finding::fault(ABOUT, error, advice));
        }
        Err(_) => return findings.push(Finding::ok(ABOUT, format!("none answers at {url}; `hanse dev` starts one"))),
    };
    let (chain, group, height) = (&info.chain_id, &info.group_id, info.height.0);
    findings.push(Finding::ok(ABOUT, format!("{url} has the chain {chain}, group {group}, height {height}")));
    findings.extend(version(&info));
    findings.extend(stopped(&info));
    findings.extend(loaded.and_then(|loaded| other_chain(&info, loaded)));
    findings.extend(clocks(url).await);
}

/// Looks at the seed of this address, which has no chain.
async fn seed(url: &str, is_asked: bool) -> Finding {
    let asked = async {
        let client = Client::new(url)?;
        let (info, network) =
            (client.call::<GetNodeInfo>(NoParams {}).await?, client.call::<GetPeers>(NoParams {}).await?);
        Ok::<_, ClientError>((info.version, network.peers.iter().filter(|peer| peer.connected_ms.is_some()).count()))
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok((version, count))) => {
            Finding::ok(ABOUT, format!("{url} is a seed, version {version}, with {count} nodes"))
        }
        Ok(Err(error)) if is_asked => Finding::fault(ABOUT, error.to_string(), "start it: hanse start"),
        Err(_) if is_asked => {
            Finding::fault(ABOUT, format!("{url} does not answer within {} s", PATIENCE.as_secs()), "look at its log")
        }
        Ok(Err(_)) | Err(_) => Finding::ok(ABOUT, format!("none answers at {url}; `hanse start` starts the seed")),
    }
}

async fn ask(url: &str) -> Result<ChainInfo, String> {
    let client = Client::new(url).map_err(|error| error.to_string())?;
    let answers = async {
        let info = client.call::<GetChainInfo>(NoParams {}).await?;
        // Whoever takes transactions also knows its pool.
        client.call::<GetPool>(NoParams {}).await?;
        Ok::<_, ClientError>(info)
    };
    match tokio::time::timeout(PATIENCE, answers).await {
        Ok(Ok(info)) => Ok(info),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("{url} does not answer within {} s", PATIENCE.as_secs())),
    }
}

fn version(info: &ChainInfo) -> Option<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    (info.node_version != own).then(|| {
        let text = format!("it is version {}, this program is {own}", info.node_version);
        Finding::warning(ABOUT, text, "use the program of the node's version, or update the node")
    })
}

fn stopped(info: &ChainInfo) -> Option<Finding> {
    let reason = info.stopped.as_ref()?;
    let advice =
        "mend what it names, then start the node again; nothing that was committed is lost (docs/operating.md)";
    Some(Finding::fault(ABOUT, format!("its group has stopped: {reason}"), advice))
}

fn other_chain(info: &ChainInfo, loaded: &Loaded) -> Option<Finding> {
    let genesis = read_genesis(&loaded.resolve(&loaded.config.node.genesis)).ok()?;
    (genesis.hash() != info.genesis_hash).then(|| {
        let text = format!("it runs the genesis {}, the configuration names {}", info.genesis_hash, genesis.hash());
        Finding::warning(ABOUT, text, "another node answers there; name the right address, or the right configuration")
    })
}

/// Compares this machine's clock with the date that the node's answers bear.
async fn clocks(url: &str) -> Option<Finding> {
    let url = url.to_owned();
    let theirs = tokio::task::spawn_blocking(move || date(&url)).await.ok()??;
    let ours = SystemTime::now();
    let apart = ours.duration_since(theirs).unwrap_or_else(|error| error.duration());
    (apart > CLOCKS_MAY_DIFFER).then(|| {
        let text = format!("its clock and this machine's are {} s apart", apart.as_secs());
        Finding::fault("clock", text, "set both by NTP: transactions that expire early or too late are refused")
    })
}

/// The date of an answer, if the address is one of plain HTTP.
fn date(url: &str) -> Option<SystemTime> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    let address = authority.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(4_096).read_to_end(&mut answer).ok()?;
    date_of(&String::from_utf8_lossy(&answer))
}

fn date_of(answer: &str) -> Option<SystemTime> {
    let line = answer.lines().find(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("date:")))?;
    httpdate::parse_http_date(line[5..].trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_found() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(date_of("HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nok"), Some(expected));
        assert_eq!(date_of("HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
