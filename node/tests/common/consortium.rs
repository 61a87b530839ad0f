//! Nodes of a chain of several, as `hanse chain new` makes them, each a process of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use hanse_client::methods::{GetPeers, NoParams};
use hanse_client::views::NodePeers;
use hanse_client::{Call, ChainContext, Client, Contract};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Address, SignedTransaction};
use serde_json::Value;

use super::{Node, hanse};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What the treasury holds at the start.
const FUNDS: u64 = 1_000_000_000;

/// Who pays in these tests.
pub(crate) fn treasury() -> SecretKey {
    SecretKey::ed25519([42; 32])
}

/// A chain's files.
pub(crate) struct Consortium {
    folder: tempfile::TempDir,
    /// What `hanse chain new` said.
    pub(crate) made: Value,
}

impl Consortium {
    /// A chain of so many nodes on free ports.
    pub(crate) fn new(count: usize) -> Consortium {
        Consortium::new_with(count, &[])
    }

    /// The same with further options.
    pub(crate) fn new_with(count: usize, options: &[&str]) -> Consortium {
        let folder = tempfile::tempdir().unwrap();
        let account = format!("{}={FUNDS}", treasury().public_key().address());
        let args = ["--json", "chain", "new", "all", "--plain-keys", "--port", "0", "--block-interval", "20"];
        let made = hanse(
            folder.path(),
            &[&args[..], &["--nodes", &count.to_string(), "--account", &account], options].concat(),
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Consortium { folder, made: serde_json::from_slice(&made.stdout).unwrap() }
    }

    /// The folder in which commands are run; the chain's is `all` there.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a node, counted from 1.
    pub(crate) fn start(&self, number: usize) -> Node {
        self.start_with(number, &[])
    }

    /// The same with further variables.
    pub(crate) fn start_with(&self, number: usize, variables: &[(&str, &str)]) -> Node {
        Node::serve_by(self.folder(), &format!("all/node-{number}/hanse.toml"), variables)
    }

    /// Where the others find a node.
    pub(crate) fn address(&self, number: usize) -> &str {
        self.made["nodes"][number - 1]["address"].as_str().unwrap()
    }
}

impl Drop for Consortium {
    fn drop(&mut self) {
        // What `hanse chain start` started and a test that failed left.
        hanse(self.folder(), &["chain", "stop", "all"]);
    }
}

/// A payment of one unit to a receiver of this number.
pub(crate) fn payment(context: &ChainContext, to: u64) -> SignedTransaction {
    let mut receiver = [7; 20];
    receiver[..8].copy_from_slice(&to.to_be_bytes());
    let args = borsh::to_vec(&(Address(receiver), 1u128)).unwrap();
    Call::new(Contract::native(1), "transfer", args).sign(context, &treasury()).unwrap()
}

/// What a node sees of the network.
pub(crate) async fn peers(client: &Client) -> NodePeers {
    client.call::<GetPeers>(NoParams {}).await.unwrap()
}

/// Asks until the answer is as wanted.
pub(crate) async fn until<T, F: Future<Output = T>>(what: &str, ask: impl Fn() -> F, wanted: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a node is connected to so many others.
pub(crate) async fn until_connected(client: &Client, count: usize) -> NodePeers {
    let ready = |peers: &NodePeers| peers.peers.iter().filter(|peer| peer.state == "ready").count() == count;
    until("the peers are connected", || peers(client), ready).await
}
